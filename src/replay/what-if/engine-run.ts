import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { PerfOperations } from './counterfactual-perf.ts';
import type { Shown } from './shown.ts';

/** A counter as one rule set would have left it. */
export interface EngineCounter {
  /** Lies in [low, low + span] modulo 2^width; span U64_MAX: unknown. */
  readonly low: bigint;
  readonly span: bigint;
  readonly width: number;
  /** Why it is not exact, a stable word, and since which event (0: from the start); empty when it is. */
  readonly reason: string;
  readonly since: number;
}

/** One vPMU played under one rule set, beside the recorded one. */
export interface EngineRun {
  readonly name: string;
  /** What it has asked of host perf so far. */
  readonly operations: Readonly<PerfOperations>;
  /** What the present guest access came to; undefined before the first. */
  shown: Shown | undefined;
  counter(counter: number): EngineCounter;
}

/** One guest access to a PMU register as every rule set answered it. */
export interface GuestAccess {
  readonly seq: number;
  readonly code: number;
  readonly space: RegisterSpace;
  readonly write: boolean;
  /** Counter index of a counter access, −1 for any other register. */
  readonly counter: number;
  /** What the recording says it came to; undefined: it does not tell. */
  readonly recorded: Shown | undefined;
}

/** The vPMUs of one vCPU that are played beside the recorded one. */
export interface VcpuRuns {
  readonly slot: number;
  readonly runs: readonly EngineRun[];
  /** The recorded host refused to create this event. */
  refuse(event: number): void;
  /** After each event: what the recorded backing events do from now on. */
  settle(): void;
}
