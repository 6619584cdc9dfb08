/** Most fields one rule may name. */
export const MAX_FIELDS = 31;
/** Numbers of fields no record has: what is looked for in vain is read as 0, or as all bits set, without a question. */
export const ZERO_FIELD: number = MAX_FIELDS + 1;
export const ONES_FIELD: number = MAX_FIELDS + 2;
const SLOTS = MAX_FIELDS + 3;

/**
 * The fields of one record, by the field numbers of its rule, before they become columns. Text and binary decoders
 * fill it; RecordMapper reads it. Numbers are u64 in halves, negative ones in two's
 * complement; the halves are kept as signed numbers, which a compiler need not ask whether they are small.
 */
export class RawRecord {
  readonly low = new Int32Array(SLOTS);
  readonly high = new Int32Array(SLOTS);
  /** Bit n: field n was in the record. */
  present = 0;
  /** A text field (a task name): where it is in `bytes`. */
  readonly start = new Int32Array(SLOTS);
  readonly end = new Int32Array(SLOTS);
  bytes: Uint8Array = new Uint8Array(0);

  // What every record has, whatever its fields.
  /** Time in ns: low half, high half. */
  readonly time = new Int32Array(2);
  tid = -1;
  /** Process of the thread, −1 unknown. */
  pid = -1;
  pcpu = -1;
  /** Name of the thread that made the record: comm[commStart, commEnd). Empty: not known. */
  comm: Uint8Array = this.bytes;
  /** The bytes of `comm` never change: what was taken from there once need not be looked at again. */
  commStays = false;
  commStart = 0;
  commEnd = 0;

  constructor() {
    this.low[ONES_FIELD] = -1;
    this.high[ONES_FIELD] = -1;
  }
}
