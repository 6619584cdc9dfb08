import {
  allocateChunk,
  COLUMNS,
  type Event,
  eventAt,
  type MutableEventChunk,
} from '../../../src/domain/event-chunk.ts';
import { EventFlag, EventKind } from '../../../src/domain/event-kind.ts';
import type { ImportNotice, RecordingFacts, Role } from '../../../src/domain/log-facts.ts';
import type { ImportContext, StreamImporter } from '../../../src/import/importer.ts';

/** One count as a test wants to see it. */
export interface Seen {
  readonly event: string;
  readonly value: bigint;
  readonly flags: string;
  readonly time: bigint;
  readonly length: bigint;
  readonly running: number;
  readonly runtime: bigint;
  readonly pcpu: number;
  readonly tid: number;
  readonly vcpu: number;
}

export interface Collected {
  readonly counts: readonly Seen[];
  /** `event permyriad of N runs` of every mean. */
  readonly spreads: readonly string[];
  readonly events: readonly Event[];
  readonly facts: Partial<RecordingFacts>;
  readonly notices: readonly ImportNotice[];
  readonly threads: ReadonlyMap<number, string>;
  readonly learned: readonly string[];
  /** Notice counts by code. */
  noticed(code: string): number;
}

/** Reads text (or bytes) with an importer into plain objects; `split` cuts the bytes at these offsets. */
export function collect(
  importer: StreamImporter,
  input: string | Uint8Array,
  options: { role?: Role; statStart?: bigint; split?: readonly number[]; every?: number } = {},
): Collected {
  const chunk: MutableEventChunk = allocateChunk(65_536);
  const names = [''];
  const threads = new Map<number, string>();
  const learned: string[] = [];
  const vcpus: { index: number; tid: number }[] = [];
  const context = {
    name: 'test-input',
    source: 1,
    role: options.role,
    statStart: options.statStart,
    out: {
      chunk,
      row: () => {
        const i = chunk.length++;
        for (const { name, none } of COLUMNS) (chunk[name] as { [i: number]: unknown })[i] = none;
        chunk.source[i] = 1;
        return i;
      },
      get count() {
        return chunk.length;
      },
    },
    nameId: (text: string) => {
      const known = names.indexOf(text);
      return known >= 0 ? known : names.push(text) - 1;
    },
    threadName: (tid: number, name: string) => {
      threads.set(tid, name);
    },
    learnVcpu: (index: number, tid: number, pid: number, from: string) => {
      const slot = vcpus.findIndex((vcpu) => vcpu.tid === tid);
      if (slot >= 0) return slot;
      learned.push(`${index} ${tid} ${pid} ${from} @${chunk.length}`);
      return vcpus.push({ index, tid }) - 1;
    },
    slotOfThread: (tid: number) => vcpus.findIndex((vcpu) => vcpu.tid === tid),
    slotOfIndex: (index: number) => ({
      slot: vcpus.findIndex((vcpu) => vcpu.index === index),
      ambiguous: false,
    }),
  } as unknown as ImportContext;
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
  const reader = importer.open(context);
  let from = 0;
  const cuts = options.every
    ? Array.from({ length: Math.ceil(bytes.length / options.every) }, (_, i) => i * options.every!)
    : [...(options.split ?? [])].sort((a, b) => a - b);
  for (const cut of [...cuts, bytes.length]) {
    // A copy that is wiped afterwards: a reader must not keep the caller's bytes.
    const piece = bytes.slice(from, cut);
    reader.push(piece);
    piece.fill(0x7b);
    from = Math.max(from, cut);
  }
  reader.end();
  const events = Array.from({ length: chunk.length }, (_, i) => eventAt(chunk, i));
  const notices = reader.notices();
  return {
    spreads: events
      .filter(({ kind }) => kind === EventKind.countSpread)
      .map(({ code, value, aux0 }) => `${names[code]} ${value} of ${aux0} runs`),
    counts: events
      .filter(({ kind }) => kind === EventKind.count)
      .map((event) => ({
        event: names[event.code]!,
        value: event.value,
        flags: flagNames(event.flags),
        time: event.time,
        length: event.object,
        running: Number(event.aux0),
        runtime: event.aux1,
        pcpu: event.pcpu,
        tid: event.tid,
        vcpu: event.vcpu,
      })),
    events,
    facts: reader.facts(),
    notices,
    threads,
    learned,
    noticed: (code) => notices.find((notice) => notice.code === code)?.count ?? 0,
  };
}

export function flagNames(flags: number): string {
  return Object.entries(EventFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join(' ');
}
