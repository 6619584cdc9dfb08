import type { CompiledRule } from '../compiled-rule.ts';
import { Op } from '../field-op.ts';
import type { RawRecord } from '../raw-record.ts';
import type { EventFormat, FormatField } from './event-format.ts';

/** Bytes of a record that there must be to read a number of it: a word is read whatever the number's size. */
const WORD = 4;
/** Numbers a step takes in the program. */
const STEP = 8;

/** A number in the record: field `slot` of RawRecord becomes `size` bytes at `offset`. */
interface NumberStep {
  readonly slot: number;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

/** Characters in the record. */
interface TextStep {
  readonly slot: number;
  readonly offset: number;
  /** Bytes the record must have for it; of an array without a length, how far it begins. */
  readonly end: number;
  /**
   * Where they are: up to NUL or the end of the field; or where the field's u32 says, counted from the beginning of the
   * record or from the end of the field.
   */
  readonly location: FormatField['location'];
  /** Bytes of a fixed array, 0 to the end of the record. */
  readonly size: number;
}

function isText(field: FormatField): boolean {
  return /\bchar\b/.test(field.type) && (field.array > 0 || field.size === 0);
}

function numberStep(field: FormatField, slot: number): NumberStep | undefined {
  const { offset, size, location, array, signed } = field;
  if (location !== 'here' || array > 0 || ![1, 2, 4, 8].includes(size)) return undefined;
  return { slot, offset, size, signed };
}

function textStep(field: FormatField, slot: number): TextStep | undefined {
  const { offset, size, location } = field;
  if (location === 'here' ? !isText(field) : size !== 4) return undefined;
  return { slot, offset, end: offset + size, location, size };
}

/** The field of a mark that holds its text: the last one of characters. */
function markField(format: EventFormat): FormatField | undefined {
  return format.fields.findLast(
    (field) => !field.name.startsWith('common_') && (isText(field) || field.location !== 'here'),
  );
}

/** Bytes a record must have for a number. */
function needOf({ offset, size }: NumberStep): number {
  return Math.max(WORD, offset + size);
}

/**
 * How a number is got without asking for its size: a word is shifted up and down again and masked, and a second one,
 * which is the first again where there is none, gives the high half. No word goes beyond the number's end, and none
 * begins before the record.
 */
function program(steps: readonly NumberStep[]): Int32Array {
  return Int32Array.from(
    steps.flatMap(({ slot, offset, size, signed }) => {
      if (size === 8) return [slot, offset, offset + WORD, 0, 0, -1, -1, 0];
      const at = Math.max(0, offset + size - WORD);
      const above = 32 - 8 * (offset + size - at);
      const mask = signed || size === WORD ? -1 : 2 ** (8 * size) - 1;
      return [slot, at, at, above, 32 - 8 * size, mask, 0, signed ? -1 : 0];
    }),
  );
}

/** Reads the fields one rule asks for out of the records of one tracepoint, by its format file. */
export class RecordDecoder {
  /** The text of the record is the name of the event: it is in field 0. */
  readonly isMark: boolean;
  private readonly numbers: readonly NumberStep[];
  private readonly texts: readonly TextStep[];
  /** For records that have all numbers: see program(). */
  private readonly whole: Int32Array;
  /** The fields these are, and the bytes a record must have to have them. */
  private readonly present: number;
  private readonly need: number;
  private bytes: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);

  private constructor(numbers: readonly NumberStep[], texts: readonly TextStep[], isMark: boolean) {
    this.isMark = isMark;
    this.numbers = numbers;
    this.texts = texts;
    this.whole = program(numbers);
    this.present = maskOf(numbers);
    this.need = numbers.reduce((most, step) => Math.max(most, needOf(step)), 0);
  }

  /** The decoder for this tracepoint and rule; undefined if the rule needs nothing the format has. */
  static of(format: EventFormat, rule: CompiledRule): RecordDecoder | undefined {
    if (rule.rule.payloadIsName) {
      const field = markField(format);
      const step = field && textStep(field, 0);
      return new RecordDecoder([], step === undefined ? [] : [step], true);
    }
    const numbers: NumberStep[] = [];
    const texts: TextStep[] = [];
    rule.fields.forEach((name, slot) => {
      const op = rule.ops[slot]!;
      const field = format.fields.find((candidate) => candidate.name === name);
      if (op === Op.none || field === undefined) return;
      if (op === Op.name) {
        const step = textStep(field, slot);
        if (step !== undefined) texts.push(step);
      } else {
        const step = numberStep(field, slot);
        if (step !== undefined) numbers.push(step);
      }
    });
    if (numbers.length + texts.length === 0) return undefined;
    return new RecordDecoder(numbers, texts, false);
  }

  /** Fills `record` from bytes[start, end), common_type first. What is not in there is not present. */
  read(bytes: Uint8Array, start: number, end: number, record: RawRecord): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    record.bytes = bytes;
    let steps = this.whole;
    let present = this.present;
    if (end - start < this.need) {
      const there = this.numbersWithin(end - start);
      steps = program(there);
      present = maskOf(there);
    }
    const { view } = this;
    const { low, high } = record;
    for (let k = 0; k < steps.length; k += STEP) {
      const slot = steps[k]!;
      const word = view.getInt32(start + steps[k + 1]!, true);
      const other = view.getInt32(start + steps[k + 2]!, true);
      const value = (word << steps[k + 3]!) >> steps[k + 4]!;
      low[slot] = value & steps[k + 5]!;
      high[slot] = (other & steps[k + 6]!) | ((value >> 31) & steps[k + 7]!);
    }
    record.present =
      this.texts.length === 0 ? present : present | this.readTexts(start, end, record);
  }

  private numbersWithin(length: number): NumberStep[] {
    return this.numbers.filter((step) => needOf(step) <= length);
  }

  /** Reads the fields of characters: which there are, bits as in RawRecord. */
  private readTexts(start: number, end: number, record: RawRecord): number {
    let present = 0;
    for (const step of this.texts) {
      if (this.text(step, start, end, record)) present |= 1 << step.slot;
    }
    return present;
  }

  /** A text field: from where to where it is; false if that is not within the record. */
  private text(step: TextStep, start: number, end: number, record: RawRecord): boolean {
    const { slot, size, location } = step;
    if (start + step.end > end) return false;
    const { bytes } = this;
    let from = start + step.offset;
    let limit = size === 0 ? end : from + size;
    if (location !== 'here') {
      const where = this.view.getUint32(from, true);
      from = (location === 'data_loc' ? start : from + 4) + (where & 0xffff);
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

function maskOf(steps: readonly { readonly slot: number }[]): number {
  return steps.reduce((mask, { slot }) => mask | (1 << slot), 0);
}
