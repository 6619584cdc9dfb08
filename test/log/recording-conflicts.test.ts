import { describe, expect, it } from 'vitest';
import { chunkOf, type Event } from '../../src/domain/event-chunk.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import type { RecordingFacts } from '../../src/domain/log-facts.ts';
import { recordingConflicts } from '../../src/log/recording-conflicts.ts';

interface Recording {
  readonly facts?: Partial<RecordingFacts>;
  readonly events: readonly Partial<Event>[];
}

/** A log of these recordings, as far as conflicts look at it. */
function logOf(recordings: readonly Recording[]) {
  const events = recordings
    .flatMap((recording, k) => recording.events.map((event) => ({ ...event, source: k + 1 })))
    .sort((a, b) => Number(a.time! - b.time!))
    .map((event, i) => ({ ...event, seq: i + 1 }));
  const seqs = (source: number): readonly number[] =>
    events.flatMap((event) => (event.source === source ? [event.seq] : []));
  return {
    imports: () =>
      recordings.map(({ facts, events: own }, k) => ({
        source: k + 1,
        events: own.length,
        firstSeq: seqs(k + 1)[0],
        lastSeq: seqs(k + 1).at(-1),
        facts: {
          name: `rec${k + 1}`,
          format: 'tracefs',
          role: 'host' as const,
          timeResolution: 1,
          ...facts,
        },
      })),
    timeOf: (seq: number) => events[seq - 1]?.time,
    chunks: ({
      fromTime,
      toTime,
      kinds,
    }: {
      fromTime: bigint;
      toTime: bigint;
      kinds: ReadonlySet<EventKind>;
    }) => [
      chunkOf(
        events.filter(
          ({ time, kind }) => time! >= fromTime && time! <= toTime && kinds.has(kind as EventKind),
        ),
      ),
    ],
  };
}

/** A guest that reads a counter, as one recorder saw it: every record some time late, a few lost. */
function run(from: bigint, value: bigint, late = 0n, lost = 0): readonly Partial<Event>[] {
  return Array.from({ length: 40 }, (_, i) => ({
    kind: EventKind.read,
    time: from + BigInt(i) * 1000n + late,
    tid: 281,
    code: 7,
    value: value + BigInt(i * i),
  })).slice(lost);
}

const codes = (recordings: readonly Recording[]) =>
  recordingConflicts(logOf(recordings)).map(({ code, recordings: pair }) => [code, ...pair]);

describe('recordings of one log', () => {
  it('are one run in two forms when they hold the same records, late and lost ones aside', () => {
    expect(codes([{ events: run(1000n, 5n) }, { events: run(1000n, 5n, 300n, 6) }])).toEqual([
      ['same-run', 1, 2],
    ]);
  });

  it('are two runs when values differ, or their times lie apart, or a guest recorded one', () => {
    const one = { events: run(1000n, 5n) };
    expect(codes([one, { events: run(1000n, 1_000_000n) }])).toEqual([]);
    expect(codes([one, { events: run(9_000_000n, 5n) }])).toEqual([]);
    expect(codes([one, { events: run(1000n, 5n), facts: { role: 'guest' } }])).toEqual([]);
  });

  it('are named once each, however many forms there are', () => {
    const form = { events: run(1000n, 5n) };
    expect(codes([form, form, form])).toEqual([
      ['same-run', 1, 2],
      ['same-run', 1, 3],
    ]);
  });

  it('are of one kernel also where one was told without its suffix', () => {
    const [a, b] = ['6.12.117', '6.12.117+deb12-arm64'].map((kernelRelease) => ({ kernelRelease }));
    expect(
      codes([
        { facts: a!, events: [] },
        { facts: b!, events: [] },
      ]),
    ).toEqual([]);
  });

  it.each([
    ['other-arch', { arch: 'arm64' }, { arch: 'x86', hostname: 'b' }],
    ['other-host', { hostname: 'a', kernelRelease: '6.1' }, { hostname: 'b' }],
    ['other-kernel', { hostname: 'a', kernelRelease: '6.1.0-9' }, { kernelRelease: '6.12' }],
  ] as const)('are of two hosts: %s', (code, a, b) => {
    const recordings = [
      { facts: a, events: run(1n, 1n) },
      { facts: b, events: run(1n, 900n) },
    ];
    expect(codes(recordings)).toEqual([[code, 1, 2]]);
    // What the guest says of itself is no second host; what says nothing contradicts nothing.
    expect(codes([recordings[0]!, { facts: { ...b, role: 'guest' }, events: [] }])).toEqual([]);
    expect(codes([recordings[0]!, { events: run(1n, 900n) }])).toEqual([]);
  });
});
