import type { VcpuFact } from '../domain/log-facts.ts';
import { U64_MAX } from '../domain/u64.ts';
import { UNCERTAINTY_REASONS } from '../emulator/uncertainty.ts';
import { Residency } from './guest-residency.ts';
import { Backing, PerfEventState, type RecordedPerf, STATE_UNKNOWN } from './recorded-perf.ts';
import type { CounterValue, VcpuReplay } from './vcpu-replay.ts';

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
  /** What people call it: `3`, `GP 3`, `fixed 1`. */
  readonly name: string;
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

/** What a counter is programmed for, and what keeps it from counting. */
export type CounterGates = Pick<CounterState, 'counter' | 'event' | 'width' | 'counting' | 'gates'>;

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

/** `reason` and `since` members for an uncertainty of the emulator. */
export function reasonOf(reason: number, since: number): { reason: string; since: number } {
  return { reason: UNCERTAINTY_REASONS[reason]?.code ?? 'unknown', since: Math.max(0, since) };
}

/** Adds to `gates` why perf does not count for counter `i` although KVM wants it to. */
export function placementGates(perf: RecordedPerf, i: number, gates: string[]): string[] {
  const failed = perf.placementFailed[i]!;
  if (failed !== 0) gates.push(`event not placed since @${failed}`);
  else if (perf.state[i] === PerfEventState.error) gates.push('event in ERROR');
  return gates;
}

const STATE_WORDS: Readonly<Record<number, BackingState['state']>> = {
  [PerfEventState.active]: 'active',
  [PerfEventState.inactive]: 'inactive',
  [PerfEventState.off]: 'off',
  [PerfEventState.error]: 'error',
  [STATE_UNKNOWN]: 'unknown',
};

/** The host event behind counter `i` as the records show it. */
export function backingOf(perf: RecordedPerf, i: number): BackingState | undefined {
  if (perf.life[i] === Backing.none) return undefined;
  const known = STATE_WORDS[perf.state[i]!] ?? 'unknown';
  return {
    pointer: perf.pointer[i]!,
    state: known === 'unknown' && perf.wanted[i] === 0 ? 'off' : known,
    createdAt: perf.createdAt[i]!,
    placementFailedAt: perf.placementFailed[i]!,
  };
}

/** The bounds of a counter's value with how sure they are. */
export function valueState(
  value: CounterValue,
): Pick<CounterState, 'width' | 'certainty' | 'low' | 'high'> {
  const { low, span, width } = value;
  const certainty: Certainty = span === 0n ? 'exact' : span === U64_MAX ? 'unknown' : 'bounded';
  const high = certainty === 'unknown' ? low : BigInt.asUintN(width, low + span);
  return { width, certainty, low, high };
}

/** Where the vCPU's thread is: the part of the state that is the same on every architecture. */
export function whereabouts(
  vcpu: VcpuReplay,
  fact: VcpuFact,
): Omit<VcpuState, 'registers' | 'counters'> {
  const mode = vcpu.residency.mode;
  return {
    vcpu: fact.index,
    slot: fact.slot,
    tid: fact.tid,
    pcpu: vcpu.pcpu,
    mode: mode === Residency.guest ? 'guest' : mode === Residency.host ? 'host' : 'unknown',
    enteredAt: mode === Residency.guest ? vcpu.enteredAt : 0,
  };
}

/** A plain register of the emulator as a person looks at it. */
export function registerState(view: {
  readonly name: string;
  readonly value: bigint;
  readonly unknownBits: bigint;
  readonly reason: number;
  readonly since: number;
}): RegisterState {
  const exact = view.unknownBits === 0n;
  return {
    name: view.name,
    value: view.value,
    unknownBits: view.unknownBits,
    certainty: exact ? 'exact' : 'unknown',
    ...(exact ? {} : reasonOf(view.reason, view.since)),
  };
}

/** What is the same of every counter: its value, the record it rests on, why it does not count, the event behind it. */
export function counterFacts(
  perf: RecordedPerf,
  view: CounterValue & { readonly reason: number; readonly since: number },
  counter: number,
  gates: readonly string[],
): Omit<CounterState, 'counter' | 'name' | 'event' | 'eventName'> {
  const value = valueState(view);
  return {
    ...value,
    ...(value.certainty === 'exact' ? {} : reasonOf(view.reason, view.since)),
    evidence: perf.evidence[counter]!,
    counting: gates.length === 0,
    gates,
    backing: backingOf(perf, counter),
  };
}
