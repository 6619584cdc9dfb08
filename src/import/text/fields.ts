import { TaskState } from '../../arch/tracepoints.ts';
import { bytesOf } from '../byte-table.ts';
import type { CompiledRule } from '../compiled-rule.ts';
import { Op } from '../field-op.ts';
import type { RawRecord } from '../raw-record.ts';
import { parseNumber } from './number.ts';

const SPACE = 0x20;
const PARENTHESIS = 0x28;
const CLOSED = 0x29;

/** Task state letters of the kernel, by byte. */
const STATE_BITS = new Uint16Array(256);
for (const [letter, bit] of Object.entries(TaskState)) {
  if (letter.length === 1) STATE_BITS[letter.charCodeAt(0)] = bit;
}

/** `S`, `R+`, `D|K` as TaskState bits into low[slot]; returns the position after them, −1 if there are none. */
export function parseTaskState(
  bytes: Uint8Array,
  from: number,
  end: number,
  record: RawRecord,
  slot: number,
): number {
  let p = from;
  let state = 0;
  for (; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === 0x2b) state |= TaskState.preempted;
    else if (byte !== 0x7c && (byte < 0x41 || byte > 0x7a)) break;
    else state |= STATE_BITS[byte]!;
  }
  if (p === from) return -1;
  record.low[slot] = state;
  record.high[slot] = 0;
  return p;
}

/** Reads `field=value` payloads of one rule: kprobe events, raw output, most TP_printk texts. */
export class FieldReader {
  private readonly rule: CompiledRule;
  /** `name=` of every field that goes somewhere. */
  private readonly keys: Uint8Array[] = [];
  private readonly slots: number[] = [];
  /** 1 for bytes some key begins with. */
  private readonly firsts = new Uint8Array(256);
  private readonly all: number;

  constructor(rule: CompiledRule) {
    this.rule = rule;
    rule.fields.forEach((field, n) => {
      if (rule.ops[n] === Op.none || rule.ops[n] === Op.name) return;
      this.keys.push(bytesOf(`${field}=`));
      this.slots.push(n);
      this.firsts[field.charCodeAt(0)] = 1;
    });
    this.all = this.slots.reduce((mask, slot) => mask | (1 << slot), 0);
  }

  /**
   * Fields found in bytes[from, end), with their bits in record.present. A value that is no number (or not only a
   * number) leaves its field out; other words are passed over.
   */
  read(bytes: Uint8Array, from: number, end: number, record: RawRecord): void {
    const { keys, slots, firsts, all } = this;
    const count = keys.length;
    let expected = 0;
    let p = from;
    // A probe's addresses: (ffff800080090ae0 <- ffff80008006d33c).
    if (bytes[p] === PARENTHESIS) while (p < end && bytes[p] !== CLOSED) p++;
    while (p < end && record.present !== all) {
      const first = bytes[p]!;
      if (first === SPACE) {
        p++;
        continue;
      }
      if (firsts[first] === 1) {
        // Fields come in the order of the rule nearly always: try the next one first.
        for (let tried = 0, k = expected; tried < count; tried++) {
          const key = keys[k]!;
          const length = key.length;
          let c = 0;
          while (c < length && bytes[p + c] === key[c]) c++;
          if (c === length && p + length <= end) {
            p += length;
            const after = this.value(bytes, p, end, record, slots[k]!);
            if (after >= 0) p = after;
            expected = k + 1 === count ? 0 : k + 1;
            break;
          }
          if (++k === count) k = 0;
        }
      }
      while (p < end && bytes[p] !== SPACE) p++;
    }
  }

  private value(
    bytes: Uint8Array,
    from: number,
    end: number,
    record: RawRecord,
    slot: number,
  ): number {
    const after =
      this.rule.ops[slot] === Op.taskState && bytes[from]! > 0x39
        ? parseTaskState(bytes, from, end, record, slot)
        : parseNumber(bytes, from, end, record.low, record.high, slot);
    if (after < 0) return -1;
    if (after < end) {
      // A number must stand alone: `12`, `12,` but not `12ab`.
      const next = bytes[after]!;
      if (next !== SPACE && next !== 0x2c) return -1;
    }
    record.present |= 1 << slot;
    return after;
  }
}
