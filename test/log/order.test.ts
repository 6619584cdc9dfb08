import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/domain/event-chunk.ts';
import type { EventKind } from '../../src/domain/event-kind.ts';
import { type ChunkRange, type Cursor, type Log, openLog } from '../../src/log/log.ts';
import { eventsOf, fresh, logWith, randomOf, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();

interface Placed {
  readonly event: Event;
  readonly run: number;
  /** Effective time. */
  readonly time: bigint;
}

/** The plain definition: all events sorted by (effective time, run, seq). */
function sorted(runs: readonly (readonly Partial<Event>[])[]): Placed[] {
  const placed: Placed[] = [];
  let seq = 1;
  runs.forEach((events, run) => {
    let time = 0n;
    for (const event of events) {
      if (event.time! > time) time = event.time!;
      placed.push({ event: { ...event, seq: seq++, source: run + 1 } as Event, run, time });
    }
  });
  return placed.sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : a.run - b.run || a.event.seq - b.event.seq,
  );
}

const selected = (all: readonly Placed[], range: ChunkRange): Event[] =>
  all
    .filter(({ event, time, run }) => {
      const { after, fromSeq, toSeq, fromTime, toTime, kinds } = range;
      return (
        event.seq > (after?.[run] ?? 0) &&
        event.seq >= (fromSeq ?? 0) &&
        event.seq <= (toSeq ?? Infinity) &&
        time >= (fromTime ?? 0n) &&
        (toTime === undefined || time <= toTime) &&
        (kinds?.has(event.kind) ?? true)
      );
    })
    .map(({ event }) => event);

/** Logs of several shapes, each with its plain order. */
const shapes: Record<string, Partial<Event>[][]> = {
  'one run': [timeline(9000, 1)],
  'runs after each other': [
    timeline(5000, 2),
    timeline(100, 3, 60_000n),
    timeline(5000, 4, 90_000n),
  ],
  'a later run that is earlier in time': [timeline(5000, 5, 90_000n), timeline(5000, 6)],
  'two runs interleaved': [timeline(9000, 7), timeline(9000, 8)],
  'a short run inside a long one': [
    timeline(20_000, 9),
    timeline(50, 10, 30_000n),
    timeline(3, 11, 31_000n),
  ],
  'three runs that overlap at their ends, one empty': [
    timeline(6000, 12),
    [],
    timeline(6000, 13, 18_000n),
    timeline(6000, 14, 36_000n),
  ],
  'equal times everywhere': [
    timeline(5000, 15, 7n, 1),
    timeline(5000, 16, 7n, 1),
    timeline(10, 17, 7n, 1),
  ],
  'times far beyond 32 bits': [
    timeline(3000, 20).map((event) => ({ ...event, time: event.time << 30n })),
    timeline(3000, 21).map((event) => ({ ...event, time: (event.time << 30n) + 5n })),
  ],
  'a clock that steps back between two segments': [
    [
      ...Array.from({ length: 4096 }, (_, i) => ({ time: BigInt(i) })),
      ...Array.from({ length: 3000 }, (_, i) => ({ time: 2000n + BigInt(i) })),
    ],
    Array.from({ length: 500 }, (_, i) => ({ time: 4000n + BigInt(i) })),
  ],
  'runs that touch in one instant': [
    timeline(100, 18, 50n, 1),
    [...timeline(10, 19, 10n, 2), { time: 50n, kind: 1 as const }],
  ],
};

const logs = new Map<string, { log: Log; all: Placed[] }>();
async function shape(name: string): Promise<{ log: Log; all: Placed[] }> {
  let entry = logs.get(name);
  if (entry === undefined) {
    const runs = shapes[name]!.map((events) => events.map((event) => ({ ...NONE, ...event })));
    const path = fresh(folder);
    await logWith(path, runs);
    entry = { log: openLog(path), all: sorted(runs) };
    logs.set(name, entry);
  }
  return entry;
}
const NONE = {
  ...{ time: 0n, kind: 0 as const, flags: 0, pcpu: -1, vcpu: -1, tid: -1, counter: -1, code: 0 },
  ...{ object: 0n, value: 0n, aux0: 0n, aux1: 0n },
};

describe.each(Object.keys(shapes))('replay order: %s', (name) => {
  it('is that of a plain sort by (effective time, run, seq)', async () => {
    const { log, all } = await shape(name);
    const chunks = [...log.chunks()];
    expect(eventsOf(chunks)).toEqual(all.map(({ event }) => event));
    for (const chunk of chunks) {
      expect(chunk.length).toBeGreaterThan(0);
      expect(chunk.length).toBeLessThanOrEqual(4096);
    }
    expect(log.firstTime).toBe(all[0]!.time);
    expect(log.lastTime).toBe(all.at(-1)!.time);
  });

  it('gives ranges as a filter over all events would', async () => {
    const { log, all } = await shape(name);
    const random = randomOf(name.length);
    const pick = () => all[random() % all.length]!;
    const kinds = new Set<EventKind>([1, 14]);
    const ranges: ChunkRange[] = [
      { fromSeq: 0, toSeq: 1e9, fromTime: -5n, toTime: 1n << 70n },
      { fromSeq: all.length + 1 },
      { toSeq: 0 },
      { fromTime: all.at(-1)!.time + 1n },
      { toTime: all[0]!.time - 1n },
      { kinds: new Set<EventKind>([40]) },
      { kinds },
    ];
    for (let i = 0; i < 6; i++) {
      const [a, b] = [pick(), pick()];
      const seqs = { fromSeq: a.event.seq, toSeq: b.event.seq };
      const times = { fromTime: a.time, toTime: b.time };
      ranges.push(seqs, times, { ...seqs, kinds }, { ...times, kinds }, { ...seqs, ...times });
      ranges.push({ fromTime: a.time }, { toTime: a.time + 1n, fromSeq: b.event.seq });
    }
    for (const range of ranges) {
      expect(eventsOf(log.chunks(range))).toEqual(selected(all, range));
    }
  });

  it('resumes anywhere with the same rest', async () => {
    const { log, all } = await shape(name);
    const order = all.map(({ event }) => event.seq);
    const random = randomOf(77);
    const kinds = new Set<EventKind>([2, 3, 18]);
    const ranges: ChunkRange[] = [
      {},
      { fromTime: all[500 % all.length]!.time, toSeq: all.length - 20 },
      { kinds },
    ];
    for (const range of ranges) {
      const wanted = selected(all, range).map((event) => event.seq);
      let done = 0;
      for (const chunk of log.chunks(range)) {
        const seqsAfter = (after: Cursor) =>
          eventsOf(log.chunks({ ...range, after })).map((event) => event.seq);
        const i = random() % chunk.length;
        expect(seqsAfter(log.cursorAfter(chunk, i))).toEqual(wanted.slice(done + i + 1));
        done += chunk.length;
        expect(seqsAfter(chunk.cursor)).toEqual(wanted.slice(done));
        expect(log.cursorAfter(chunk)).toEqual(chunk.cursor);
      }
      expect(done).toBe(wanted.length);
    }
    // Event by event through the middle of the log.
    let after: Cursor | undefined;
    let at = 0;
    for (const chunk of log.chunks({ toTime: all[Math.floor(all.length / 2)]!.time })) {
      after = log.cursorAfter(chunk, chunk.length >> 1);
      at += chunk.length;
      const here = at - chunk.length + (chunk.length >> 1) + 1;
      const next = eventsOf(log.chunks({ after }))[0]?.seq;
      expect(next).toBe(order[here]);
    }
  });

  it('tells effective times, single events and the events before', async () => {
    const { log, all } = await shape(name);
    const random = randomOf(5);
    for (let i = 0; i < 40; i++) {
      const at = random() % all.length;
      const { event, time } = all[at]!;
      expect(log.event(event.seq)).toEqual(event);
      expect(log.timeOf(event.seq)).toBe(time);
      const count = random() % 30;
      expect(log.eventsBefore(event.seq, count)).toEqual(
        all.slice(Math.max(0, at - count), at).map((placed) => placed.event),
      );
    }
    for (const seq of [0, -1, all.length + 1, 1.5, Number.NaN]) {
      expect([log.event(seq), log.timeOf(seq)]).toEqual([undefined, undefined]);
      expect(log.eventsBefore(seq, 3)).toEqual([]);
    }
  });
});

describe('replay order', () => {
  it('holds for any small runs', async () => {
    const time = fc.bigInt({ min: 0n, max: 12n });
    const run = fc.array(fc.record({ time, kind: fc.constantFrom<EventKind>(1, 2) }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(run, { minLength: 1, maxLength: 4 }),
        fc.bigInt({ min: -1n, max: 13n }),
        fc.array(fc.nat(40), { maxLength: 4 }),
        async (short, limit, cursor) => {
          const runs = short.map((events) => events.map((event) => ({ ...NONE, ...event })));
          const path = fresh(folder);
          await logWith(path, runs);
          const log = openLog(path);
          const all = sorted(runs);
          const ranges: ChunkRange[] = [
            {},
            { toTime: limit },
            { fromTime: limit },
            { after: cursor },
            { after: cursor, toTime: limit, kinds: new Set<EventKind>([2]) },
          ];
          for (const range of ranges) {
            expect(eventsOf(log.chunks(range))).toEqual(selected(all, range));
          }
          log.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lets an iteration be left at any point, and another run along with it', async () => {
    const { log, all } = await shape('two runs interleaved');
    const left = log.chunks()[Symbol.iterator]();
    left.next();
    for (const chunk of log.chunks()) {
      if (chunk.length > 0) break;
    }
    const chunks = log.chunks();
    expect(eventsOf(chunks)).toHaveLength(all.length);
    expect(eventsOf(chunks)).toHaveLength(all.length);
    expect(left.next().done).toBe(false);
  });

  it('gives every reader columns of its own', async () => {
    const { log, all } = await shape('one run');
    const chunks = [...log.chunks()];
    chunks[0]!.value.fill(0n);
    chunks[0]!.kind.fill(9);
    expect(eventsOf(log.chunks())).toEqual(all.map(({ event }) => event));
    expect(log.event(1)).toEqual(all[0]!.event);
  });
});
