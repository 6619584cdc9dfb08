import { type CompiledRule, Op } from '../compiled-rule.ts';
import type { RawRecord } from '../raw-record.ts';
import type { EventFormat, FormatField } from './event-format.ts';

/** How a field is read. Numbers become u64 in halves; what is signed is extended. */
const Read = {
  u8: 0,
  u16: 1,
  u32: 2,
  u64: 3,
  s8: 4,
  s16: 5,
  s32: 6,
  /** Characters in the record, up to NUL or the end of the field. */
  text: 7,
  /** Characters where the field's u32 says: from the beginning of the record, from the end of the field. */
  dataLoc: 8,
  relLoc: 9,
} as const;
type Read = (typeof Read)[keyof typeof Read];

const UNSIGNED: Readonly<Record<number, Read>> = {
  1: Read.u8,
  2: Read.u16,
  4: Read.u32,
  8: Read.u64,
};
const SIGNED: Readonly<Record<number, Read>> = {
  1: Read.s8,
  2: Read.s16,
  4: Read.s32,
  8: Read.u64,
};

/** One step of the program: field `slot` of RawRecord, at `offset`. */
interface Step {
  readonly slot: number;
  readonly offset: number;
  /** Bytes the record must have for it; of an array without a length, how far it begins. */
  readonly end: number;
  readonly read: Read;
  /** Bytes of a fixed array, 0 to the end of the record. */
  readonly size: number;
}

function isText(field: FormatField): boolean {
  return /\bchar\b/.test(field.type) && (field.array > 0 || field.size === 0);
}

function stepOf(field: FormatField, slot: number, wantsText: boolean): Step | undefined {
  const { offset, size, location } = field;
  const step = { slot, offset, end: offset + size, size };
  if (!wantsText) {
    if (location !== 'here' || field.array > 0) return undefined;
    const read = (field.signed ? SIGNED : UNSIGNED)[size];
    return read === undefined ? undefined : { ...step, read };
  }
  if (location === 'here') return isText(field) ? { ...step, read: Read.text } : undefined;
  if (size !== 4) return undefined;
  return { ...step, read: location === 'data_loc' ? Read.dataLoc : Read.relLoc };
}

/** The field of a mark that holds its text: the last one of characters. */
function markField(format: EventFormat): FormatField | undefined {
  return format.fields.findLast(
    (field) => !field.name.startsWith('common_') && (isText(field) || field.location !== 'here'),
  );
}

/** Reads the fields one rule asks for out of the records of one tracepoint, by its format file. */
export class RecordDecoder {
  /** The text of the record is the name of the event: it is in field 0. */
  readonly isMark: boolean;
  /** A step in one number: slot | read << 5 | offset << 9. */
  private readonly program: Int32Array;
  /** By step, what is rarely asked. */
  private readonly ends: Int32Array;
  private readonly sizes: Int32Array;
  /** Bytes a record must have to have all fields. */
  private readonly need: number;
  private bytes: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);

  private constructor(steps: readonly Step[], isMark: boolean) {
    this.isMark = isMark;
    this.program = Int32Array.from(
      steps,
      ({ slot, offset, read }) => slot | (read << 5) | (offset << 9),
    );
    this.ends = Int32Array.from(steps, ({ end }) => end);
    this.sizes = Int32Array.from(steps, ({ size }) => size);
    this.need = steps.reduce((most, { end }) => Math.max(most, end), 0);
  }

  /** The decoder for this tracepoint and rule; undefined if the rule needs nothing the format has. */
  static of(format: EventFormat, rule: CompiledRule): RecordDecoder | undefined {
    if (rule.rule.payloadIsName) {
      const field = markField(format);
      const step = field && stepOf(field, 0, true);
      return new RecordDecoder(step === undefined ? [] : [step], true);
    }
    const steps: Step[] = [];
    rule.fields.forEach((name, slot) => {
      const op = rule.ops[slot]!;
      if (op === Op.none) return;
      const field = format.fields.find((candidate) => candidate.name === name);
      const step = field && stepOf(field, slot, op === Op.name);
      if (step !== undefined) steps.push(step);
    });
    return steps.length === 0 ? undefined : new RecordDecoder(steps, false);
  }

  /** Fills `record` from bytes[start, end), common_type first. What is not in there is not present. */
  read(bytes: Uint8Array, start: number, end: number, record: RawRecord): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    record.bytes = bytes;
    const { program, view } = this;
    const { low, high } = record;
    const length = end - start;
    const whole = length >= this.need;
    let present = 0;
    for (let k = 0; k < program.length; k++) {
      if (!whole && this.ends[k]! > length) continue;
      const step = program[k]!;
      const slot = step & 31;
      const p = start + (step >> 9);
      switch ((step >> 5) & 15) {
        case Read.u64:
          low[slot] = view.getUint32(p, true);
          high[slot] = view.getUint32(p + 4, true);
          break;
        case Read.u32:
          low[slot] = view.getUint32(p, true);
          high[slot] = 0;
          break;
        case Read.s32: {
          const value = view.getInt32(p, true);
          low[slot] = value;
          high[slot] = value >> 31;
          break;
        }
        case Read.u8:
          low[slot] = bytes[p]!;
          high[slot] = 0;
          break;
        case Read.u16:
          low[slot] = view.getUint16(p, true);
          high[slot] = 0;
          break;
        case Read.s8: {
          const value = view.getInt8(p);
          low[slot] = value;
          high[slot] = value >> 31;
          break;
        }
        case Read.s16: {
          const value = view.getInt16(p, true);
          low[slot] = value;
          high[slot] = value >> 31;
          break;
        }
        default:
          if (!this.text(k, p, start, end, record)) continue;
      }
      present |= 1 << slot;
    }
    record.present = present;
  }

  /** A text field: from where to where it is; false if that is not within the record. */
  private text(k: number, at: number, start: number, end: number, record: RawRecord): boolean {
    const { bytes } = this;
    const slot = this.program[k]! & 31;
    const read = (this.program[k]! >> 5) & 15;
    const size = this.sizes[k]!;
    let from = at;
    let limit = size === 0 ? end : at + size;
    if (read !== Read.text) {
      const where = this.view.getUint32(at, true);
      from = (read === Read.dataLoc ? start : at + 4) + (where & 0xffff);
      limit = from + (where >>> 16);
      if (limit > end) return false;
    }
    let stop = from;
    while (stop < limit && bytes[stop] !== 0) stop++;
    record.start[slot] = from;
    record.end[slot] = stop;
    return true;
  }
}
