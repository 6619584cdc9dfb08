/** Most fields one rule may name. */
export const MAX_FIELDS = 31;

/**
 * The fields of one record, by the field numbers of its rule, before they become columns. Text and binary decoders
 * fill it; RecordMapper reads it. Numbers are u64 in halves, negative ones in two's complement.
 */
export class RawRecord {
  readonly low = new Uint32Array(MAX_FIELDS + 1);
  readonly high = new Uint32Array(MAX_FIELDS + 1);
  /** Bit n: field n was in the record. */
  present = 0;
  /** A text field (a task name): where it is in `bytes`. */
  readonly start = new Int32Array(MAX_FIELDS + 1);
  readonly end = new Int32Array(MAX_FIELDS + 1);
  bytes: Uint8Array = new Uint8Array(0);

  // What every record has, whatever its fields.
  /** Time in ns: low half, high half. */
  readonly time = new Uint32Array(2);
  tid = -1;
  /** Process of the thread, −1 unknown. */
  pid = -1;
  pcpu = -1;
  /** Name of the thread that made the record: comm[commStart, commEnd). Empty: not known. */
  comm: Uint8Array = this.bytes;
  commStart = 0;
  commEnd = 0;
}
