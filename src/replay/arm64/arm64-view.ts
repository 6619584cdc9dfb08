import { arm64EventLabel } from '../../arch/arm64-events.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import { accessResult } from '../../emulator/pmuv3-config.ts';
import type { GateView } from '../../emulator/pmuv3-view.ts';
import {
  type CounterGates,
  type CounterState,
  counterFacts,
  placementGates,
  reasonOf,
  registerState,
  type VcpuState,
  whereabouts,
} from '../state-view.ts';
import type { Arm64Vcpu } from './arm64-vcpu.ts';

const PMCEID = [
  ['PMCEID0_EL0', 6],
  ['PMCEID1_EL0', 7],
] as const;

function gatesOf(vcpu: Arm64Vcpu, view: GateView): string[] {
  const gates: string[] = [];
  const { perf } = vcpu;
  const i = view.counter;
  if (view.pmcrE === false) gates.push('PMCR.E is 0');
  else if (view.pmcrE === undefined) gates.push('PMCR.E not known');
  if (view.cntEnable === false) gates.push('PMCNTEN bit is 0');
  else if (view.cntEnable === undefined) gates.push('PMCNTEN bit not known');
  if (gates.length > 0) return gates;
  if (view.hasEvent === false) gates.push('no backing event');
  return placementGates(perf, i, gates);
}

/** What counter `i` is programmed for, and its gates. */
export function counterGates(vcpu: Arm64Vcpu, i: number): CounterGates {
  const view = vcpu.pmu.gateView(i);
  const gates = gatesOf(vcpu, view);
  const { event, width } = view;
  return { counter: i, event, width, counting: gates.length === 0, gates };
}

/** One counter as it stands. */
export function counterState(vcpu: Arm64Vcpu, i: number): CounterState {
  const view = vcpu.pmu.counterView(i);
  return {
    counter: i,
    name: `${i}`,
    event: view.event,
    eventName: view.event === undefined ? 'not known' : arm64EventLabel(view.event),
    ...counterFacts(vcpu.perf, view, i, gatesOf(vcpu, view)),
  };
}

/** The state of one vCPU as it stands; call `Replayer.advanceTo()` first so that bounds include the time up to now. */
export function arm64State(vcpu: Arm64Vcpu, fact: VcpuFact): VcpuState {
  const registers = vcpu.pmu.registerViews().map(registerState);
  const out = accessResult();
  for (const [name, op2] of PMCEID) {
    vcpu.pmu.read((3 << 14) | (3 << 11) | (9 << 7) | (12 << 3) | op2, RegisterSpace.sysreg, 1, out);
    const exact = out.unknownBits === 0n;
    registers.push({
      name,
      value: out.low,
      unknownBits: out.unknownBits,
      certainty: exact ? 'exact' : 'unknown',
      ...(exact ? {} : { reason: 'initial-state-not-recorded', since: 0 }),
    });
  }
  const counters = vcpu.counters.map((i) => counterState(vcpu, i));
  for (const counter of counters) {
    const view = vcpu.pmu.counterView(counter.counter);
    const exact = view.typeUnknownBits === 0;
    registers.push({
      name: counter.counter === 31 ? 'PMCCFILTR_EL0' : `PMEVTYPER${counter.counter}_EL0`,
      value: BigInt(view.type >>> 0),
      unknownBits: BigInt(view.typeUnknownBits >>> 0),
      certainty: exact ? 'exact' : 'unknown',
      ...(exact ? {} : reasonOf(view.typeReason, view.typeSince)),
    });
  }
  return { ...whereabouts(vcpu, fact), registers, counters };
}
