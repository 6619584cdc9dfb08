import { UsageError } from '../../domain/errors.ts';
import { type EventChunk, eventAt } from '../../domain/event-chunk.ts';
import { KIND_SPECS } from '../../domain/event-kind.ts';
import { formatTime } from '../../domain/time-spec.ts';
import { FLAG_NAMES, SPACE_BITS } from '../../import/jsonl/members.ts';
import {
  codeText,
  type EventWords,
  eventDetails,
  isRecorded,
  payloadText,
  registerName,
} from './event-text.ts';
import { nearest, printable } from './text.ts';

/** The log's words, and the names of its recordings. */
export interface FieldWords extends EventWords {
  recordingName(source: number): string;
}

/** Prints one field of event i of a chunk; empty when the event has no such thing or it was not recorded. */
export type FieldText = (chunk: EventChunk, i: number, words: FieldWords) => string;

/** A member that every event has. */
const COMMON: Readonly<Record<string, FieldText>> = {
  seq: (chunk, i) => `${chunk.seq[i]}`,
  time: (chunk, i) => formatTime(chunk.time[i]!),
  'time-ns': (chunk, i) => `${chunk.time[i]}`,
  source: (chunk, i) => `${chunk.source[i]}`,
  recording: (chunk, i, words) => printable(words.recordingName(chunk.source[i]!)),
  pcpu: (chunk, i) => known(chunk.pcpu[i]!),
  vcpu: (chunk, i) => known(chunk.vcpu[i]!),
  tid: (chunk, i) => known(chunk.tid[i]!),
  thread: (chunk, i, words) => printable(words.threadName(chunk.tid[i]!) ?? ''),
  kind: (chunk, i) => KIND_SPECS[chunk.kind[i]!]!.name,
  register: (chunk, i) =>
    KIND_SPECS[chunk.kind[i]!]!.code === 'register'
      ? registerName(chunk.code[i]!, chunk.flags[i]!)
      : '',
  counter: (chunk, i) => known(chunk.counter[i]!),
  flags: (chunk, i) => flagsText(chunk, i),
  details: (chunk, i, words) => eventDetails(eventAt(chunk, i), words),
};

/** perf's names of them. */
const ALIASES: Readonly<Record<string, string>> = { cpu: 'pcpu', comm: 'thread' };

const PAYLOADS = ['object', 'value', 'aux0', 'aux1'] as const;

/** What some kind has: its payloads and code by what they mean there, as `vpmu events` prints them. */
const OWN: ReadonlyMap<string, FieldText> = ownFields();

function ownFields(): ReadonlyMap<string, FieldText> {
  const meanings = new Set(
    KIND_SPECS.flatMap((spec) => [
      ...PAYLOADS.flatMap((column) => spec[column] ?? []),
      ...(spec.code === undefined || spec.code === 'register' ? [] : [spec.code]),
    ]),
  );
  return new Map([...meanings].sort().map((meaning) => [meaning, ownField(meaning)]));
}

function ownField(meaning: string): FieldText {
  const columns = KIND_SPECS.map((spec) => PAYLOADS.find((column) => spec[column] === meaning));
  const isCode = KIND_SPECS.map((spec) => spec.code === meaning);
  return (chunk, i, words) => {
    const kind = chunk.kind[i]!;
    const column = columns[kind];
    if (column === undefined && isCode[kind] !== true) return '';
    const event = eventAt(chunk, i);
    if (column === undefined) {
      return (codeText(event, KIND_SPECS[kind]!, words) ?? '').replace(/^[a-z-]+=/, '');
    }
    return isRecorded(event, meaning) ? payloadText(event, column, meaning, words) : '';
  };
}

export const COMMON_FIELDS: readonly string[] = Object.keys(COMMON);

/** Every name `-F` takes. */
export function fieldNames(): readonly string[] {
  return [...new Set([...COMMON_FIELDS, ...OWN.keys()])];
}

export const DEFAULT_FIELDS: readonly string[] = [
  'seq',
  'time',
  'pcpu',
  'vcpu',
  'tid',
  'thread',
  'kind',
  'details',
];

/** Fields by name. UsageError for a name that no kind of event has. */
export function parseFields(names: readonly string[]): readonly FieldText[] {
  return names.map((name) => {
    const field = Object.hasOwn(COMMON, name) ? COMMON[name] : OWN.get(name);
    if (field !== undefined) return field;
    const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : undefined;
    if (alias !== undefined && Object.hasOwn(COMMON, alias)) return COMMON[alias]!;
    const near = nearest(name, fieldNames());
    throw new UsageError(
      `-F ${name}: no such field${near === undefined ? '' : ` (did you mean ${near}?)`}`,
      `fields: ${fieldNames().join(', ')}`,
    );
  });
}

/** One event as one line: fields between separators, quoted as CSV has it (RFC 4180) where one holds the separator. */
export function fieldsLine(
  fields: readonly FieldText[],
  separator: string,
  chunk: EventChunk,
  i: number,
  words: FieldWords,
): string {
  let line = '';
  for (let k = 0; k < fields.length; k++) {
    if (k > 0) line += separator;
    line += quoted(fields[k]!(chunk, i, words), separator);
  }
  return line;
}

export function quoted(text: string, separator: string): string {
  return text.includes(separator) || text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text;
}

function known(n: number): string {
  return n < 0 ? '' : `${n}`;
}

function flagsText(chunk: EventChunk, i: number): string {
  const register = KIND_SPECS[chunk.kind[i]!]!.code === 'register';
  const shown = register ? chunk.flags[i]! & ~SPACE_BITS : chunk.flags[i]!;
  if (shown === 0) return '';
  return FLAG_NAMES.filter(({ bit }) => (shown & bit) !== 0)
    .map(({ name }) => name)
    .join('|');
}
