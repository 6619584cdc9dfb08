import { readFile } from 'node:fs/promises';
import {
  TARGETS,
  type Target,
  TRACEPOINT_RULES,
  type TracepointRule,
} from '../arch/tracepoints.ts';
import { UsageError } from '../domain/errors.ts';
import { KIND_SPECS, type KindSpec, kindByName } from '../domain/event-kind.ts';
import { readFailure } from './input.ts';
import { MAX_FIELDS } from './raw-record.ts';

/** The `format` member every map file begins with. */
export const MAP_FORMAT = 'vpmu-map/1';

const ENTRY_KEYS = [
  'like',
  'kind',
  'fields',
  'required',
  'text',
  'words',
  'flags',
  'space',
  'entryOf',
  'onVcpuThread',
];
const LIKE_KEYS = ['like', 'fields', 'text', 'words', 'entryOf'];
const SPACES = ['sysreg', 'msr', 'rdpmc'];
const FLAGS = ['entry', 'trap'];

type Json = Readonly<Record<string, unknown>>;

/** Reads a map file (`--map FILE`). Throws UsageError (its content) or InputError (the file). */
export async function readMapFile(path: string): Promise<readonly TracepointRule[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw readFailure(path, error);
  }
  return parseMapFile(text, path);
}

/**
 * Own entries of the mapping table, from the text of a map file:
 *
 *     { "format": "vpmu-map/1",
 *       "events": {
 *         "my_get": { "like": "get_counter", "fields": { "n": "idx", "result": "val" } },
 *         "hv_rdmsr": { "kind": "read", "space": "msr", "fields": { "msr": "code", "val": "value" } },
 *         "noise": { "kind": "other" } } }
 *
 * `like` takes a built-in rule over; its `fields` then say which field of ours each of theirs is. Without `like`,
 * `fields` say which column (TARGETS) each field feeds. Throws UsageError naming file, line and entry.
 */
export function parseMapFile(text: string, name: string): readonly TracepointRule[] {
  const file = new MapFile(text, name);
  return file.rules();
}

/** Longest event name the kernel takes (MAX_EVENT_NAME_LEN is 64), with room. */
const NAME_LENGTH = 256;

class MapFile {
  private readonly text: string;
  private readonly name: string;

  constructor(text: string, name: string) {
    this.text = text;
    this.name = name;
  }

  rules(): readonly TracepointRule[] {
    const top = this.object(this.parse(), []);
    this.onlyKeys(top, ['format', 'events'], []);
    if (top['format'] !== MAP_FORMAT) {
      throw this.wrong(['format'], `must be "${MAP_FORMAT}"`);
    }
    const events = this.object(top['events'], ['events']);
    const rules = Object.entries(events).map(([event, entry]) => this.rule(event, entry));
    for (const rule of rules) {
      if (rule.entryOf === undefined) continue;
      const known = [...TRACEPOINT_RULES, ...rules].some((other) => other.name === rule.entryOf);
      if (!known) {
        throw this.wrong(['events', rule.name, 'entryOf'], `no rule for '${rule.entryOf}'`);
      }
      this.refuseCycle(rule, rules);
    }
    return rules;
  }

  /** An entry record belongs to a return record; that one cannot be an entry of it again. */
  private refuseCycle(rule: TracepointRule, rules: readonly TracepointRule[]): void {
    const partnerOf = (name: string): string | undefined =>
      (
        rules.findLast((other) => other.name === name) ??
        TRACEPOINT_RULES.find((other) => other.name === name)
      )?.entryOf;
    const seen = new Set<string>();
    for (let at: string | undefined = rule.name; at !== undefined; at = partnerOf(at)) {
      if (seen.has(at)) {
        throw this.wrong(['events', rule.name, 'entryOf'], 'goes round in a circle');
      }
      seen.add(at);
    }
  }

  private rule(event: string, value: unknown): TracepointRule {
    const at = ['events', event];
    if (event.length > NAME_LENGTH) {
      throw this.wrong(['events', `${event.slice(0, 40)}…`], `a name of ${event.length} letters`);
    }
    if (!/^[A-Za-z_][\w.]*$/.test(event)) {
      throw this.wrong(at, 'a tracepoint or probe is named without its group');
    }
    const entry = this.object(value, at);
    const rule =
      entry['like'] === undefined ? this.own(event, entry, at) : this.like(event, entry, at);
    const fields = rule.fields ?? {};
    if (Object.keys(fields).length > MAX_FIELDS) {
      throw this.wrong([...at, 'fields'], `more than ${MAX_FIELDS} fields`);
    }
    for (const pattern of rule.text ?? []) this.pattern(pattern, rule, [...at, 'text']);
    return rule;
  }

  private own(event: string, entry: Json, at: readonly string[]): TracepointRule {
    this.onlyKeys(entry, ENTRY_KEYS, at);
    const kinds = this.kinds(entry['kind'], [...at, 'kind']);
    const fields = this.strings(entry['fields'], [...at, 'fields']);
    const space = this.oneOf(entry['space'], SPACES, [...at, 'space']);
    for (const [field, target] of Object.entries(fields)) {
      this.target(target, fields, kinds, [...at, 'fields', field]);
    }
    if (kinds.some((spec) => spec.code === 'register') && space === undefined) {
      throw this.wrong(at, `register accesses need "space": one of ${SPACES.join(', ')}`);
    }
    const required = this.list(entry['required'], [...at, 'required']);
    for (const field of required) {
      if (!Object.hasOwn(fields, field))
        throw this.wrong([...at, 'required'], `'${field}' is not in fields`);
    }
    const flags = this.list(entry['flags'], [...at, 'flags']);
    for (const flag of flags) this.oneOf(flag, FLAGS, [...at, 'flags']);
    const onVcpuThread = entry['onVcpuThread'];
    if (onVcpuThread !== undefined && typeof onVcpuThread !== 'boolean') {
      throw this.wrong([...at, 'onVcpuThread'], 'must be true or false');
    }
    return {
      name: event,
      kind: kinds.length === 2 ? [kinds[0]!.name, kinds[1]!.name] : kinds[0]!.name,
      fields: fields as Readonly<Record<string, Target>>,
      required,
      flags: flags as ('entry' | 'trap')[],
      ...(space === undefined ? {} : { space: space as 'sysreg' }),
      ...(onVcpuThread === true ? { onVcpuThread } : {}),
      ...this.rest(entry, at),
      source: this.name,
    };
  }

  /** A built-in rule under another name, its fields renamed. */
  private like(event: string, entry: Json, at: readonly string[]): TracepointRule {
    this.onlyKeys(entry, LIKE_KEYS, at);
    const base = TRACEPOINT_RULES.find((rule) => rule.name === entry['like']);
    if (base === undefined) {
      throw this.wrong(
        [...at, 'like'],
        `no built-in rule '${String(entry['like'])}'`,
        'docs/formats.md lists them',
      );
    }
    const renamed = this.strings(entry['fields'], [...at, 'fields']);
    const theirs = new Map(Object.entries(renamed).map(([their, our]) => [our, their]));
    for (const [their, our] of Object.entries(renamed)) {
      if (!Object.hasOwn(base.fields ?? {}, our)) {
        throw this.wrong([...at, 'fields', their], `${base.name} has no field '${our}'`);
      }
    }
    if (theirs.size < Object.keys(renamed).length) {
      throw this.wrong([...at, 'fields'], 'two of your fields stand for one of ours');
    }
    const rename = (field: string): string => theirs.get(field) ?? field;
    const { text: _, entryOf: __, ...kept } = base;
    return {
      ...kept,
      name: event,
      fields: Object.fromEntries(
        Object.entries(base.fields ?? {}).map(([field, target]) => [
          rename(field),
          (target.startsWith('name-of ') ? `name-of ${rename(target.slice(8))}` : target) as Target,
        ]),
      ),
      required: (base.required ?? []).map(rename),
      notJoined: (base.notJoined ?? []).map(rename),
      ...this.rest(entry, at),
      source: this.name,
    };
  }

  /** The members both forms have. */
  private rest(entry: Json, at: readonly string[]): Partial<TracepointRule> {
    const text = this.list(entry['text'], [...at, 'text']);
    const words: Record<string, Record<string, number>> = {};
    if (entry['words'] !== undefined) {
      for (const [field, table] of Object.entries(this.object(entry['words'], [...at, 'words']))) {
        words[field] = {};
        for (const [word, value] of Object.entries(this.object(table, [...at, 'words', field]))) {
          if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffffffff) {
            throw this.wrong([...at, 'words', field, word], 'must be a whole number below 2^32');
          }
          words[field][word] = value as number;
        }
      }
    }
    const entryOf = entry['entryOf'];
    if (entryOf !== undefined && typeof entryOf !== 'string') {
      throw this.wrong([...at, 'entryOf'], 'must be the name of the other half');
    }
    return {
      ...(text.length > 0 ? { text } : {}),
      ...(Object.keys(words).length > 0 ? { words } : {}),
      ...(entryOf === undefined ? {} : { entryOf }),
    };
  }

  private kinds(value: unknown, at: readonly string[]): readonly KindSpec[] {
    const names = Array.isArray(value) ? value : [value];
    if (names.length < 1 || names.length > 2)
      throw this.wrong(at, 'one kind, or two of which select chooses');
    return names.map((name) => {
      const kind = typeof name === 'string' ? kindByName(name) : undefined;
      if (kind === undefined) {
        throw this.wrong(
          at,
          value === undefined ? 'is missing' : `no event kind '${String(name)}'`,
          `kinds are ${KIND_SPECS.map((spec) => spec.name).join(', ')}`,
        );
      }
      return KIND_SPECS[kind]!;
    });
  }

  private target(
    target: string,
    fields: Readonly<Record<string, string>>,
    kinds: readonly KindSpec[],
    at: readonly string[],
  ): void {
    if (target.startsWith('name-of ')) {
      if (Object.hasOwn(fields, target.slice('name-of '.length))) return;
      throw this.wrong(at, `'${target}' names no field of this entry`);
    }
    if (!Object.hasOwn(TARGETS, target)) {
      throw this.wrong(
        at,
        `no column '${target}'`,
        `columns are ${Object.keys(TARGETS).join(', ')}`,
      );
    }
    if (target === 'select' && kinds.length < 2) throw this.wrong(at, 'select needs two kinds');
    const column = COLUMN_OF_TARGET[target];
    if (column !== undefined && !kinds.some((spec) => spec[column] !== undefined)) {
      throw this.wrong(at, `${kinds.map((spec) => spec.name).join(', ')} has no ${column}`);
    }
  }

  private pattern(pattern: string, rule: TracepointRule, at: readonly string[]): void {
    const rest = pattern.replace(/\{(\*|[A-Za-z_]\w*(?::[xwstc])?|[A-Za-z_]\w*\?[^{}]+)\}/g, '');
    if (pattern === '' || /[{}]/.test(rest)) throw this.wrong(at, `'${pattern}' is no pattern`);
    for (const [, field] of pattern.matchAll(/\{([A-Za-z_]\w*):w\}/g)) {
      if (rule.words?.[field!] === undefined) throw this.wrong(at, `{${field}:w} has no words`);
    }
  }

  private strings(value: unknown, at: readonly string[]): Readonly<Record<string, string>> {
    if (value === undefined) return {};
    const object = this.object(value, at);
    for (const [key, member] of Object.entries(object)) {
      if (typeof member !== 'string') throw this.wrong([...at, key], 'must be a string');
      if (!/^[A-Za-z_]\w*$/.test(key)) throw this.wrong([...at, key], 'is no field name');
    }
    return object as Readonly<Record<string, string>>;
  }

  private list(value: unknown, at: readonly string[]): readonly string[] {
    if (value === undefined) return [];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw this.wrong(at, 'must be a list of strings');
    }
    return value as string[];
  }

  private oneOf(
    value: unknown,
    choices: readonly string[],
    at: readonly string[],
  ): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === 'string' && choices.includes(value)) return value;
    throw this.wrong(at, `must be one of ${choices.join(', ')}`);
  }

  private object(value: unknown, at: readonly string[]): Json {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
    throw this.wrong(at, value === undefined ? 'is missing' : 'must be an object');
  }

  private onlyKeys(object: Json, keys: readonly string[], at: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (!keys.includes(key)) {
        throw this.wrong([...at, key], `not a member here: only ${keys.join(', ')}`);
      }
    }
  }

  private parse(): unknown {
    try {
      return JSON.parse(this.text);
    } catch (error) {
      const found = /position (\d+)/.exec(String((error as Error).message));
      const position = found === null ? this.text.length : Number(found[1]);
      throw new UsageError(
        `${this.name}: line ${lineOf(this.text, position)}: not valid JSON`,
        HINT,
      );
    }
  }

  /** The error for the member at this path; the line is that of its last name found in the text. */
  private wrong(at: readonly string[], why: string, hint = HINT): UsageError {
    let position = 0;
    for (const key of at) {
      const next = this.text.indexOf(JSON.stringify(key), position);
      if (next < 0) break;
      position = next;
    }
    const path = at.length === 0 ? '' : `${at.join('.')}: `;
    return new UsageError(`${this.name}: line ${lineOf(this.text, position)}: ${path}${why}`, hint);
  }
}

const HINT = 'docs/formats.md describes map files';

/** Columns whose meaning must exist in the kind. */
const COLUMN_OF_TARGET: Readonly<
  Record<string, 'code' | 'object' | 'value' | 'aux0' | 'aux1' | 'counter'>
> = {
  value: 'value',
  object: 'object',
  event: 'object',
  aux0: 'aux0',
  aux1: 'aux1',
  counter: 'counter',
  code: 'code',
  state: 'code',
  error: 'code',
};

function lineOf(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}
