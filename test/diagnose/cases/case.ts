import type { CauseCode } from '../../../src/diagnose/causes/catalogue.ts';
import type { RecordingNeed } from '../../../src/diagnose/causes/cause.ts';
import type { RecordingFacts } from '../../../src/domain/log-facts.ts';

/** A cause a case must come out with. */
export interface ExpectedCause {
  readonly code: CauseCode;
  readonly grade: 'proven' | 'consistent';
  /** Its part of guest − host: exact, an interval, or null where it moves no counts. */
  readonly amount: bigint | readonly [low: bigint, high: bigint] | null;
}

/**
 * One known discrepancy as a drawn trace (test/drawn-trace.ts) with what diagnosis must say of it, and of the same trace
 * without its decisive records. test/diagnose/cases.test.ts runs all of them.
 */
export interface DiscrepancyCase {
  /** `A06`: section and number in the collection of known cases. */
  readonly id: string;
  readonly title: string;
  readonly drawing: string;
  /** The host's recording: kernel release, architecture, CPU, … */
  readonly recording?: Partial<RecordingFacts>;
  /** Rule set by name; the default is that of the recording's kernel. */
  readonly rules?: string;
  /** The guest's perf stat (lines `report`). */
  readonly guestRecording?: Partial<RecordingFacts>;
  /** The window the case is about: that of this counter with the most guest time. Left out: the whole log is. */
  readonly counter?: number;
  readonly vcpu?: number;
  /** guest − host of that window, and what is left of it; left out: not compared. */
  readonly difference?: bigint;
  readonly unexplained?: bigint;
  /** Every cause that is found (proven or consistent) there, and no other. */
  readonly expected: readonly ExpectedCause[];
  /** Causes that must be looked for and excluded, or be undecidable. */
  readonly excluded?: readonly CauseCode[];
  readonly undecidable?: readonly CauseCode[];
  /** Lines of the drawing that are the decisive evidence; null: it is a fact. Without them nothing of `own` is proven. */
  readonly decisive: RegExp | null;
  /** Stands for `recording` in that run, where the decisive evidence is one of its facts. */
  readonly decisiveRecording?: Partial<RecordingFacts>;
  /** What is left of a decisive line in that run, where it is not all of it (a record without its value). */
  readonly instead?: (line: string) => string;
  /** Stands for `guestRecording` in that run. */
  readonly decisiveGuest?: Partial<RecordingFacts>;
  /** The codes the case is about; the default is every expected proven one. */
  readonly own?: readonly CauseCode[];
  /** What diagnosis says is missing then, by own code; empty only with the reason in `nothingToName`. */
  readonly missing: readonly RecordingNeed[];
  /** Why no recording can be named. */
  readonly nothingToName?: string;
  /** The line before which a lost-record event is put; the default is the last one. It must be inside the window. */
  readonly lostBefore?: RegExp;
}
