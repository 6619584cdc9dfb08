import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, vi } from 'vitest';
import {
  COLUMNS,
  chunkOf,
  type Event,
  type EventChunk,
  eventAt,
} from '../../src/domain/event-chunk.ts';
import { KIND_SPECS } from '../../src/domain/event-kind.ts';
import type { ImportSink, ImportSummary } from '../../src/domain/import-sink.ts';
import { type Log, openLogForImport, type WritableLog } from '../../src/log/log.ts';

// Files, locks and fsync: fast alone, but not beside other work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A folder that is gone when the file's tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-log-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let files = 0;
/** A new file name in a folder. */
export function fresh(folder: string): string {
  return join(folder, `${files++}.vpmu`);
}

export const SUMMARY: ImportSummary = {
  facts: { name: 'host.txt', format: 'perf-script', role: 'host', timeResolution: 1 },
  digest: 'd1',
  bytes: 1234,
  notices: [{ severity: 'warning', code: 'unmapped-event', text: 'kvm:kvm_pio', count: 3 }],
};

/** One run with one source that appends chunks of events (their `source` is set). */
export function importEvents(
  log: WritableLog,
  events: readonly Partial<Event>[],
  options: { sizes?: readonly number[]; digest?: string } = {},
): Promise<void> {
  return log.importRun(async (sink) => {
    appendAll(sink, events, options.sizes ?? [events.length], options.digest ?? `${Math.random()}`);
  });
}

/** Appends events as one source, cut into chunks of the given sizes (the last size repeats). */
export function appendAll(
  sink: ImportSink,
  events: readonly Partial<Event>[],
  sizes: readonly number[],
  digest: string,
): number {
  const source = sink.beginSource('host.txt');
  for (let from = 0, n = 0; from < events.length; n++) {
    const size = Math.max(1, sizes[Math.min(n, sizes.length - 1)] ?? 1);
    const part = events.slice(from, from + size).map((event) => ({ ...event, source }));
    sink.append(chunkOf(part));
    from += size;
  }
  sink.finishSource(source, { ...SUMMARY, digest });
  return source;
}

/** A log with one run per list of events; closed and opened again by the caller's choice. */
export async function logWith(
  path: string,
  runs: readonly (readonly Partial<Event>[])[],
): Promise<void> {
  const log = openLogForImport(path);
  for (const [i, events] of runs.entries()) {
    await importEvents(log, events, { digest: `digest ${i}` });
  }
  log.close();
}

/** Events of chunks as objects. */
export function eventsOf(chunks: Iterable<EventChunk>): Event[] {
  const events: Event[] = [];
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) events.push(eventAt(chunk, i));
  }
  return events;
}

/** All a log says, to compare logs by. */
export function contentOf(log: Log): unknown {
  return {
    events: eventsOf(log.chunks()),
    imports: log.imports(),
    names: log.names(),
    vcpus: log.vcpus(),
    threads: [...log.threads()],
    attrs: [0, 1, 2, 3].map((id) => log.attr(id)),
    kinds: [...log.kindCounts()],
    times: [log.firstTime, log.lastTime],
    head: log.head,
  };
}

const u64 = fc.oneof(
  fc.constantFrom(0n, 1n, 127n, 128n, (1n << 32n) - 1n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n),
  fc.bigInt({ min: 0n, max: 5000n }),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const int = (min: number, max: number, none: number) =>
  fc.oneof(fc.constantFrom(min, max, none), fc.integer({ min, max: Math.min(max, 40) }));

/** Any event of a known kind, extremes included. */
export const anyEvent: fc.Arbitrary<Omit<Event, 'seq'>> = fc.record({
  time: u64,
  kind: fc.integer({ min: 0, max: KIND_SPECS.length - 1 }) as fc.Arbitrary<Event['kind']>,
  flags: int(0, 65535, 0),
  source: fc.constant(1),
  pcpu: int(-32768, 32767, -1),
  vcpu: int(-32768, 32767, -1),
  tid: int(-(2 ** 31), 2 ** 31 - 1, -1),
  counter: int(-128, 127, -1),
  code: int(0, 2 ** 32 - 1, 0),
  object: u64,
  value: u64,
  aux0: u64,
  aux1: u64,
});

/** Events whose times mostly climb, often stand still and sometimes run back: what recordings look like. */
export function timeline(
  count: number,
  seed: number,
  start = 1000n,
  step = 8,
): Omit<Event, 'seq' | 'source'>[] {
  const random = randomOf(seed);
  let time = start;
  return Array.from({ length: count }, () => {
    const r = random();
    time += BigInt(r % step);
    const back = random() % 16 === 0 ? BigInt(random() % 20) : 0n;
    const kind = ([1, 2, 3, 4, 5, 14, 18, 36] as const)[random() % 8]!;
    return {
      time: time > back ? time - back : 0n,
      kind,
      flags: random() % 3,
      pcpu: random() % 4,
      vcpu: (random() % 3) - 1,
      tid: 100 + (random() % 5),
      counter: kind === 14 ? random() % 7 : -1,
      code: random() % 30,
      object: kind > 10 ? 0xffff_0000_0000_0000n + BigInt(random() % 4) * 64n : 0n,
      value: BigInt(random() % 100_000),
      aux0: kind === 18 ? time * 3n : 0n,
      aux1: 0n,
    };
  });
}

/** A small repeatable generator of u31 numbers. */
export function randomOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 1;
  };
}

/** The columns of a chunk as plain arrays, for comparing. */
export function columnsOf(chunk: EventChunk): Record<string, unknown[]> {
  return Object.fromEntries(
    COLUMNS.map(({ name }) => [name, Array.from<unknown>(chunk[name]).slice(0, chunk.length)]),
  );
}
