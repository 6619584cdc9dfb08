import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { PerfOperations } from '../../emulator/perf-operations.ts';
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

/**
 * What KVM does to the hardware where the guest has the counters itself. At most as often as said: some exits are handled
 * without leaving KVM's inner loop. Undefined: guest entries are not recorded.
 */
export interface HardwareOperations {
  /** The guest's PMU context was loaded into the hardware, saved and taken off it. */
  readonly contextLoads: number | undefined;
  readonly contextPuts: number | undefined;
}

/** One vPMU played under one rule set, beside the recorded one. */
export interface EngineRun {
  readonly name: string;
  /** What it has asked of host perf so far. */
  readonly operations: Readonly<PerfOperations>;
  /** What it has done to the hardware instead; undefined: it is perf that owns the counters. */
  readonly hardware: HardwareOperations | undefined;
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
