import { InputError } from '../../domain/errors.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { registerSpace } from '../../domain/event-kind.ts';
import type {
  ImportNotice,
  PerfEventAttr,
  RecordingFacts,
  VcpuFact,
} from '../../domain/log-facts.ts';
import type { SliceFacts } from '../../domain/slice-facts.ts';
import { type Halves, halvesOf, putInteger, putU64 } from './decimal.ts';
import { formatHeader, type HeaderVcpu } from './header.ts';
import {
  type CodeForm,
  FLAG_NAMES,
  KIND_MEMBERS,
  type KindMembers,
  NO_VALUE,
  SPACE_BITS,
  SPACES,
} from './members.ts';

/** A recording of the log that is written. */
export interface JsonLinesRecording {
  /** Its number in the `source` column. */
  readonly source: number;
  readonly facts: RecordingFacts;
  readonly digest: string;
  readonly bytes: number;
  readonly notices: readonly ImportNotice[];
}

/** What is written: a log, or a part of one (`chunks` may give any range; the rest is the same). */
export interface JsonLinesSource {
  /** The events in the order they are written in. Called twice; must give the same both times. */
  chunks(): Iterable<EventChunk>;
  name(id: number): string;
  attr(id: number): PerfEventAttr | undefined;
  imports(): readonly JsonLinesRecording[];
  vcpus(): readonly VcpuFact[];
  threads(): ReadonlyMap<number, string>;
  /** How it was cut from a log; undefined when it is a whole one, or a selection. */
  readonly slice?: SliceFacts;
}

const VERIFY = 'vpmu verify checks the log';

/** Text is handed out in pieces of about this many characters. */
const PIECE = 1 << 16;

/**
 * Writes events as `vpmu-events/1`: a header line, then one line per event; every line ends with `\n`. Two passes over
 * the chunks (the header says how many events follow), flat memory; each text handed to `write` is whole lines. Reading
 * what was written and writing it again gives the same bytes.
 * Errors: InputError when an event names a recording or attr the source does not have.
 */
export function writeJsonLines(source: JsonLinesSource, write: (text: string) => void): void {
  const recordings = source.imports();
  const { events, vcpus } = survey(source);
  const threads = [...source.threads()].map(([tid, name]) => ({ tid, name }));
  threads.sort((a, b) => a.tid - b.tid);
  const slice = source.slice === undefined ? {} : { slice: source.slice };
  write(`${formatHeader({ events, ...slice, recordings, vcpus, threads })}\n`);
  const lines = new EventLines(source, recordings, write);
  let written = 0;
  for (const chunk of source.chunks()) {
    lines.chunk(chunk);
    written += chunk.length;
  }
  if (written !== events) throw new Error(`${events} events surveyed, ${written} written`);
  lines.flush();
}

/**
 * Number of events, and for each vCPU the number of the event from which on it is known: the one that told, or the first
 * that uses its slot if that comes before (events of several imports may interleave); none when no event of these told.
 */
function survey(source: JsonLinesSource): { events: number; vcpus: readonly HeaderVcpu[] } {
  const facts = source.vcpus();
  const told = new Map<number, number[]>();
  for (const { seq, slot } of facts) {
    if (seq >= 0) told.set(seq, [...(told.get(seq) ?? []), slot]);
  }
  const toldAt = new Map<number, number>();
  const used = new Map<number, number>();
  let events = 0;
  for (const { length, seq, vcpu } of source.chunks()) {
    for (let i = 0; i < length; i++) {
      events++;
      if (vcpu[i]! >= 0 && !used.has(vcpu[i]!)) used.set(vcpu[i]!, events);
      const slots = told.size > 0 ? told.get(seq[i]!) : undefined;
      if (slots) for (const slot of slots) toldAt.set(slot, events);
    }
  }
  const vcpus = facts.map(({ slot, index, tid, pid, learnedFrom }): HeaderVcpu => {
    const at = toldAt.get(slot);
    const vcpu = { slot, index, tid, pid, learnedFrom };
    return at === undefined ? vcpu : { ...vcpu, event: Math.min(at, used.get(slot) ?? at) };
  });
  return { events, vcpus: vcpus.sort(inLearningOrder) };
}

/** The order in which learning them again gives every vCPU its slot again: its index if that is free, else the next free. */
function inLearningOrder(a: HeaderVcpu, b: HeaderVcpu): number {
  const displaced = Number(a.slot !== a.index) - Number(b.slot !== b.index);
  return (a.event ?? 0) - (b.event ?? 0) || displaced || a.slot - b.slot;
}

/** The columns of a chunk the lines are made from: the u64 ones in halves. */
interface Columns {
  readonly time: Halves;
  readonly object: Halves;
  readonly value: Halves;
  readonly aux0: Halves;
  readonly aux1: Halves;
}

/** Makes the lines, as bytes: decimal digits and ready-made pieces; keeps the pieces of what repeats. */
class EventLines {
  private readonly source: JsonLinesSource;
  private readonly recordings: ReadonlyMap<number, Uint8Array>;
  private readonly write: (text: string) => void;
  private readonly kinds = KIND_MEMBERS.map(pieces);
  private readonly names = new Map<number, Uint8Array>();
  private readonly attrs = new Map<number, Uint8Array>();
  private readonly flags = new Map<number, Uint8Array>();
  private bytes = Buffer.allocUnsafe(2 * PIECE);
  private at = 0;

  constructor(
    source: JsonLinesSource,
    recordings: readonly JsonLinesRecording[],
    write: (text: string) => void,
  ) {
    this.source = source;
    this.recordings = new Map(
      recordings.map(({ source: id }, i) => [id, encode(`","source":${i + 1}`)]),
    );
    this.write = write;
  }

  chunk(chunk: EventChunk): void {
    const columns: Columns = {
      time: halvesOf(chunk.time),
      object: halvesOf(chunk.object),
      value: halvesOf(chunk.value),
      aux0: halvesOf(chunk.aux0),
      aux1: halvesOf(chunk.aux1),
    };
    for (let i = 0; i < chunk.length; i++) {
      this.line(chunk, columns, i);
      if (this.at >= PIECE) this.flush();
    }
  }

  flush(): void {
    if (this.at > 0) this.write(this.bytes.toString('utf8', 0, this.at));
    this.at = 0;
  }

  private line(chunk: EventChunk, columns: Columns, i: number): void {
    const kind = this.kinds[chunk.kind[i]!];
    const recording = this.recordings.get(chunk.source[i]!);
    if (!kind || !recording) throw damaged(chunk, i, kind === undefined);
    const flags = chunk.flags[i]!;
    this.put(TIME);
    this.u64(columns.time, i);
    this.put(recording);
    this.put(kind.kind);
    this.integer(PCPU, chunk.pcpu[i]!);
    this.integer(VCPU, chunk.vcpu[i]!);
    this.integer(TID, chunk.tid[i]!);
    this.integer(COUNTER, chunk.counter[i]!);
    this.code(kind, chunk.code[i]!, flags);
    this.payload(kind.object, columns.object, i, false);
    this.payload(kind.value, columns.value, i, (flags & NO_VALUE) !== 0);
    this.payload(kind.aux0, columns.aux0, i, false);
    this.payload(kind.aux1, columns.aux1, i, false);
    const shown = kind.register ? flags & ~SPACE_BITS : flags;
    if (shown !== 0) this.put(kept(this.flags, shown, () => flagsText(shown)));
    this.put(END);
  }

  /** A line without names and attrs is short: there is always room for one. These may be long, and are asked for. */
  private put(piece: Uint8Array): void {
    if (this.at + piece.length + ROOM > this.bytes.length) this.grow(piece.length);
    const { bytes } = this;
    let { at } = this;
    for (let i = 0; i < piece.length; i++) bytes[at++] = piece[i]!;
    this.at = at;
  }

  private grow(wanted: number): void {
    const larger = Buffer.allocUnsafe(2 * (this.bytes.length + wanted));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  private u64(column: Halves, i: number): void {
    this.at = putU64(this.bytes, this.at, column, i);
  }

  private integer(piece: Uint8Array, value: number): void {
    if (value === -1) return;
    this.put(piece);
    this.at = putInteger(this.bytes, this.at, value);
  }

  private payload(member: Member, column: Halves, i: number, absent: boolean): void {
    const zero = column[2 * i] === 0 && column[2 * i + 1] === 0;
    if (zero && (absent || !member.declared)) return;
    this.put(member.piece);
    this.u64(column, i);
    this.put(QUOTE);
  }

  private code(kind: KindPieces, code: number, flags: number): void {
    const { form, declared, piece } = kind.code;
    if (code === 0 && (!declared || form === 'attr')) return;
    this.put(piece);
    if (form === 'name') {
      this.put(kept(this.names, code, () => JSON.stringify(this.source.name(code))));
    } else if (form === 'attr') {
      this.put(kept(this.attrs, code, () => attrText(this.source.attr(code), code)));
    } else {
      this.at = putInteger(this.bytes, this.at, form === 'signed' ? code | 0 : code);
      if (kind.register) this.put(SPACE_PIECES[registerSpace(flags)]!);
    }
  }
}

/** The beginnings of a kind's members, ready to be written. */
interface KindPieces {
  readonly kind: Uint8Array;
  readonly register: boolean;
  readonly code: Member & { readonly form: CodeForm };
  readonly object: Member;
  readonly value: Member;
  readonly aux0: Member;
  readonly aux1: Member;
}

interface Member {
  readonly piece: Uint8Array;
  readonly declared: boolean;
}

function pieces({ kind, code, register, payload }: KindMembers): KindPieces {
  const [object, value, aux0, aux1] = payload.map(({ member, declared }) => ({
    piece: encode(`,"${member}":"`),
    declared,
  })) as [Member, Member, Member, Member];
  return {
    kind: encode(`,"kind":"${kind}"`),
    register,
    code: { ...code, piece: encode(`,"${code.member}":`) },
    object,
    value,
    aux0,
    aux1,
  };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** More than a line takes besides names, attrs and flags. */
const ROOM = 512;
const TIME = encode('{"time":"');
const PCPU = encode(',"pcpu":');
const VCPU = encode(',"vcpu":');
const TID = encode(',"tid":');
const COUNTER = encode(',"counter":');
const QUOTE = encode('"');
const END = encode('}\n');
const SPACE_PIECES = SPACES.map((space) => encode(`,"space":"${space}"`));

function flagsText(flags: number): string {
  const names = FLAG_NAMES.filter(({ bit }) => (flags & bit) !== 0).map(({ name }) => name);
  return `,"flags":${JSON.stringify(names)}`;
}

function attrText(attr: PerfEventAttr | undefined, id: number): string {
  if (!attr) throw new InputError(`perf event attr ${id} is unknown`, VERIFY);
  const { type, config1, attrFlags, cpu, task } = attr;
  return JSON.stringify({
    type,
    config1: config1.toString(),
    attrFlags: attrFlags.toString(),
    cpu,
    task,
  });
}

function kept(pieces: Map<number, Uint8Array>, key: number, make: () => string): Uint8Array {
  let piece = pieces.get(key);
  if (piece === undefined) {
    piece = encode(make());
    pieces.set(key, piece);
  }
  return piece;
}

function damaged(chunk: EventChunk, i: number, kind: boolean): InputError {
  const what = kind ? `kind ${chunk.kind[i]}` : `recording ${chunk.source[i]}`;
  return new InputError(`event @${chunk.seq[i]}: ${what} is unknown`, VERIFY);
}
