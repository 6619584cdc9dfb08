import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { x86EventLabel } from '../../arch/x86-events.ts';
import { counterMsr, MsrNumber, x86MsrName } from '../../arch/x86-msrs.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { X86GateView } from '../../emulator/x86/x86-view.ts';
import {
  type CounterGates,
  type CounterState,
  counterFacts,
  placementGates,
  type RegisterState,
  reasonOf,
  registerState,
  type VcpuState,
  whereabouts,
} from '../state-view.ts';
import type { X86Vcpu } from './x86-vcpu.ts';

function gatesOf(vcpu: X86Vcpu, view: X86GateView): string[] {
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
  return placementGates(vcpu.perf, view.counter, gates);
}

/** What counter `i` is programmed for, and its gates. */
export function counterGates(vcpu: X86Vcpu, i: number): CounterGates {
  const view = vcpu.pmu.gateView(i);
  const gates = gatesOf(vcpu, view);
  const { event, width } = view;
  return { counter: i, event, width, counting: gates.length === 0, gates };
}

/** One counter as it stands. */
export function counterState(vcpu: X86Vcpu, i: number): CounterState {
  const view = vcpu.pmu.counterView(i);
  return {
    counter: i,
    name: i >= FIXED_BASE ? `fixed ${i - FIXED_BASE}` : `GP ${i}`,
    event: view.event,
    eventName:
      view.event === undefined ? 'not known' : x86EventLabel(view.event, vcpu.pmu.config.vendor),
    ...counterFacts(vcpu.perf, view, i, gatesOf(vcpu, view)),
  };
}

/** The state of one x86 vCPU as it stands; call `Replayer.advanceTo()` first so that bounds include the time up to now. */
export function x86State(vcpu: X86Vcpu, fact: VcpuFact): VcpuState {
  const { pmu } = vcpu;
  const counters = vcpu.counters.map((i) => counterState(vcpu, i));
  const registers = pmu.registerViews().map(registerState);
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
