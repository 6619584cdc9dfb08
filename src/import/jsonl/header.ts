import { InputError } from '../../domain/errors.ts';
import type { ImportNotice, RecordingFacts, VcpuFact } from '../../domain/log-facts.ts';
import {
  SLICE_READS,
  type SliceFacts,
  type SliceReads,
  sliceText,
} from '../../domain/slice-facts.ts';

/** Name and version of the format: the header's `format`. */
export const JSONL_FORMAT = 'vpmu-events';
export const JSONL_VERSION = 1;

/** One recording as the header has it. */
export interface HeaderRecording {
  readonly facts: RecordingFacts;
  /** SHA-256 of the recording's bytes, hex; only a file of a single recording may leave it out. */
  readonly digest?: string;
  readonly bytes?: number;
  readonly notices: readonly ImportNotice[];
}

/** One vCPU as the header has it; `event`: number of the event (from 1, in this file) from which on it is known. */
export interface HeaderVcpu extends Omit<VcpuFact, 'seq'> {
  readonly event?: number;
}

/** The first line of a vpmu-events file. */
export interface Header {
  /** Event lines that follow; undefined when the writer did not know. */
  readonly events?: number;
  /** How it was cut from a log, if it was. */
  readonly slice?: SliceFacts;
  readonly recordings: readonly HeaderRecording[];
  readonly vcpus: readonly HeaderVcpu[];
  readonly threads: readonly { readonly tid: number; readonly name: string }[];
}

/** Writes the header line, without line end. */
export function formatHeader(header: Header): string {
  const { events, slice, recordings, vcpus, threads } = header;
  return JSON.stringify({
    format: `${JSONL_FORMAT}/${JSONL_VERSION}`,
    events,
    slice,
    recordings: recordings.map(({ facts, digest, bytes, notices }) => ({
      name: facts.name,
      format: facts.format,
      role: facts.role,
      kernelRelease: facts.kernelRelease,
      arch: facts.arch,
      hostname: facts.hostname,
      toolVersion: facts.toolVersion,
      commandLine: facts.commandLine,
      counted: facts.counted,
      clock: facts.clock,
      placedWithin: facts.placedWithin,
      timeResolution: facts.timeResolution,
      digest,
      bytes,
      notices: notices.map(({ severity, code, text, count, firstAt }) => ({
        severity,
        code,
        text,
        count,
        firstAt,
      })),
    })),
    vcpus: vcpus.map(({ slot, index, tid, pid, learnedFrom, event }) => ({
      slot,
      index,
      tid,
      pid,
      learnedFrom,
      event,
    })),
    threads: threads.map(({ tid, name }) => ({ tid, name })),
  });
}

/** True when `line` is the header of any version of the format. */
export function isHeader(line: string): boolean {
  return /^\s*\{\s*"format"\s*:\s*"vpmu-events\//.test(line);
}

/** Parses and checks the header line. Errors: InputError `${name}: line 1: …`. */
export function parseHeader(line: string, name: string): Header {
  const fail = (why: string, hint?: string): InputError =>
    new InputError(`${name}: line 1: ${why}`, hint);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw fail('the header is not JSON', `it begins {"format":"${JSONL_FORMAT}/${JSONL_VERSION}"`);
  }
  const format = isObject(json) ? json['format'] : undefined;
  const version = typeof format === 'string' ? /^vpmu-events\/(\d{1,9})$/.exec(format) : null;
  if (!version) throw fail(`the header does not say that this is ${JSONL_FORMAT}`);
  if (Number(version[1]) > JSONL_VERSION) {
    throw fail(
      `the file is ${format}, this vpmu reads up to ${JSONL_FORMAT}/${JSONL_VERSION}`,
      'read it with the vpmu that wrote it, or a later one',
    );
  }
  if (Number(version[1]) !== JSONL_VERSION) throw fail(`there is no ${format}`);
  const header = new Members(json, 'the header', fail);
  const slice = header.has('slice') ? header.nested('slice', parseSlice) : undefined;
  const recordings = withSlice(header.list('recordings', 'recording', parseRecording), slice);
  if (recordings.length === 0) throw fail('the header lists no recording');
  if (recordings.length > 1 && recordings.some(({ digest }) => digest === undefined)) {
    throw fail('one of several recordings has no digest');
  }
  const events = header.optionalWhole('events', Number.MAX_SAFE_INTEGER);
  const parsed: Header = {
    ...(events === undefined ? {} : { events }),
    ...(slice === undefined ? {} : { slice }),
    recordings,
    vcpus: header.optionalList('vcpus', 'vCPU', parseVcpu),
    threads: header.optionalList('threads', 'thread', parseThread),
  };
  header.finish(['format']);
  const slots = new Set(parsed.vcpus.map(({ slot }) => slot));
  if (slots.size < parsed.vcpus.length) throw fail('two vCPUs have the same slot');
  return parsed;
}

/** The first recording carries the slice into the log. */
function withSlice(
  recordings: readonly HeaderRecording[],
  slice: SliceFacts | undefined,
): readonly HeaderRecording[] {
  if (slice === undefined) return recordings;
  return recordings.map((recording, i) =>
    i > 0 ? recording : { ...recording, facts: { ...recording.facts, slice: sliceText(slice) } },
  );
}

function parseSlice(at: Members): SliceFacts {
  const most = Number.MAX_SAFE_INTEGER;
  const digits = (name: string): string => {
    const text = at.text(name);
    if (!/^\d{1,20}$/.test(text)) throw at.fail(`${name} is no time in ns`);
    return text;
  };
  const slice: SliceFacts = {
    tool: at.text('tool'),
    source: at.text('source'),
    fromSeq: at.whole('fromSeq', 0, most),
    toSeq: at.whole('toSeq', 0, most),
    fromTime: digits('fromTime'),
    toTime: digits('toTime'),
    preamble: at.whole('preamble', 0, most),
    form: at.oneOf('form', ['state', 'history'] as const),
    ruleSet: at.text('ruleSet'),
    guestReads: at.nested('guestReads', parseReads),
    counterReads: at.nested('counterReads', parseReads),
  };
  at.finish();
  return slice;
}

function parseReads(at: Members): SliceReads {
  const of = (name: (typeof SLICE_READS)[number]): number =>
    at.whole(name, 0, Number.MAX_SAFE_INTEGER);
  const [total, confirmed, bounded, unknown, contradicted] = SLICE_READS.map(of) as [
    number,
    number,
    number,
    number,
    number,
  ];
  at.finish();
  return { total, confirmed, bounded, unknown, contradicted };
}

function parseRecording(at: Members): HeaderRecording {
  const digest = at.optionalText('digest');
  if (digest !== undefined && !/^[0-9a-f]{64}$/.test(digest)) {
    throw at.fail('digest is no SHA-256 in lower-case hex');
  }
  const bytes = at.optionalWhole('bytes', Number.MAX_SAFE_INTEGER);
  const facts: { -readonly [K in keyof RecordingFacts]: RecordingFacts[K] } = {
    name: at.text('name'),
    format: at.text('format'),
    role: at.oneOf('role', ['host', 'guest'] as const),
    timeResolution: at.optionalWhole('timeResolution', 1_000_000_000) ?? 1,
  };
  for (const key of TEXT_FACTS) {
    const text = at.optionalText(key);
    if (text !== undefined) facts[key] = text;
  }
  const placedWithin = at.optionalWhole('placedWithin', Number.MAX_SAFE_INTEGER);
  if (placedWithin !== undefined) facts.placedWithin = placedWithin;
  if (at.has('arch')) facts.arch = at.oneOf('arch', ['arm64', 'x86'] as const);
  const notices = at.optionalList('notices', 'notice', parseNotice);
  at.finish();
  return {
    facts,
    ...(digest === undefined ? {} : { digest }),
    ...(bytes === undefined ? {} : { bytes }),
    notices,
  };
}

const TEXT_FACTS = [
  'kernelRelease',
  'hostname',
  'toolVersion',
  'commandLine',
  'counted',
  'clock',
] as const;

function parseNotice(at: Members): ImportNotice {
  const firstAt = at.optionalWhole('firstAt', Number.MAX_SAFE_INTEGER);
  const notice: ImportNotice = {
    severity: at.oneOf('severity', ['info', 'warning', 'error'] as const),
    code: at.text('code'),
    text: at.text('text'),
    count: at.whole('count', 0, Number.MAX_SAFE_INTEGER),
    ...(firstAt === undefined ? {} : { firstAt }),
  };
  at.finish();
  return notice;
}

function parseVcpu(at: Members): HeaderVcpu {
  const event = at.optionalWhole('event', Number.MAX_SAFE_INTEGER);
  if (event === 0) throw at.fail('event counts from 1');
  const vcpu: HeaderVcpu = {
    slot: at.whole('slot', 0, 32_767),
    index: at.whole('index', 0, 0x7fff_ffff),
    tid: at.whole('tid', -1, 0x7fff_ffff),
    pid: at.whole('pid', -1, 0x7fff_ffff),
    learnedFrom: at.text('learnedFrom'),
    ...(event === undefined ? {} : { event }),
  };
  at.finish();
  return vcpu;
}

function parseThread(at: Members): { readonly tid: number; readonly name: string } {
  const thread = { tid: at.whole('tid', 0, 0x7fff_ffff), name: at.text('name') };
  at.finish();
  return thread;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Takes the members of a JSON object one by one, each checked; `finish` refuses what is left over. */
class Members {
  readonly fail: (why: string) => InputError;
  private readonly object: Readonly<Record<string, unknown>>;
  private readonly taken = new Set<string>();

  constructor(value: unknown, what: string, fail: (why: string) => InputError) {
    this.fail = (why) => fail(`${what}: ${why}`);
    if (!isObject(value)) throw fail(`${what} is no object`);
    this.object = value;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  text(name: string): string {
    const value = this.take(name);
    if (typeof value !== 'string') throw this.fail(`${name} is missing or no string`);
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.take(name);
    const found = values.find((known) => known === value);
    if (found === undefined) throw this.fail(`${name} is not ${values.join(' or ')}`);
    return found;
  }

  whole(name: string, min: number, max: number): number {
    const value = this.take(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw this.fail(`${name} is no whole number from ${min} to ${max}`);
    }
    return value;
  }

  optionalWhole(name: string, max: number): number | undefined {
    return this.has(name) ? this.whole(name, 0, max) : undefined;
  }

  list<T>(name: string, what: string, parse: (at: Members) => T): readonly T[] {
    const value = this.take(name);
    if (!Array.isArray(value)) throw this.fail(`${name} is missing or no array`);
    return value.map((item, i) => parse(new Members(item, `${what} ${i + 1}`, this.fail)));
  }

  nested<T>(name: string, parse: (at: Members) => T): T {
    return parse(new Members(this.take(name), name, this.fail));
  }

  optionalList<T>(name: string, what: string, parse: (at: Members) => T): readonly T[] {
    return this.has(name) ? this.list(name, what, parse) : [];
  }

  finish(known: readonly string[] = []): void {
    const extra = Object.keys(this.object).find(
      (name) => !this.taken.has(name) && !known.includes(name),
    );
    if (extra !== undefined) {
      throw this.fail(`unknown member ${JSON.stringify(extra.slice(0, 40))}`);
    }
  }

  private take(name: string): unknown {
    this.taken.add(name);
    return this.has(name) ? this.object[name] : undefined;
  }
}
