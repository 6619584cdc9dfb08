import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, KIND_SPECS, registerSpace } from '../../domain/event-kind.ts';

/** Columns of the SQL table `event`. u64 columns hold the same 64 bits signed: 2^64 − 1 is −1; printf('%u', x) shows them unsigned. */
export const EVENT_COLUMNS = [
  'seq',
  'time',
  'recording',
  'kind',
  'pcpu',
  'vcpu',
  'tid',
  'counter',
  'flags',
  'space',
  'code',
  'object',
  'value',
  'aux0',
  'aux1',
] as const;

/** One event as bound to SQL, in the order of EVENT_COLUMNS. */
export type EventRow = (number | bigint | null)[];

/** Flags under which a `value` of 0 means that there is none. */
const NO_VALUE = EventFlag.noValue | EventFlag.notCounted | EventFlag.notSupported;

/** What a kind has, so that what it has not is NULL. */
const HAS = KIND_SPECS.map((spec) => ({
  register: spec.code === 'register',
  code: spec.code !== undefined,
  signed: spec.code === 'state' || spec.code === 'error',
  object: spec.object !== undefined,
  value: spec.value !== undefined,
  aux0: spec.aux0 !== undefined,
  aux1: spec.aux1 !== undefined,
}));

/** The events of a chunk as rows, one after the other in the same array. */
export function* eventRows(chunk: EventChunk): Generator<EventRow> {
  const { length, seq, kind, flags, code } = chunk;
  const [time, object, value, aux0, aux1] = [
    signed(chunk.time),
    signed(chunk.object),
    signed(chunk.value),
    signed(chunk.aux0),
    signed(chunk.aux1),
  ];
  const row: EventRow = new Array<number | bigint | null>(EVENT_COLUMNS.length).fill(null);
  for (let i = 0; i < length; i++) {
    const has = HAS[kind[i]!]!;
    row[0] = seq[i]!;
    row[1] = time[i]!;
    row[2] = chunk.source[i]!;
    row[3] = kind[i]!;
    row[4] = known(chunk.pcpu[i]!);
    row[5] = known(chunk.vcpu[i]!);
    row[6] = known(chunk.tid[i]!);
    row[7] = known(chunk.counter[i]!);
    row[8] = flags[i]!;
    row[9] = has.register ? registerSpace(flags[i]!) : null;
    row[10] = has.code ? (has.signed ? code[i]! | 0 : code[i]!) : null;
    row[11] = has.object ? object[i]! : null;
    row[12] = has.value && (flags[i]! & NO_VALUE) === 0 ? value[i]! : null;
    row[13] = has.aux0 ? aux0[i]! : null;
    row[14] = has.aux1 ? aux1[i]! : null;
    yield row;
  }
}

/** The same 64 bits as SQLite's integers have them. */
function signed(column: BigUint64Array): BigInt64Array {
  return new BigInt64Array(column.buffer, column.byteOffset, column.length);
}

function known(n: number): number | null {
  return n < 0 ? null : n;
}
