import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkOf, type Event } from '../../src/domain/event-chunk.ts';
import type { ImportSink } from '../../src/domain/import-sink.ts';
import type { PerfEventAttr } from '../../src/domain/log-facts.ts';
import { openLog, openLogForImport } from '../../src/log/log.ts';
import {
  anyEvent,
  appendAll,
  contentOf,
  eventsOf,
  fresh,
  importEvents,
  SUMMARY,
  temporaryFolder,
  timeline,
} from './helpers.ts';

const folder = temporaryFolder();
const U64 = (1n << 64n) - 1n;

describe('importing into a log', () => {
  it('gives back what was appended, numbered from 1', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), async (events) => {
        const path = fresh(folder);
        const log = openLogForImport(path);
        await importEvents(log, events);
        log.close();
        const read = openLog(path);
        // Replay order is that of effective times, inside one run that of appending.
        expect(eventsOf(read.chunks())).toEqual(events.map((e, i) => ({ seq: i + 1, ...e })));
        expect(read.eventCount).toBe(events.length);
        expect(read.verify()).toMatchObject({ ok: true, events: events.length });
        read.close();
      }),
      { numRuns: 25 },
    );
  });

  it('makes the identical file however the events are cut into chunks', async () => {
    const events = timeline(10_000, 1);
    const files: Buffer[] = [];
    for (const sizes of [[10_000], [1, 4095, 4096, 4097], [4096], [777], [5000, 1]]) {
      const path = fresh(folder);
      const log = openLogForImport(path);
      await importEvents(log, events, { sizes, digest: 'same' });
      log.close();
      files.push(readFileSync(path));
    }
    for (const file of files) expect(file.equals(files[0]!)).toBe(true);
  });

  it('fills segments up across append calls', async () => {
    const log = openLogForImport(fresh(folder));
    await importEvents(log, timeline(10_000, 2), { sizes: [3000] });
    await importEvents(log, timeline(5, 3, 10_000_000n), { sizes: [2] });
    expect([...log.chunks()].map((chunk) => chunk.length)).toEqual([4096, 4096, 1808, 5]);
    log.close();
  });

  it('lets the caller use its chunk again', async () => {
    const log = openLogForImport(fresh(folder));
    await log.importRun(async (sink) => {
      const source = sink.beginSource('a');
      const chunk = chunkOf([{ value: 1n, source }]);
      sink.append(chunk);
      chunk.value[0] = 2n;
      sink.append(chunk);
      sink.finishSource(source, SUMMARY);
    });
    expect(eventsOf(log.chunks()).map((event) => event.value)).toEqual([1n, 2n]);
    log.close();
  });

  it('keeps what recordings said of themselves', async () => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    const attr: PerfEventAttr = { type: 8, config1: U64, attrFlags: 1n << 20n, cpu: -1, task: 42 };
    const facts = {
      ...SUMMARY.facts,
      kernelRelease: '6.12.117+deb12-arm64',
      arch: 'arm64',
      commandLine: 'perf record -e "kvm:*" 😀',
    } as const;
    await log.importRun(async (sink) => {
      expect(sink.nextSeq).toBe(1);
      const first = sink.beginSource('a');
      const second = sink.beginSource('b');
      expect([sink.nameId(''), sink.nameId('x'), sink.nameId('y\0z'), sink.nameId('x')]).toEqual([
        0, 1, 2, 1,
      ]);
      expect([
        sink.attrId(attr),
        sink.attrId({ ...attr }),
        sink.attrId({ ...attr, cpu: 0 }),
      ]).toEqual([1, 1, 2]);
      const event = { time: 5n, kind: 36 as const, value: U64 - 1n };
      sink.append(
        chunkOf([
          { ...event, source: second },
          { time: 6n, source: first },
          { ...event, source: second, value: 7n },
        ]),
      );
      expect(sink.nextSeq).toBe(4);
      sink.threadName(42, 'old');
      sink.threadName(42, 'CPU 0/KVM');
      expect(sink.findDigest('bb')).toBeUndefined();
      expect(sink.hasSize(99)).toBe(false);
      sink.finishSource(second, { ...SUMMARY, digest: 'bb', bytes: 99 });
      expect(sink.findDigest('bb')).toBe(second);
      expect(sink.hasSize(99)).toBe(true);
      sink.finishSource(first, { ...SUMMARY, facts, digest: 'aa', bytes: 2 ** 40 });
    });
    log.close();
    const read = openLog(path);
    expect(read.imports()).toEqual([
      {
        ...{ source: 1, run: 1, digest: 'aa', bytes: 2 ** 40, events: 1, lost: 0n },
        ...{ firstSeq: 2, lastSeq: 2, facts, notices: SUMMARY.notices },
      },
      {
        // The sum of the lost records stays at the largest u64.
        ...{ source: 2, run: 1, digest: 'bb', bytes: 99, events: 2, lost: U64 },
        ...{ firstSeq: 1, lastSeq: 3, facts: SUMMARY.facts, notices: SUMMARY.notices },
      },
    ]);
    expect(read.names()).toEqual(['', 'x', 'y\0z']);
    expect([read.name(2), read.name(9)]).toEqual(['y\0z', '#9']);
    expect([read.attr(0), read.attr(1), read.attr(2)]).toEqual([
      undefined,
      attr,
      { ...attr, cpu: 0 },
    ]);
    expect(read.threadName(42)).toBe('CPU 0/KVM');
    expect([...read.kindCounts()]).toEqual([
      [0, 1],
      [36, 2],
    ]);
    expect([read.firstTime, read.lastTime]).toEqual([5n, 6n]);
    expect(read.verify().ok).toBe(true);
    read.close();
  });

  it('goes on with ids and facts in a later run', async () => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    await log.importRun(async (sink) => {
      appendAll(sink, timeline(10, 1), [10], 'one');
      sink.nameId('x');
      sink.threadName(1, 'a');
      sink.threadName(2, 'b');
    });
    const before = log.head;
    await log.importRun(async (sink) => {
      expect([sink.nextSeq, sink.findDigest('one'), sink.hasSize(1234)]).toEqual([11, 1, true]);
      expect([sink.nameId('y'), sink.nameId('x')]).toEqual([2, 1]);
      sink.threadName(2, 'B');
      expect(appendAll(sink, timeline(10, 2), [10], 'two')).toBe(2);
    });
    expect(log.head).not.toBe(before);
    const content = contentOf(log);
    log.close();
    const read = openLog(path);
    expect(contentOf(read)).toEqual(content);
    expect([...read.threads()]).toEqual([
      [1, 'a'],
      [2, 'B'],
    ]);
    expect(read.imports().map((row) => [row.source, row.run])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    read.close();
  });

  it('takes an empty recording', async () => {
    const log = openLogForImport(fresh(folder));
    await importEvents(log, []);
    expect(log.imports()[0]).toMatchObject({ events: 0, firstSeq: undefined, lastSeq: undefined });
    expect([log.eventCount, log.firstTime, [...log.chunks()]]).toEqual([0, undefined, []]);
    await importEvents(log, timeline(3, 1));
    expect(log.verify()).toMatchObject({ ok: true, runs: 2, events: 3 });
    log.close();
  });

  it('stores strings that are no Unicode as the database gives them back', async () => {
    const log = openLogForImport(fresh(folder));
    await log.importRun(async (sink) => {
      expect([sink.nameId('a\ud800'), sink.nameId('a\ud801'), sink.nameId('a\ufffd')]).toEqual([
        1, 1, 1,
      ]);
      sink.threadName(7, 'b\udc00');
      sink.learnVcpu({ index: 0, tid: 7, pid: -1, learnedFrom: 'c\ud800', seq: 1 });
      appendAll(sink, [], [1], 'd');
    });
    expect([log.names(), log.threadName(7)]).toEqual([['', 'a\ufffd'], 'b\ufffd']);
    expect(log.verify().ok).toBe(true);
    log.close();
  });
});

describe('what a run refuses', () => {
  const failing = async (run: (sink: ImportSink) => void, message: string | RegExp) => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    await importEvents(log, timeline(20, 1));
    const before = contentOf(log);
    await expect(log.importRun(async (sink) => run(sink))).rejects.toThrow(message);
    expect(contentOf(log)).toEqual(before);
    await importEvents(log, timeline(20, 2));
    expect(log.verify()).toMatchObject({ ok: true, runs: 2, events: 40 });
    log.close();
  };

  it('keeps nothing of a run that throws, in the middle of a segment or after many', async () => {
    for (const count of [5, 10_000]) {
      await failing((sink) => {
        appendAll(sink, timeline(count, 3), [1000], 'x');
        sink.nameId('never');
        throw new Error('interrupted');
      }, 'interrupted');
    }
  });

  it('keeps nothing if a source with events is not finished or was never begun', async () => {
    await failing((sink) => {
      const source = sink.beginSource('-');
      sink.append(chunkOf([{ source }]));
    }, '1 events of - (source 2), which is not finished');
    await failing((sink) => {
      appendAll(sink, timeline(4, 1), [4], 'x');
      sink.append(chunkOf([{ source: 9 }]));
    }, '1 events of source 9, never begun');
  });

  it('refuses kinds that do not exist', async () => {
    await failing((sink) => {
      appendAll(sink, [{ kind: 63 as Event['kind'] }], [1], 'x');
    }, 'event kind 63 does not exist');
  });

  it('refuses to finish a source twice, and a sink whose run is over', async () => {
    let kept: ImportSink | undefined;
    await failing((sink) => {
      kept = sink;
      sink.finishSource(appendAll(sink, [], [1], 'x'), SUMMARY);
    }, 'source 2 is not open');
    expect(() => kept!.append(chunkOf([{}]))).toThrow('is over');
    expect(() => kept!.nameId('new')).toThrow('is over');
  });

  it('refuses two runs at once, and closing during one', async () => {
    const log = openLogForImport(fresh(folder));
    await log.importRun(async (sink) => {
      await expect(log.importRun(async () => 1)).rejects.toThrow('under way');
      expect(() => log.close()).toThrow('under way');
      expect(() => log.verify()).toThrow('under way');
      appendAll(sink, timeline(10, 1), [10], 'x');
    });
    expect(log.eventCount).toBe(10);
    log.close();
    await expect(log.importRun(async () => 1)).rejects.toThrow('closed');
  });
});

describe('a run that keeps nothing', () => {
  it('leaves the file byte for byte as it was', async () => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    await importEvents(log, timeline(5000, 1));
    log.close();
    const before = readFileSync(path);
    const again = openLogForImport(path);
    const result = await again.importRun(async (sink) => {
      sink.beginSource('a file that is there already');
      sink.nameId('unused');
      sink.learnVcpu({ index: 3, tid: 3, pid: 3, learnedFrom: 'x', seq: -1 });
      return 'nothing new';
    });
    expect(result).toBe('nothing new');
    again.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('leaves no file behind that was not there before', async () => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    await expect(log.importRun(() => Promise.reject(new Error('unreadable')))).rejects.toThrow();
    expect(existsSync(path)).toBe(true);
    log.close();
    log.close();
    expect(existsSync(path)).toBe(false);
  });
});

describe('reads during a run', () => {
  it('see the log as it was before', async () => {
    const log = openLogForImport(fresh(folder));
    await importEvents(log, timeline(5000, 1));
    const before = contentOf(log);
    await log.importRun(async (sink) => {
      appendAll(sink, timeline(9000, 2), [9000], 'x');
      expect(contentOf(log)).toEqual(before);
    });
    expect(log.eventCount).toBe(14_000);
    log.close();
  });

  it('goes on in another connection, with the old state and then with the new', async () => {
    const path = fresh(folder);
    const log = openLogForImport(path);
    await importEvents(log, timeline(9000, 1));
    const early = openLog(path);
    const before = contentOf(early);
    const chunks = early.chunks()[Symbol.iterator]();
    chunks.next();
    await log.importRun(async (sink) => {
      appendAll(sink, timeline(200_000, 2), [9000], 'x');
      expect(contentOf(early)).toEqual(before);
      const during = openLog(path);
      expect(contentOf(during)).toEqual(before);
      during.close();
    });
    // The state of a reader is that of its first look.
    expect(contentOf(early)).toEqual(before);
    expect(chunks.next().value?.length).toBe(4096);
    early.close();
    log.close();
    const late = openLog(path);
    expect(late.eventCount).toBe(209_000);
    late.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(existsSync(`${path}-shm`)).toBe(false);
  });
});
