import { PLUGIN_TASK_STATES, type TracepointRule } from '../../arch/tracepoints.ts';
import { ByteTable, bytesOf, hashBytes } from '../byte-table.ts';
import type { CompiledRule } from '../compiled-rule.ts';
import type { RawRecord } from '../raw-record.ts';
import { parseTaskState } from './fields.ts';
import { parseHex, parseNumber } from './number.ts';

const SPACE = 0x20;
/** How far `{*}` and `{f:w}` look for what follows. */
const MAX_ANYTHING = 512;
/** How far a task name reaches. */
const MAX_NAME = 32;

interface Step {
  readonly kind:
    | 'literal'
    | 'number'
    | 'hex'
    | 'state'
    | 'pluginState'
    | 'comm'
    | 'word'
    | 'flag'
    | 'anything';
  /** Field it fills, −1 none. */
  readonly slot: number;
  /** Of literals and flags. */
  readonly bytes: Uint8Array;
  readonly words: ByteTable<number>;
}

/** Position after `literal` at p; a space in it stands for one or more. −1 if it is not there. */
function matchLiteral(literal: Uint8Array, bytes: Uint8Array, from: number, end: number): number {
  let p = from;
  for (let k = 0; k < literal.length; k++) {
    if (p >= end || bytes[p] !== literal[k]) return -1;
    p++;
    if (literal[k] === SPACE) while (p < end && bytes[p] === SPACE) p++;
  }
  return p;
}

function wordTable(words: Readonly<Record<string, number>> | undefined): ByteTable<number> {
  const table = new ByteTable<number>();
  for (const [word, value] of Object.entries(words ?? {})) table.add(bytesOf(word), value);
  return table;
}

const NO_BYTES = new Uint8Array(0);
const NO_WORDS = new ByteTable<number>();
const KIND_OF_TYPE: Readonly<Record<string, Step['kind']>> = {
  x: 'hex',
  s: 'state',
  t: 'pluginState',
  c: 'comm',
  w: 'word',
};

function compileStep(body: string, rule: TracepointRule, fields: readonly string[]): Step {
  const step = { slot: -1, bytes: NO_BYTES, words: NO_WORDS };
  if (body === '*') return { kind: 'anything', ...step };
  const question = body.indexOf('?');
  if (question >= 0) {
    const slot = fields.indexOf(body.slice(0, question));
    return { kind: 'flag', ...step, slot, bytes: bytesOf(body.slice(question + 1)) };
  }
  const [field = '', type = ''] = body.split(':');
  const kind = KIND_OF_TYPE[type] ?? 'number';
  const words = kind === 'word' ? wordTable(rule.words?.[field]) : NO_WORDS;
  return { kind, ...step, slot: fields.indexOf(field), words };
}

/** One `text` pattern of a rule: see TracepointRule.text. */
export class Pattern {
  private readonly steps: readonly Step[];

  constructor(pattern: string, rule: CompiledRule) {
    const steps: Step[] = [];
    let rest = pattern;
    while (rest !== '') {
      const open = rest.indexOf('{');
      if (open !== 0) {
        const literal = open < 0 ? rest : rest.slice(0, open);
        steps.push({ kind: 'literal', slot: -1, bytes: bytesOf(literal), words: NO_WORDS });
        rest = rest.slice(literal.length);
        continue;
      }
      const close = rest.indexOf('}');
      steps.push(compileStep(rest.slice(1, close), rule.rule, rule.fields));
      rest = rest.slice(close + 1);
    }
    this.steps = steps;
  }

  /** True if bytes[from, end) begins like the pattern; its fields are then in the record. */
  match(bytes: Uint8Array, from: number, end: number, record: RawRecord): boolean {
    record.present = 0;
    return this.run(0, bytes, from, end, record);
  }

  private run(
    first: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    record: RawRecord,
  ): boolean {
    let p = from;
    for (let s = first; s < this.steps.length; s++) {
      const step = this.steps[s]!;
      switch (step.kind) {
        case 'literal':
          p = matchLiteral(step.bytes, bytes, p, end);
          break;
        case 'number':
          p = parseNumber(bytes, p, end, record.low, record.high, step.slot);
          break;
        case 'hex':
          if (bytes[p] === 0x30 && (bytes[p + 1]! | 0x20) === 0x78) p += 2;
          p = parseHex(bytes, p, end, record.low, record.high, step.slot);
          break;
        case 'state':
          p = parseTaskState(bytes, p, end, record, step.slot);
          break;
        case 'pluginState': {
          const bit = p < end ? PLUGIN_TASK_STATES.indexOf(String.fromCharCode(bytes[p]!)) : -1;
          record.low[step.slot] = bit < 0 ? 0 : 1 << bit;
          record.high[step.slot] = 0;
          p = p < end ? p + 1 : -1;
          break;
        }
        case 'flag': {
          const after = matchLiteral(step.bytes, bytes, p, end);
          record.low[step.slot] = after < 0 ? 0 : 1;
          record.high[step.slot] = 0;
          if (after >= 0) p = after;
          break;
        }
        case 'word':
          p = this.word(s, step.slot, step.words, bytes, p, end, record);
          if (p < 0) return false;
          continue;
        case 'comm':
          return this.anything(s, MAX_NAME, step.slot, bytes, p, end, record);
        case 'anything':
          return this.anything(s, MAX_ANYTHING, -1, bytes, p, end, record);
      }
      if (p < 0) return false;
      if (step.kind !== 'literal') record.present |= 1 << step.slot;
    }
    return true;
  }

  /** A word up to where the next step's literal stands; an unknown one leaves its field out. */
  private word(
    s: number,
    slot: number,
    words: ByteTable<number>,
    bytes: Uint8Array,
    from: number,
    end: number,
    record: RawRecord,
  ): number {
    const next = this.steps[s + 1];
    const limit = Math.min(end, from + MAX_ANYTHING);
    let stop = from;
    if (next?.kind === 'literal') {
      while (stop <= limit && matchLiteral(next.bytes, bytes, stop, end) < 0) stop++;
      if (stop > limit) return -1;
    } else {
      while (stop < limit && isWordByte(bytes[stop]!)) stop++;
    }
    let value = words.get(bytes, from, stop, hashBytes(bytes, from, stop));
    if (value === undefined) {
      // `EPT_VIOLATION FAILED_VMENTRY`: the first word decides.
      let first = from;
      while (first < stop && bytes[first] !== SPACE) first++;
      value = words.get(bytes, from, first, hashBytes(bytes, from, first));
    }
    if (value !== undefined) {
      record.low[slot] = value;
      record.high[slot] = 0;
      record.present |= 1 << slot;
    }
    return stop;
  }

  /** Tries the rest of the pattern at every place up to `max` bytes on; slot ≥ 0 gets the bytes passed over. */
  private anything(
    s: number,
    max: number,
    slot: number,
    bytes: Uint8Array,
    from: number,
    end: number,
    record: RawRecord,
  ): boolean {
    const before = record.present;
    const limit = Math.min(end, from + max);
    for (let p = from; p <= limit; p++) {
      if (!this.run(s + 1, bytes, p, end, record)) {
        record.present = before;
        continue;
      }
      if (slot >= 0) {
        record.start[slot] = from;
        record.end[slot] = p;
        record.present |= 1 << slot;
      }
      return true;
    }
    return false;
  }
}

function isWordByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x5f
  );
}
