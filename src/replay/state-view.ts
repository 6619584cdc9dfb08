import { arm64EventLabel } from '../arch/arm64-events.ts';
import { RegisterSpace } from '../domain/event-kind.ts';
import type { VcpuFact } from '../domain/log-facts.ts';
import { U64_MAX } from '../domain/u64.ts';
import { accessResult } from '../emulator/pmuv3-config.ts';
import type { CounterView } from '../emulator/pmuv3-view.ts';
import { UNCERTAINTY_REASONS } from '../emulator/uncertainty.ts';
import { Residency } from './guest-residency.ts';
import { Backing, COUNTERS, PerfEventState, STATE_UNKNOWN } from './recorded-perf.ts';
import type { VcpuReplay } from './vcpu-replay.ts';

/** How sure a value is: proved, inside an interval, or not known. */
export type Certainty = 'exact' | 'bounded' | 'unknown';

/** A PMU register that is a set of bits or fields. */
export interface RegisterState {
  readonly name: string;
  readonly value: bigint;
  /** Bits of `value` nobody knows (0 there). */
  readonly unknownBits: bigint;
  readonly certainty: Certainty;
  /** Why it is not exact, a stable word, and since which event (0: from the start). */
  readonly reason?: string;
  readonly since?: number;
}

/** The host perf event behind a counter. */
export interface BackingState {
  /** Its address, 0n when no record told. */
  readonly pointer: bigint;
  readonly state: 'active' | 'inactive' | 'off' | 'error' | 'unknown';
  /** Seq of its creation and of the placement that failed, 0 not recorded. */
  readonly createdAt: number;
  readonly placementFailedAt: number;
}

/** One guest counter at an instant. */
export interface CounterState {
  readonly counter: number;
  /** Event number the counter is programmed for; undefined when not known. */
  readonly event: number | undefined;
  readonly eventName: string;
  readonly width: number;
  readonly certainty: Certainty;
  /** The visible value lies in [low, high]; both are its exact value when certainty is `exact`. high < low: it wraps. */
  readonly low: bigint;
  readonly high: bigint;
  /** Proportional to guest residency between the records around; only for bounded values whose next record is known. */
  readonly estimate?: bigint;
  readonly reason?: string;
  readonly since?: number;
  /** The record the value rests on last, 0 none; and the one after the instant that bounds it from above. */
  readonly evidence: number;
  readonly boundedBy?: number;
  readonly counting: boolean;
  /** Why it does not count, the outermost gate first; empty when it counts. */
  readonly gates: readonly string[];
  readonly backing: BackingState | undefined;
}

/** The PMU of one vCPU at an instant, and where its thread is. */
export interface VcpuState {
  readonly vcpu: number;
  readonly slot: number;
  readonly tid: number;
  readonly pcpu: number;
  readonly mode: 'guest' | 'host' | 'unknown';
  /** Seq of the guest-enter it is in the guest since, 0 not recorded. */
  readonly enteredAt: number;
  readonly registers: readonly RegisterState[];
  readonly counters: readonly CounterState[];
}

const PMCEID = [
  ['PMCEID0_EL0', 6],
  ['PMCEID1_EL0', 7],
] as const;

function reasonOf(reason: number, since: number): { reason: string; since: number } {
  return { reason: UNCERTAINTY_REASONS[reason]?.code ?? 'unknown', since: Math.max(0, since) };
}

function gatesOf(vcpu: VcpuReplay, view: CounterView): string[] {
  const gates: string[] = [];
  const { perf } = vcpu;
  const i = view.counter;
  if (view.pmcrE === false) gates.push('PMCR.E is 0');
  else if (view.pmcrE === undefined) gates.push('PMCR.E not known');
  if (view.cntEnable === false) gates.push('PMCNTEN bit is 0');
  else if (view.cntEnable === undefined) gates.push('PMCNTEN bit not known');
  if (gates.length > 0) return gates;
  if (view.hasEvent === false) gates.push('no backing event');
  const failed = perf.placementFailed[i]!;
  if (failed !== 0) gates.push(`event not placed since @${failed}`);
  else if (perf.state[i] === PerfEventState.error) gates.push('event in ERROR');
  return gates;
}

function backingOf(vcpu: VcpuReplay, i: number): BackingState | undefined {
  const { perf } = vcpu;
  if (perf.life[i] === Backing.none) return undefined;
  const states: Readonly<Record<number, BackingState['state']>> = {
    [PerfEventState.active]: 'active',
    [PerfEventState.inactive]: 'inactive',
    [PerfEventState.off]: 'off',
    [PerfEventState.error]: 'error',
    [STATE_UNKNOWN]: 'unknown',
  };
  const known = states[perf.state[i]!] ?? 'unknown';
  return {
    pointer: perf.pointer[i]!,
    state: known === 'unknown' && perf.wanted[i] === 0 ? 'off' : known,
    createdAt: perf.createdAt[i]!,
    placementFailedAt: perf.placementFailed[i]!,
  };
}

function counterState(vcpu: VcpuReplay, i: number): CounterState {
  const view = vcpu.pmu.counterView(i);
  const certainty: Certainty =
    view.span === 0n ? 'exact' : view.span === U64_MAX ? 'unknown' : 'bounded';
  const gates = gatesOf(vcpu, view);
  return {
    counter: i,
    event: view.event,
    eventName: view.event === undefined ? 'not known' : arm64EventLabel(view.event),
    width: view.width,
    certainty,
    low: view.low,
    high: certainty === 'unknown' ? view.low : BigInt.asUintN(view.width, view.low + view.span),
    ...(certainty === 'exact' ? {} : reasonOf(view.reason, view.since)),
    evidence: vcpu.perf.evidence[i]!,
    counting: gates.length === 0,
    gates,
    backing: backingOf(vcpu, i),
  };
}

/** The state of one vCPU as it stands; call `Replayer.advanceTo()` first so that bounds include the time up to now. */
export function vcpuState(vcpu: VcpuReplay, fact: VcpuFact): VcpuState {
  const registers = vcpu.pmu.registerViews().map((view): RegisterState => {
    const exact = view.unknownBits === 0n;
    return {
      name: view.name,
      value: view.value,
      unknownBits: view.unknownBits,
      certainty: exact ? 'exact' : 'unknown',
      ...(exact ? {} : reasonOf(view.reason, view.since)),
    };
  });
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
  const valid = vcpu.validCounters;
  const counters: CounterState[] = [];
  for (let i = 0; i < COUNTERS; i++)
    if (((valid >>> i) & 1) !== 0) counters.push(counterState(vcpu, i));
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
  const mode = vcpu.residency.mode;
  return {
    vcpu: fact.index,
    slot: fact.slot,
    tid: fact.tid,
    pcpu: vcpu.pcpu,
    mode: mode === Residency.guest ? 'guest' : mode === Residency.host ? 'host' : 'unknown',
    enteredAt: mode === Residency.guest ? vcpu.enteredAt : 0,
    registers,
    counters,
  };
}
