import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { x86EventLabel } from '../../arch/x86-events.ts';
import { counterMsr, MsrNumber, x86MsrName } from '../../arch/x86-msrs.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { X86CounterView } from '../../emulator/x86/x86-view.ts';
import {
  backingOf,
  type CounterState,
  placementGates,
  type RegisterState,
  reasonOf,
  type VcpuState,
  valueState,
  whereabouts,
} from '../state-view.ts';
import type { X86Vcpu } from './x86-vcpu.ts';

function gatesOf(vcpu: X86Vcpu, view: X86CounterView): string[] {
  const gates: string[] = [];
  const fixed = view.counter >= FIXED_BASE;
  const local = fixed ? 'FIXED_CTR_CTRL' : 'EN';
  if (view.locallyEnabled === false) gates.push(`${local} is 0`);
  else if (view.locallyEnabled === undefined) gates.push(`${local} not known`);
  if (view.globallyEnabled === false) gates.push('GLOBAL_CTRL bit is 0');
  else if (view.globallyEnabled === undefined) gates.push('GLOBAL_CTRL bit not known');
  if (view.denied === true) gates.push('denied by the event filter');
  if (gates.length > 0) return gates;
  if (view.pending === true) gates.push('waits for the next guest entry');
  else if (view.hasEvent === false) gates.push('no backing event');
  return [...gates, ...placementGates(vcpu.perf, view.counter)];
}

/** One counter as it stands. */
export function counterState(vcpu: X86Vcpu, i: number): CounterState {
  const view = vcpu.pmu.counterView(i);
  const value = valueState(view);
  const gates = gatesOf(vcpu, view);
  return {
    counter: i,
    name: i >= FIXED_BASE ? `fixed ${i - FIXED_BASE}` : `GP ${i}`,
    event: view.event,
    eventName:
      view.event === undefined ? 'not known' : x86EventLabel(view.event, vcpu.pmu.config.vendor),
    ...value,
    ...(value.certainty === 'exact' ? {} : reasonOf(view.reason, view.since)),
    evidence: vcpu.perf.evidence[i]!,
    counting: gates.length === 0,
    gates,
    backing: backingOf(vcpu.perf, i),
  };
}

/** The state of one x86 vCPU as it stands; call `Replayer.advanceTo()` first so that bounds include the time up to now. */
export function x86State(vcpu: X86Vcpu, fact: VcpuFact): VcpuState {
  const { pmu } = vcpu;
  const counters = vcpu.counters.map((i) => counterState(vcpu, i));
  const registers = pmu.registerViews().map((view): RegisterState => {
    const exact = view.unknownBits === 0n;
    return {
      name: view.name,
      value: view.value,
      unknownBits: view.unknownBits,
      certainty: exact ? 'exact' : 'unknown',
      ...(exact ? {} : reasonOf(view.reason, view.since)),
    };
  });
  const selectors = vcpu.counters.filter((i) => i < FIXED_BASE).map((i) => selectorState(vcpu, i));
  return { ...whereabouts(vcpu, fact), registers: [...registers, ...selectors], counters };
}

function selectorState(vcpu: X86Vcpu, i: number): RegisterState {
  const { vendor, perfctrCore } = vcpu.pmu.config;
  const { selector, selectorReason, selectorSince } = vcpu.pmu.counterView(i);
  const counter = counterMsr(i, vendor, perfctrCore);
  const offset =
    vendor === 'intel' ? MsrNumber.evntsel0 - MsrNumber.perfctr0 : perfctrCore ? -1 : -4;
  const exact = selector !== undefined;
  return {
    name: x86MsrName(counter + offset) ?? `selector ${i}`,
    value: BigInt(selector ?? 0),
    unknownBits: exact ? 0n : U64_MAX,
    certainty: exact ? 'exact' : 'unknown',
    ...(exact ? {} : reasonOf(selectorReason, selectorSince)),
  };
}
