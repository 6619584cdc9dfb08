/** Guest reads by how their prediction came out, as `vpmu check` counts them. */
export interface SliceReads {
  readonly total: number;
  readonly confirmed: number;
  readonly bounded: number;
  readonly unknown: number;
  readonly contradicted: number;
}

/** How a slice was cut from a log, and what checking it gave then. */
export interface SliceFacts {
  /** What cut it: `vpmu 0.1.0`. */
  readonly tool: string;
  /** `head` of the log it was cut from: names its content. */
  readonly source: string;
  /** First and last event in that log, and their effective times (ns). */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly fromTime: string;
  readonly toTime: string;
  /** The first so many events of the slice re-create the state at its start; they stand for what lies before it. */
  readonly preamble: number;
  /** `state`: they are made from the state; `history`: they are the earlier events that a replay needs. */
  readonly form: 'state' | 'history';
  readonly ruleSet: string;
  /** All guest reads of the slice, and those of counters. */
  readonly guestReads: SliceReads;
  readonly counterReads: SliceReads;
}

/** The members of SliceReads in the order they are written. */
export const SLICE_READS = ['total', 'confirmed', 'bounded', 'unknown', 'contradicted'] as const;

/** A log keeps slice facts as text among the facts of a recording. */
export function sliceText(facts: SliceFacts): string {
  return JSON.stringify(facts);
}

/** The slice that a log's recordings carry; undefined for whole recordings. */
export function sliceOfRecordings(
  recordings: readonly { readonly facts: { readonly slice?: string } }[],
): SliceFacts | undefined {
  const text = recordings.find(({ facts }) => facts.slice !== undefined)?.facts.slice;
  // A log holds only what the check of the header let in.
  return text === undefined ? undefined : (JSON.parse(text) as SliceFacts);
}
