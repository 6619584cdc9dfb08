import { permyriad, secondsToNs } from './printed-number.ts';
import { countField, type StatLine, statCpu, statThread, unparsable } from './stat-count.ts';

/** Keys of a flat JSON object with their values' text (strings unquoted, numbers as printed: never through a double). */
export type FlatObject = ReadonlyMap<string, string>;

/** What a line of text holds of `perf stat -j`. */
export interface JsonLineResult {
  /** Complete flat objects, in order. */
  readonly objects: readonly FlatObject[];
  /** True when a perf stat object begins in the line but is not complete or not well-formed. */
  readonly torn: boolean;
  /** True when there is text besides objects, commas and white space. */
  readonly foreign: boolean;
}

/** The keys only perf stat prints; a piece of text with one of them is (part of) a counter line. */
const PERF_KEY = /"(?:counter-value|event-runtime|pcnt-running|metric-value|interval)"\s*:/;

/** True when the text holds a piece of a perf stat JSON object. */
export function hasPerfKey(text: string): boolean {
  return PERF_KEY.test(text);
}

/**
 * Finds the flat JSON objects of a line. perf's versions differ in what they quote and in commas between and after
 * objects, and on a console anything may stand before and after: an object counts when it is complete in itself.
 */
export function jsonObjects(line: string): JsonLineResult {
  const objects: FlatObject[] = [];
  let torn = false;
  let foreign = false;
  let rest = 0;
  for (let open = line.indexOf('{'); open >= 0; ) {
    const found = flatObject(line, open);
    if (!found) {
      // Not an object from here; a complete one may begin further on.
      const next = line.indexOf('{', open + 1);
      if (PERF_KEY.test(line.slice(open, next < 0 ? undefined : next))) torn = true;
      open = next;
      continue;
    }
    foreign ||= !isFiller(line.slice(rest, open));
    objects.push(found.object);
    rest = found.end;
    open = line.indexOf('{', rest);
  }
  const tail = line.slice(rest);
  foreign ||= !isFiller(tail);
  if (objects.length > 0 && PERF_KEY.test(tail)) torn = true;
  return { objects, torn, foreign };
}

/** The counter an object holds; undefined when it is not perf stat's. */
export function countOfObject(object: FlatObject): StatLine | undefined {
  const value = object.get('counter-value');
  if (value === undefined) {
    return object.has('metric-value') && !object.has('event-runtime')
      ? { kind: 'metric' }
      : undefined;
  }
  const event = object.get('event');
  if (!event) return unparsable('no event name');
  const unit = object.get('unit') ?? '';
  const count = countField(value, unit);
  if (count === undefined) return unparsable('counter-value is no count');
  const interval = optional(object.get('interval'), secondsToNs);
  if (interval === null) return unparsable('interval is no time');
  const runtime = optional(object.get('event-runtime'), runtimeNs);
  if (runtime === null) return unparsable('event-runtime is no number');
  const running = optional(object.get('pcnt-running'), permyriad);
  if (running === null) return unparsable('pcnt-running is no percentage');
  const variance = optional(object.get('variance'), permyriad);
  if (variance === null) return unparsable('variance is no percentage');
  const cpu = optional(object.get('cpu'), statCpu);
  const thread = object.get('thread');
  return {
    kind: 'count',
    count: {
      event,
      count,
      unit,
      interval,
      runtime,
      running,
      cpu: cpu ?? undefined,
      thread: thread === undefined ? undefined : statThread(thread),
      aggregate: aggregateOf(object, cpu === null),
      spread: variance ?? undefined,
    },
  };
}

const AGGREGATE_KEYS = ['socket', 'die', 'cluster', 'cache', 'core', 'node', 'cgroup'] as const;

function aggregateOf(object: FlatObject, oddCpu: boolean): string | undefined {
  for (const key of AGGREGATE_KEYS) {
    const id = object.get(key);
    if (id !== undefined) return id;
  }
  return oddCpu ? object.get('cpu') : undefined;
}

/** undefined when absent, null when it does not parse. */
function optional<T>(
  text: string | undefined,
  parse: (text: string) => T | undefined,
): T | undefined | null {
  if (text === undefined) return undefined;
  const parsed = parse(text);
  return parsed === undefined ? null : parsed;
}

function runtimeNs(text: string): bigint | undefined {
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}

function isFiller(text: string): boolean {
  return /^[\s,[\]]*$/.test(text);
}

// One token at a time, anchored where the last one ended.
const KEY = /\s*"((?:[^"\\]|\\.)*)"\s*:\s*/y;
const STRING = /"((?:[^"\\]|\\.)*)"/y;
const BARE = /[-+.\w()]+/y;
const BETWEEN = /\s*,\s*|\s*(?=\})/y;
const EMPTY = /\s*\}/y;

/** The flat object that opens at `open`, and the offset behind it; undefined when there is none. */
function flatObject(line: string, open: number): { object: FlatObject; end: number } | undefined {
  const object = new Map<string, string>();
  let at = open + 1;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(line);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (!take(EMPTY)) {
    const key = take(KEY);
    if (!key) return undefined;
    const string = take(STRING);
    const value = string ? unescaped(string[1]!) : take(BARE)?.[0];
    if (value === undefined || object.has(key[1]!)) return undefined;
    object.set(key[1]!, value);
    if (!take(BETWEEN)) return undefined;
  }
  return { object, end: at };
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\(.)/g, '$1') : text;
}
