import type { VcpuFact } from '../domain/log-facts.ts';
import type { GuestResidency } from './guest-residency.ts';
import type { ReplayTallies } from './observation.ts';
import type { RecordedPerf } from './recorded-perf.ts';
import type { CounterGates, CounterState, VcpuState } from './state-view.ts';

/** A counter's visible value: in [low, low + span] modulo 2^width; span U64_MAX means unknown. */
export interface CounterValue {
  readonly low: bigint;
  readonly span: bigint;
  readonly width: number;
}

/** What decides about a counter's overflow; undefined where it is not known. */
export interface CounterSwitches {
  /** The guest wants an interrupt for its overflow. */
  readonly interruptEnable: boolean | undefined;
  /** Bits after which it overflows: on arm64 not always its width. */
  readonly overflowBits: number | undefined;
  /** Its overflow status bit. */
  readonly overflowStatus: boolean | undefined;
}

/** One vCPU while it is replayed, whatever its architecture: what looks at a replay needs no more. */
export interface VcpuReplay {
  readonly slot: number;
  readonly perf: RecordedPerf;
  readonly residency: GuestResidency;
  readonly tallies: ReplayTallies;
  /** Physical CPU the thread was last seen on, −1 unknown. */
  pcpu: number;
  /** Seq of the last guest-enter, 0 none. */
  enteredAt: number;
  /** Numbers of the counters that exist, lowest first. */
  readonly counters: readonly number[];
  counterValue(counter: number): CounterValue;
  /** One counter as a person looks at it. */
  counterState(counter: number): CounterState;
  /** What it is programmed for and whether it counts: the part of its state that is cheap to ask for often. */
  counterGates(counter: number): CounterGates;
  counterSwitches(counter: number): CounterSwitches;
  /** Level of the PMU's interrupt line (arm64); undefined where it is not known, or there is no line. */
  readonly interruptLine: number | undefined;
  /** Tells all parts which event is applied and how much guest time is behind it; call before anything else. */
  at(seq: number, now: number): void;
  scheduledOut(now: number): void;
  scheduledIn(now: number): void;
  /** Records were lost: nothing is known until records tell again. */
  forget(now: number): void;
  /** Everything a person can look at. */
  state(fact: VcpuFact): VcpuState;
  /** The whole state as one buffer, and back. */
  snapshot(): Uint8Array;
  restore(bytes: Uint8Array): void;
}
