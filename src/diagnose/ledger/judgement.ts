import type { CauseCode } from '../causes/catalogue.ts';
import type { RecordingNeed } from '../causes/cause.ts';
import type { Amount } from './amount.ts';

/**
 * How far a cause is settled: `proven` (what proves it is recorded), `consistent` (what it needs is recorded, nothing
 * rules it out), `excluded` (something rules it out), `undecidable` (a record it needs is missing).
 */
export type Grade = 'proven' | 'consistent' | 'excluded' | 'undecidable';

/** Something that stands behind a finding: one step further in the chain of causes, or one record of it. */
export interface Reason {
  readonly code: CauseCode;
  readonly text: string;
  readonly evidence: readonly number[];
}

/** A cause that is at work. */
export interface Finding {
  readonly grade: 'proven' | 'consistent';
  readonly code: CauseCode;
  /** Its part of the difference guest − host; null when it moves no counts. */
  readonly amount: Amount | null;
  /** The proof is an equality of whole numbers: it does not hold where records were lost. */
  readonly integerProof: boolean;
  /** What happened here, one sentence. */
  readonly text: string;
  /** Sequence numbers of the records it rests on. */
  readonly evidence: readonly number[];
  readonly because: readonly Reason[];
  /** Of a consistent one: the records that would prove it or rule it out. */
  readonly missing: readonly RecordingNeed[];
}

/** A cause that was looked for and is ruled out. */
export interface Exclusion {
  readonly grade: 'excluded';
  readonly code: CauseCode;
  readonly text: string;
  readonly evidence: readonly number[];
}

/** A cause that fits what is seen, and cannot be decided. */
export interface Undecided {
  readonly grade: 'undecidable';
  readonly code: CauseCode;
  readonly text: string;
  /** The records that would decide. */
  readonly missing: readonly RecordingNeed[];
  readonly evidence: readonly number[];
}

export type Judgement = Finding | Exclusion | Undecided;

export function isFinding(judgement: Judgement): judgement is Finding {
  return judgement.grade === 'proven' || judgement.grade === 'consistent';
}
