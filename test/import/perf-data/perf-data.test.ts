import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../../src/domain/event-kind.ts';
import { importText } from '../import-text.ts';
import {
  type AttrSpec,
  comm,
  type FileSpec,
  type FormatSpec,
  fork,
  joined,
  perfFile,
  perfPipe,
  ROUND,
  record,
  SAMPLE,
  sample,
  stored,
  trailer,
  USUAL,
  Writer,
} from './perf-file.ts';

/** A tracepoint the mapping table knows, with a 64-bit field, and one it does not. */
const ENTRY: FormatSpec = {
  id: 62,
  system: 'kvm',
  name: 'kvm_entry',
  fields: ['unsigned long vcpu_pc;\toffset:8;\tsize:8;\tsigned:0;'],
};
const OWN: FormatSpec = {
  id: 63,
  system: 'mine',
  name: 'tick',
  fields: ['int n;\toffset:8;\tsize:4;\tsigned:1;'],
};
const ATTRS: readonly AttrSpec[] = [
  { config: 62, ids: [6, 7], name: 'kvm:kvm_entry' },
  { config: 63, ids: [8, 9], name: 'mine:tick' },
];

function entryRaw(pc: bigint): Uint8Array {
  return new Writer().u16(62).u8(0, 0).u32(11).u64(pc).take();
}

const entry = (time: number | bigint, pc: bigint, more: object = {}): Uint8Array =>
  sample(USUAL, { id: 6, time, raw: entryRaw(pc), ...more });
const tick = (time: number, more: object = {}): Uint8Array =>
  sample(USUAL, { id: 9, time, raw: new Writer().u16(63).u8(0, 0).u32(11, 1).take(), ...more });

function spec(records: readonly Uint8Array[], more: Partial<FileSpec> = {}): FileSpec {
  return { attrs: ATTRS, formats: [ENTRY, OWN], records, ...more };
}

const fileOf = (...args: Parameters<typeof spec>) => perfFile(spec(...args));
const codes = (report: { notices: readonly { code: string }[] }) =>
  report.notices.map(({ code }) => code).sort();

describe('perf.data', () => {
  it('becomes events with exact numbers', async () => {
    const time = 0x0123_4567_89ab_cdefn;
    const bytes = fileOf([comm(11, 'CPU 3/KVM'), entry(time, 0xffff_ffff_8000_1234n, { cpu: 5 })]);
    const { events, sink, report } = await importText(bytes);
    expect(events).toMatchObject([
      {
        kind: EventKind.guestEnter,
        time,
        value: 0xffff_ffff_8000_1234n,
        pcpu: 5,
        tid: 11,
        vcpu: 3,
      },
    ]);
    expect(sink.vcpus()).toMatchObject([{ index: 3, tid: 11, pid: 10 }]);
    expect(report.facts).toMatchObject({
      format: 'perf-data',
      hostname: 'host',
      kernelRelease: '6.12.0',
      arch: 'arm64',
      commandLine: 'perf record',
    });
  });

  it.each([64, 72, 80, 96, 104, 112, 120, 128, 136, 144])(
    'reads events of %i bytes, in files and through pipes',
    async (attrSize) => {
      const records = [comm(11, 'CPU 0/KVM'), entry(5, 1n), tick(6)];
      const file = await importText(perfFile(spec(records, { attrSize })));
      const pipe = await importText(perfPipe(spec(records, { attrSize })));
      expect(file.events.map(({ kind }) => kind)).toEqual([EventKind.guestEnter, EventKind.other]);
      expect(pipe.events).toEqual(file.events);
      expect(pipe.report.facts?.arch).toBe('arm64');
    },
  );

  it('finds what is in a sample of any type', async () => {
    const all = Object.values(SAMPLE).reduce((sum, bit) => sum | bit, 0);
    const readOne = new Writer().u64(1, 2, 3, 4, 5).take();
    const readGroup = new Writer().u64(2, 7, 8, 1, 2, 3, 1, 2, 3).take();
    const cases: [number, number, Uint8Array][] = [
      [SAMPLE.RAW | SAMPLE.TIME | SAMPLE.ID, 0, readOne],
      [USUAL & ~SAMPLE.IDENTIFIER & ~SAMPLE.CPU, 0, readOne],
      [all, 0b10111, readOne],
      [all & ~SAMPLE.IDENTIFIER, 0b11111, readGroup],
      [USUAL | SAMPLE.CALLCHAIN, 0, readOne],
    ];
    for (const [sampleType, readFormat, read] of cases) {
      const type = { sampleType, readFormat };
      const raw = { raw: entryRaw(0x1234n), read, callchain: [1n, 2n, 3n] };
      const bytes = perfFile({
        attrs: [{ ...ATTRS[0]!, ...type }],
        formats: [ENTRY],
        records: [sample(sampleType, { id: 6, time: 77, cpu: 2, ...raw })],
      });
      const { events, report } = await importText(bytes);
      expect(events).toMatchObject([
        {
          kind: EventKind.guestEnter,
          time: 77n,
          value: 0x1234n,
          pcpu: sampleType & SAMPLE.CPU ? 2 : -1,
          tid: sampleType & SAMPLE.TID ? 11 : -1,
        },
      ]);
      expect(codes(report)).toEqual([]);
    }
  });

  it('puts the records of several CPUs into order, round by round', async () => {
    const cpu = (n: number, times: number[]) => times.map((time) => tick(time, { cpu: n }));
    const records = [
      ...cpu(0, [10, 30, 50]),
      ...cpu(1, [20, 30, 40]),
      ROUND,
      // Later than the round before, earlier than its end: nested interrupts and other CPUs.
      ...cpu(0, [60, 90, 85]),
      ...cpu(1, [45, 70, 95]),
      ROUND,
      ...cpu(0, [88, 100]),
    ];
    const { events, report } = await importText(fileOf(records));
    expect(events.map(({ time, pcpu }) => `${time}/${pcpu}`).join(' ')).toBe(
      '10/0 20/1 30/0 30/1 40/1 45/1 50/0 60/0 70/1 85/0 88/0 90/0 95/1 100/0',
    );
    expect(codes(report)).not.toContain('time-back');
    const one = await importText(fileOf(records.filter((bytes) => bytes !== ROUND)));
    expect(one.events).toEqual(events);
  });

  it('reads records wherever they stand in the file', async () => {
    // 104 bytes do not divide the blocks that are read: records of both CPUs cross their ends.
    const cpu = (n: number) =>
      Array.from({ length: 3000 }, (_, k) =>
        entry(1000 + 2 * k + n, BigInt(k * 2 + n), { cpu: n }),
      );
    const { events } = await importText(fileOf([...cpu(0), ...cpu(1)]));
    expect(events.map(({ value }) => Number(value))).toEqual(
      Array.from({ length: 6000 }, (_, k) => k),
    );
    expect(events.every(({ time, value }) => time === value + 1000n)).toBe(true);
  });

  it('says when a record is earlier than what a round allows', async () => {
    const { events, report } = await importText(
      fileOf([tick(10), ROUND, tick(20), ROUND, tick(5), tick(30)]),
    );
    expect(events.map(({ time }) => Number(time))).toEqual([10, 5, 20, 30]);
    expect(codes(report)).toContain('time-back');
  });

  it('names threads by the records before, in order of time', async () => {
    const records = [
      comm(11, 'first'),
      fork(12, 11),
      tick(10, { tid: 12 }),
      tick(30, { tid: 13 }),
      comm(12, 'own', 20),
      fork(13, 12, 25),
      tick(40, { tid: 14 }),
    ];
    const { sink } = await importText(fileOf(records));
    expect([...sink.threads]).toEqual([
      [12, 'first'],
      [13, 'own'],
    ]);
  });

  it('keeps what was recorded while a vCPU was loaded', async () => {
    const records = [
      comm(11, 'CPU 0/KVM'),
      entry(5, 1n, { misc: 4 }),
      tick(6),
      entry(7, 2n, { misc: 5 }),
    ];
    const { events, sink } = await importText(fileOf(records));
    expect(events.map(({ vcpu }) => vcpu)).toEqual([-1, 0, 0]);
    expect(sink.vcpus()).toMatchObject([
      { tid: 11, pid: 10, learnedFrom: 'thread name CPU 0/KVM' },
    ]);
    expect([...sink.threads]).toEqual([[11, 'CPU 0/KVM']]);
  });

  it('tells each loss once', async () => {
    const lost = (time: number, count: number) =>
      record(2, joined(new Writer().u64(6, count).take(), trailer(time, { cpu: 3 })));
    const byEvent = (id: number, count: number, misc = 0) =>
      record(13, joined(new Writer().u64(count).take(), trailer(0, { id })), misc);
    const { events, report } = await importText(
      fileOf([
        tick(10),
        lost(15, 8),
        tick(20),
        byEvent(6, 5),
        byEvent(9, 6),
        byEvent(9, 100, 1 << 15),
      ]),
    );
    expect(events.filter(({ kind }) => kind === EventKind.lost)).toMatchObject([
      { time: 15n, value: 8n, pcpu: 3 },
      // 11 by events, 8 told: the rest was lost after the last record.
      { time: 20n, value: 3n, pcpu: -1 },
    ]);
    expect(report.notices.filter(({ code }) => code === 'lost-by-event')).toMatchObject([
      { count: 5, text: expect.stringContaining('kvm_entry') },
      { count: 6, text: expect.stringContaining('tick') },
    ]);
  });

  it('keeps throttling by name', async () => {
    const body = joined(new Writer().u64(15, 6, 6).take(), trailer(15, { cpu: 1 }));
    const { events, sink, report } = await importText(
      fileOf([
        tick(10),
        record(5, body),
        tick(20),
        record(6, joined(body.subarray(0, 24), trailer(25))),
      ]),
    );
    expect(
      events.map(({ kind, code }) => (kind === EventKind.other ? sink.names[code] : kind)),
    ).toEqual(['tick', 'PERF_RECORD_THROTTLE', 'tick', 'PERF_RECORD_UNTHROTTLE']);
    expect(codes(report)).toEqual(['throttled', 'throttled', 'unmapped-event']);
  });

  it('passes over what it does not need by its size', async () => {
    const aux = joined(
      record(71, new Writer().u64(40, 0, 0).u32(0, 0, 0, 0).take()),
      new Uint8Array(40).fill(255),
    );
    // Type and bytes of each before its trailer, as the UAPI lays them out; perf's own have no trailer.
    const lengths = { 4: 24, 8: 24, 11: 24, 12: 8, 14: 0, 15: 8, 16: 48, 17: 24, 18: 16, 19: 24 };
    const kernels = Object.entries({ ...lengths, 20: 32, 21: 8, 22: 40 });
    const others = [
      ...kernels.map(([type, length]) =>
        record(Number(type), joined(new Uint8Array(length).fill(0xee), trailer(12))),
      ),
      ...[1, 10].map((type) => {
        const fixed = new Uint8Array(type === 1 ? 32 : 64).fill(0xee);
        return record(type, joined(fixed, new Writer().text('/bin/a', 8).take(), trailer(12)));
      }),
      ...[67, 70, 72, 74].map((type) => record(type, new Uint8Array(40).fill(0xee))),
      record(79, new Uint8Array(48)),
      record(82, new Uint8Array(0)),
    ];
    const { events, report } = await importText(fileOf([tick(10), ...others, aux, tick(20)]));
    expect(events.map(({ time }) => Number(time))).toEqual([10, 20]);
    expect(codes(report)).toEqual(['auxtrace', 'unmapped-event']);
    const odd = await importText(fileOf([tick(10), record(999, new Uint8Array(24)), tick(20)]));
    expect(odd.events).toHaveLength(2);
    expect(codes(odd.report)).toContain('unknown-record');
  });

  it('keeps by name what has no format, and counts what has no event', async () => {
    const { events, sink, report } = await importText(
      perfFile({
        attrs: [{ ...ATTRS[0]!, name: '' }, ATTRS[1]!],
        records: [entry(5, 1n), tick(6), tick(7, { id: 99 })],
      }),
    );
    expect(events.map(({ code }) => sink.names[code])).toEqual(['tracepoint 62', 'tick']);
    expect(codes(report)).toEqual([
      'format-missing',
      'format-missing',
      'unknown-id',
      'unmapped-event',
      'unmapped-event',
    ]);
  });
});

describe('compressed perf.data', () => {
  const packedFile = (packed: readonly Uint8Array[], most = 1 << 20): Uint8Array =>
    fileOf(packed, { compressedMost: most });
  const records = [comm(11, 'CPU 0/KVM'), entry(5, 1n), tick(6), entry(7, 2n)];
  const data = joined(...records);

  it.each([1, 7, 40, 100, 1000])('joins records cut every %i bytes', async (length) => {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < data.length; at += length) pieces.push(data.subarray(at, at + length));
    const packed = stored(pieces).map((bytes) => record(81, bytes));
    const plain = await importText(fileOf(records));
    const { events } = await importText(packedFile([...packed, tick(9)], 4096));
    expect(events.slice(0, 3)).toEqual(plain.events);
    expect(events[3]?.time).toBe(9n);
    const pipe = await importText(perfPipe(spec(packed)));
    expect(pipe.events).toEqual(plain.events);
  });

  it('reads the padded sort', async () => {
    const plain = await importText(fileOf(records));
    const [first, second] = stored([data.subarray(0, 50), data.subarray(50)]);
    const padded = (bytes: Uint8Array) => {
      const pad = (8 - (bytes.length % 8)) % 8;
      return record(
        83,
        new Writer().u64(bytes.length).bytes(bytes).bytes(new Uint8Array(pad)).take(),
      );
    };
    expect((await importText(packedFile([padded(first!), padded(second!)]))).events).toEqual(
      plain.events,
    );
  });

  // 65,529 bytes and more become 65,536 and more when padded: too large for the size of a record.
  it.each([65_513, 65_516, 65_519, 65_520, 68_000, 140_000])(
    'reads a padded record of %i bytes whose size perf cut',
    async (length) => {
      const filler = record(74, new Uint8Array(40_000).fill(0xa5));
      const fillers = Array.from({ length: Math.ceil(length / filler.length) }, () => filler);
      const all = joined(...records, ...fillers, tick(20));
      const plain = await importText(fileOf([...records, tick(20)]));
      // A block is at most 128 KiB: two for the long record.
      const half = (length - 6) >> 1;
      const cuts = [0, 60, 60 + half, 60 + length - 6, all.length];
      const blocks = stored(cuts.slice(1).map((end, n) => all.subarray(cuts[n], end)));
      const long = joined(blocks[1]!, blocks[2]!);
      expect(long.length).toBe(length);
      const body: Uint8Array[] = [];
      for (let at = 0; at < length; at += 65_519) {
        const part = long.subarray(at, at + 65_519);
        // Every part but the first has a header with its true size, and no data size.
        if (at > 0)
          body.push(
            new Writer()
              .u32(83)
              .u16(0)
              .u16((16 + part.length) & 0xffff)
              .u64(-1)
              .take(),
          );
        body.push(part);
      }
      const whole = joined(...body);
      const size = Math.ceil((16 + whole.length) / 8) * 8;
      const cut = joined(
        new Writer()
          .u32(83)
          .u16(0)
          .u16(size & 0xffff)
          .u64(whole.length)
          .take(),
        whole,
      );
      const { events, report } = await importText(
        packedFile([record(81, blocks[0]!), cut, record(81, blocks[3]!)]),
      );
      expect(events).toEqual(plain.events);
      expect(codes(report)).not.toContain('damaged-at');
    },
  );

  it('ends where it cannot be decompressed, and keeps what came before', async () => {
    const [first, second] = stored([joined(...records.slice(0, 3)), records[3]!]);
    const broken = Uint8Array.from(second!);
    broken[0] = 7;
    const { events, report } = await importText(
      packedFile([record(81, first!), record(81, broken), tick(9)]),
    );
    expect(events).toHaveLength(2);
    expect(codes(report)).toContain('damaged-at');
    const both = await importText(packedFile([record(81, joined(first!, broken)), tick(9)]));
    expect(both.events).toEqual(events);
  });

  it('takes no compressed record if the header says that there is none', async () => {
    const [packed] = stored([data]);
    const { events, report } = await importText(fileOf([tick(1), record(81, packed!), tick(9)]));
    expect(events).toHaveLength(1);
    expect(report.notices).toMatchObject([
      { code: 'damaged-at', text: expect.stringContaining('the header says nothing') },
      { code: 'unmapped-event' },
    ]);
  });

  it('refuses a record that becomes more than a buffer', async () => {
    // A block that is 128 KiB of one byte.
    const bomb = new Writer().bytes(stored([new Uint8Array(0)])[0]!);
    for (let n = 0; n < 100; n++) bomb.u8(2, 0, 16, 0);
    const { events, report } = await importText(packedFile([tick(1), record(81, bomb.take())]));
    expect(events).toHaveLength(1);
    expect(report.notices).toContainEqual(
      expect.objectContaining({
        code: 'damaged-at',
        text: expect.stringContaining('larger than a buffer'),
      }),
    );
  });
});

describe('damaged perf.data', () => {
  it('ends at a record without a length, with its place', async () => {
    const good = [tick(1), tick(2)];
    const bad = new Writer().u32(9).u16(1).u16(4).take();
    const bytes = fileOf([...good, bad, tick(3)]);
    const at = Buffer.from(bytes).indexOf(Buffer.from(bad));
    const { events, report } = await importText(bytes);
    expect(events).toHaveLength(2);
    expect(report.notices).toContainEqual({
      severity: 'error',
      code: 'damaged-at',
      text: `damaged at byte ${at}: a record of 4 bytes (a record has 8 or more); what follows is not read`,
      count: 1,
      firstAt: at,
    });
    await expect(importText(fileOf([bad]))).rejects.toThrow(
      /damaged at byte \d+: .*no event before it/,
    );
  });

  it('ends at a record whose size is not one of its type, with its place', async () => {
    // A size in between makes records vanish that are whole: each of these covers the samples behind it.
    const body = (length: number, time = 2) => joined(new Uint8Array(length), trailer(time));
    const map = new Writer().u32(10, 11).u64(0, 0, 0).text('/usr/bin/vmm', 16).take();
    const whole: [number, Uint8Array][] = [
      [1, joined(map, trailer(2))],
      [2, body(16)],
      [3, comm(11, 'CPU 0/KVM', 2).subarray(8)],
      [4, body(24)],
      [5, body(24)],
      [7, body(24)],
      [10, joined(new Uint8Array(32), map.subarray(0, 32), map.subarray(32), trailer(2))],
      [11, body(24)],
      [13, body(8)],
      [14, body(0)],
      [15, body(8)],
      [16, body(16)],
      [18, body(16)],
      [68, new Uint8Array(0)],
      [69, new Writer().u64(1).u64(6, 0, 0, 0).take()],
      [82, new Uint8Array(0)],
    ];
    for (const [type, bytes] of whole) {
      const good = record(type, bytes);
      const rest = [tick(3), tick(4), tick(5), tick(6), tick(7), tick(8)];
      const sound = await importText(fileOf([tick(1), good, ...rest]));
      expect([type, codes(sound.report).includes('damaged-at')]).toEqual([type, false]);
      const bad = good.slice();
      // As long as the record and the six behind it.
      new DataView(bad.buffer).setUint16(6, good.length + joined(...rest).length, true);
      const file = fileOf([tick(1), bad, ...rest, tick(9)]);
      const at = Buffer.from(file).indexOf(Buffer.from(bad));
      const { report } = await importText(file);
      expect(report.notices.find(({ code }) => code === 'damaged-at')).toMatchObject({
        severity: 'error',
        text: expect.stringContaining(`damaged at byte ${at}: a record of type ${type} and`),
        firstAt: at,
      });
    }
  });

  it('is read to its end when perf record did not finish', async () => {
    const whole = fileOf([tick(1), tick(2)], { dataSize: 0 });
    const { events, report } = await importText(whole.subarray(0, whole.length - 3000));
    expect(events.length).toBeGreaterThan(0);
    expect(codes(report)).toContain('unfinished-recording');
  });

  it('says that a pipe ended between two records of a round', async () => {
    const whole = perfPipe(spec([tick(1), tick(2), ROUND, tick(3), ROUND]));
    expect(codes((await importText(whole)).report)).not.toContain('unfinished-recording');
    for (const [missing, events] of [
      [ROUND.length, 3],
      [2 * ROUND.length + tick(3).length, 2],
    ] as const) {
      const cut = await importText(whole.subarray(0, whole.length - missing));
      expect(cut.events).toHaveLength(events);
      expect(cut.report.notices).toContainEqual({
        severity: 'warning',
        code: 'unfinished-recording',
        text: 'the piped recording ends in the middle of a round: what followed is missing',
        count: 1,
        firstAt: whole.length - missing,
      });
    }
  });

  it('is read up to where it is cut off', async () => {
    const bytes = fileOf([tick(1), tick(2), tick(3)]);
    const whole = await importText(bytes);
    const seen = new Set<number>();
    for (let length = 0; length < bytes.length; length += 13) {
      try {
        const { events, report } = await importText(bytes.subarray(0, length));
        seen.add(events.length);
        expect(whole.events.map(({ time }) => time).slice(0, events.length)).toEqual(
          events.map(({ time }) => time),
        );
        expect(report.notices.some(({ severity }) => severity !== 'info')).toBe(true);
      } catch (error) {
        expect((error as Error).message).toMatch(
          /recording: .*(byte \d+|is empty|no known format)/,
        );
        seen.add(-1);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([-1, 1, 2, 3]);
  });

  it('is refused when its header lies', async () => {
    const put = (at: number, value: bigint) => {
      const bytes = fileOf([tick(1)]);
      new DataView(bytes.buffer).setBigUint64(at, value, true);
      return importText(bytes);
    };
    await expect(put(8, 50n)).rejects.toThrow(/header of 50 bytes at byte 8/);
    await expect(put(16, 3n)).rejects.toThrow(/events of 3 bytes, told at byte 16/);
    await expect(put(24, 1n << 60n)).rejects.toThrow(/events outside of the file, told at byte 24/);
    await expect(put(32, ~0n)).rejects.toThrow(/events outside of the file, told at byte 24/);
    await expect(put(40, 1n << 40n)).rejects.toThrow(/data .* not in it \(header, byte 40\)/);
  });

  it('finds ids in EVENT_DESC when the attr section has none', async () => {
    const bytes = fileOf([tick(1), entry(2, 7n)]);
    const view = new DataView(bytes.buffer);
    const attrs = Number(view.getBigUint64(24, true));
    view.setBigUint64(attrs + 128, ~0n, true);
    const { events, report } = await importText(bytes);
    expect(events.map(({ kind }) => kind)).toEqual([EventKind.other, EventKind.guestEnter]);
    expect(codes(report)).toContain('damaged-section');
  });

  it('is refused from a big-endian machine', async () => {
    const bytes = new Writer().text('2ELIFREP').u64(0, 0).take();
    await expect(importText(bytes)).rejects.toThrow(/big-endian/);
  });
});

describe('counts', () => {
  const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

  it('of groups are differences of what samples say', async () => {
    const { events, sink, report } = await importText(fixture('group-counts.data'));
    expect(events.length).toBeGreaterThan(20);
    expect(new Set(events.map(({ code }) => sink.names[code]))).toEqual(
      new Set(['cpu-clock', 'context-switches', 'page-faults']),
    );
    for (const { kind, value, object, aux0 } of events) {
      expect([kind, aux0]).toEqual([EventKind.count, 10_000n]);
      // No event of these counts faster than its clock, ns.
      expect(value <= object).toBe(true);
    }
    expect(codes(report)).toEqual(['first-reading']);
  });

  it('of a group are exact, scaled when it ran for a part, begun anew when lower', async () => {
    const readFormat = 0b01111;
    const sampleType = (USUAL & ~SAMPLE.RAW) | SAMPLE.READ;
    const attrs: AttrSpec[] = [
      { type: 0, config: 0, ids: [6], name: 'cycles:G', sampleType, readFormat },
      { type: 0, config: 1, ids: [8], name: 'instructions:G', sampleType, readFormat },
    ];
    const reading = (time: number, enabled: number, running: number, a: bigint, b: bigint) =>
      sample(sampleType, {
        id: 6,
        time,
        read: new Writer().u64(2, enabled, running, a, 6, b, 8).take(),
      });
    const index = record(
      69,
      new Writer().u64(2).u64(6, 0, 2).bytes(new Writer().u64(-1).take()).u64(8, 1, 2, 33).take(),
    );
    const big = 1n << 60n;
    const { events, sink, report } = await importText(
      perfFile({
        attrs,
        records: [
          index,
          reading(1000, 400, 400, big, 7n),
          reading(1500, 900, 900, big + 11n, 9n),
          reading(2000, 1400, 1000, big + 21n, 9n),
          reading(2500, 1900, 1500, 3n, 9n),
        ],
      }),
    );
    const rows = events.map((e) => [
      sink.names[e.code],
      e.time,
      e.object,
      e.value,
      e.aux0,
      e.aux1,
      e.flags,
      e.pcpu,
      e.tid,
    ]);
    const [G, I] = ['cycles:G', 'instructions:G'];
    expect(rows).toEqual([
      [G, 1000n, 400n, big, 10000n, 400n, 0, 2, -1],
      [I, 1000n, 400n, 7n, 10000n, 400n, 0, 2, 33],
      [G, 1500n, 500n, 11n, 10000n, 500n, 0, 2, -1],
      [I, 1500n, 500n, 2n, 10000n, 500n, 0, 2, 33],
      [G, 2000n, 500n, 50n, 2000n, 100n, EventFlag.scaled, 2, -1],
      [I, 2000n, 500n, 0n, 2000n, 100n, EventFlag.scaled, 2, 33],
      [I, 2500n, 500n, 0n, 10000n, 500n, 0, 2, 33],
    ]);
    expect(codes(report)).toEqual(['count-back', 'scaled-count']);
  });

  it('of perf stat record are differences between its rounds', async () => {
    const { events, sink, report } = await importText(fixture('perf-stat-interval.data'));
    const clock = events.filter(({ code }) => sink.names[code] === 'task-clock');
    expect(clock.length).toBeGreaterThan(2);
    let time = 0n;
    for (const event of clock) {
      expect(event.time - event.object).toBe(time);
      time = event.time;
      expect(event.value).toBe(event.aux1);
    }
    expect(report.facts?.clock).toBe('perf-stat-relative');
    const placed = await importText(fixture('perf-stat-interval.data'), { statStart: 1000n });
    expect(placed.events.map((e) => e.time)).toEqual(events.map((e) => e.time + 1000n));
    expect(placed.report.facts?.clock).toBeUndefined();
  });

  it('of a whole run of perf stat record are totals', async () => {
    const { events } = await importText(fixture('perf-stat.data'));
    expect(events).toHaveLength(2);
    for (const event of events) {
      expect(event.flags).toBe(EventFlag.total);
      expect(event.object).toBe(event.time);
      expect(event.time > 100_000_000n).toBe(true);
    }
  });
});
