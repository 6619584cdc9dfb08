import { kindByName } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import type { ChunkWords } from '../importer.ts';
import { halvesOf, takeU64 } from './decimal.ts';
import {
  COMMON_MEMBERS,
  type CodeForm,
  FLAG_NAMES,
  KIND_MEMBERS,
  SPACE_BITS,
  SPACES,
} from './members.ts';

/** Where the u64 columns of an event go: u32 halves, and the event's place in them. */
export interface PayloadPlace {
  words: ChunkWords;
  row: number;
}

/** The rest of one event line, checked; slots, sources, names and attrs are still the file's own. */
export interface EventLine {
  /** Number of the recording in the header, from 1. */
  source: number;
  kind: number;
  flags: number;
  pcpu: number;
  vcpu: number;
  tid: number;
  counter: number;
  /** Negative where the kind's codes have a sign. */
  code: number;
  /** The string `code` stands for, where it is one. */
  name: string | undefined;
  attr: PerfEventAttr | undefined;
}

export function emptyLine(): EventLine {
  return {
    source: 1,
    kind: 0,
    flags: 0,
    pcpu: -1,
    vcpu: -1,
    tid: -1,
    counter: -1,
    code: 0,
    name: undefined,
    attr: undefined,
  };
}

/** What a member of a kind's line is. */
type Role =
  | (typeof COMMON_MEMBERS)[number]
  | 'object'
  | 'value'
  | 'aux0'
  | 'aux1'
  | `code ${CodeForm}`;

const FLAG_BITS: ReadonlyMap<unknown, number> = new Map(
  FLAG_NAMES.map(({ name, bit }) => [name, bit]),
);

/** For each kind: which member is what. */
const ROLES: readonly ReadonlyMap<string, Role>[] = KIND_MEMBERS.map(
  ({ code, register, payload }) => {
    const roles = new Map<string, Role>(COMMON_MEMBERS.map((name) => [name, name]));
    if (!register) roles.delete('space');
    roles.set(code.member, `code ${code.form}`);
    for (const { column, member } of payload) roles.set(member, column);
    return roles;
  },
);

const KINDS: ReadonlyMap<unknown, number> = new Map(
  KIND_MEMBERS.map(({ kind }) => [kind, kindByName(kind)!]),
);

/**
 * Parses one event line: u64 columns into `place` (0 there before), the rest into `into`. The result is undefined, or what is wrong with the line in a few words: a member
 * that is unknown, doubled or of the wrong form, a number out of its column's range.
 */
export function parseEventLine(
  line: string,
  into: EventLine,
  place: PayloadPlace,
): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return line.trim() === '' ? 'blank line' : 'not JSON';
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return 'no object';
  const event = json as Readonly<Record<string, unknown>>;
  const kind = KINDS.get(event['kind']);
  if (kind === undefined) {
    return event['kind'] === undefined ? 'no kind' : `unknown kind ${show(event['kind'])}`;
  }
  into.source = 1;
  into.flags = 0;
  into.pcpu = -1;
  into.vcpu = -1;
  into.tid = -1;
  into.counter = -1;
  into.code = 0;
  into.name = undefined;
  into.attr = undefined;
  into.kind = kind;
  const roles = ROLES[kind]!;
  let timed = false;
  let strings = 0;
  for (const member of Object.keys(event)) {
    const role = roles.get(member);
    const value = event[member];
    if (role === undefined) {
      return `unknown member ${show(member)} in an event of kind ${KIND_MEMBERS[kind]!.kind}`;
    }
    const inside = takeMember(into, place, role, value);
    if (inside < 0) return `${member} is ${expected(role)}, not ${show(value)}`;
    strings += inside + 1;
    if (role === 'time') timed = true;
  }
  if (!timed) return 'no time';
  // JSON.parse lets the last of two equal members win; then the line has more strings than its object.
  if (strings !== countStrings(line)) return 'a member stands twice';
  return undefined;
}

/** Takes one member over; gives the number of strings in its value, or −1 when the value is not of its form. */
function takeMember(
  into: EventLine,
  { words, row }: PayloadPlace,
  role: Role,
  value: unknown,
): number {
  switch (role) {
    case 'kind':
      return 1;
    case 'time':
    case 'object':
    case 'value':
    case 'aux0':
    case 'aux1':
      return takeU64(value, words[role], row) ? 1 : -1;
    case 'source':
      return takeWhole(into, role, value, 1, 0xffff);
    case 'pcpu':
    case 'vcpu':
      return takeWhole(into, role, value, -1, 0x7fff);
    case 'tid':
      return takeWhole(into, role, value, -1, 0x7fff_ffff);
    case 'counter':
      return takeWhole(into, role, value, -1, 0x7f);
    case 'code unsigned':
      return takeWhole(into, 'code', value, 0, 0xffff_ffff);
    case 'code signed':
      return takeWhole(into, 'code', value, -0x8000_0000, 0x7fff_ffff);
    case 'code name':
      if (typeof value !== 'string') return -1;
      into.name = value;
      return 1;
    case 'code attr':
      into.attr = attrOf(value);
      return into.attr ? 7 : -1;
    case 'space': {
      const space = SPACES.indexOf(value as (typeof SPACES)[number]);
      if (space < 0) return -1;
      into.flags |= space << 4;
      return 1;
    }
    case 'flags':
      return takeFlags(into, value);
  }
}

function takeWhole(
  into: EventLine,
  column: 'source' | 'pcpu' | 'vcpu' | 'tid' | 'counter' | 'code',
  value: unknown,
  min: number,
  max: number,
): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    return -1;
  }
  into[column] = value;
  return 0;
}

function takeFlags(into: EventLine, value: unknown): number {
  if (!Array.isArray(value)) return -1;
  const register = KIND_MEMBERS[into.kind]!.register;
  let flags = 0;
  for (const name of value) {
    const bit = FLAG_BITS.get(name);
    if (bit === undefined || (flags & bit) !== 0 || (register && (bit & SPACE_BITS) !== 0)) {
      return -1;
    }
    flags |= bit;
  }
  into.flags |= flags;
  return value.length;
}

function attrOf(value: unknown): PerfEventAttr | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { type, config1, attrFlags, cpu, task, ...rest } = value as Record<string, unknown>;
  const words = BigUint64Array.of(0n, 0n);
  const taken = takeU64(config1, halvesOf(words), 0) && takeU64(attrFlags, halvesOf(words), 1);
  if (!taken || Object.keys(rest).length > 0) return undefined;
  if (!isWhole(type, 0, 0xffff_ffff)) return undefined;
  if (!isWhole(cpu, -1, 0x7fff_ffff) || !isWhole(task, -1, 0x7fff_ffff)) return undefined;
  return { type, config1: words[0]!, attrFlags: words[1]!, cpu, task };
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

/** Strings of a line that is valid JSON. */
function countStrings(line: string): number {
  let quotes = 0;
  for (let i = 0; i < line.length; i++) {
    const char = line.charCodeAt(i);
    if (char === 0x22) quotes++;
    else if (char === 0x5c) i++;
  }
  return quotes / 2;
}

function expected(role: Role): string {
  switch (role) {
    case 'kind':
    case 'code name':
      return 'a string';
    case 'time':
    case 'object':
    case 'value':
    case 'aux0':
    case 'aux1':
      return 'a string of decimal digits below 2^64';
    case 'source':
      return 'the number of a recording';
    case 'pcpu':
    case 'vcpu':
    case 'tid':
    case 'counter':
      return 'a whole number from -1 that fits its column';
    case 'code unsigned':
      return 'a whole number of 32 bits';
    case 'code signed':
      return 'a whole number of 32 bits with sign';
    case 'code attr':
      return 'an object of type, config1, attrFlags, cpu and task';
    case 'space':
      return `one of ${SPACES.join(', ')}`;
    case 'flags':
      return 'an array of different flag names';
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 50 ? `${text.slice(0, 48)}…` : text;
}
