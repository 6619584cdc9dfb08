import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/domain/errors.ts';
import { EventKind } from '../../../src/domain/event-kind.ts';
import { problems, read, readBytes, recording } from './import-trace-dat.ts';
import { page, readMsr, record } from './pages.ts';
import { type Built, build } from './trace-dat-builder.ts';

const START = 5_000_000_000n;

function cpus(count: number, pagesEach: number) {
  return Array.from({ length: count }, (_, cpu) => ({
    cpu,
    pages: Array.from({ length: pagesEach }, (_, k) =>
      page(START + BigInt(1000 * k + cpu), [record(0, readMsr(k)), record(7, readMsr(cpu))]),
    ),
  }));
}

/** Where a u64 with this value is. */
function find(bytes: Uint8Array, value: bigint): number {
  const view = new DataView(bytes.buffer);
  for (let i = 0; i + 8 <= bytes.length; i++) if (view.getBigUint64(i, true) === value) return i;
  throw new Error('not there');
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await readBytes(bytes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).message;
}

describe('a trace.dat that cannot be read', () => {
  const small = build(recording(cpus(1, 1)));
  const changed = (at: number, byte: number, bytes = small): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = byte;
    return copy;
  };

  it('is refused with the reason', async () => {
    expect(await refusal(changed(10, 0x38))).toMatch(/version 8: versions 6 and 7 are read/);
    expect(await refusal(changed(12, 1))).toMatch(/big-endian/);
    expect(await refusal(changed(13, 3))).toMatch(/at byte 14: a long of 3 bytes/);
    expect(await refusal(changed(18, 0x6c))).toMatch(/packed with lone; zstd, zlib and none/);
    const old = { headerEvent: '\ttype        :    2 bits\n\tlen : 3 bits\n' };
    expect(await refusal(build(recording(cpus(1, 1), old)))).toMatch(/lays out the ring buffer/);
    const latency = build(recording(cpus(1, 1), { version: 6, latency: true }));
    expect(await refusal(latency)).toMatch(/text of a latency tracer/);
  });

  it('is refused when no record is in it', async () => {
    expect(await refusal(build(recording([{ cpu: 0, pages: [] }])))).toMatch(/no record/);
    const empty = build(recording([{ cpu: 0, pages: [page(START, [])] }]));
    expect(await refusal(empty)).toMatch(/no record in the data of 1 CPUs/);
    const bad = [page(START, [record(0, readMsr(1))], { commit: 9999 })];
    expect(await refusal(build(recording([{ cpu: 0, pages: bad }])))).toMatch(
      /no record.*byte \d+: CPU 0: a page with 9999 bytes of records/,
    );
  });
});

describe('a damaged trace.dat', () => {
  it('whose option sections run in a circle ends', async () => {
    const bytes = build(recording(cpus(1, 1)));
    const view = new DataView(bytes.buffer);
    const first = view.getBigUint64(18 + 5 + 2, true);
    // The last option of the first section says where the second is.
    const length = Number(view.getBigUint64(Number(first) + 8, true));
    view.setBigUint64(Number(first) + 16 + length - 8, first, true);
    expect(await refusal(bytes)).toMatch(/no record.*lead back to byte/);
  });

  it('with a section that is not there keeps the rest', async () => {
    const bytes = build(recording(cpus(1, 1)));
    const view = new DataView(bytes.buffer);
    const first = Number(view.getBigUint64(18 + 5 + 2, true));
    // Option 18 (event formats) is the third: each has 14 bytes.
    expect(view.getUint16(first + 16 + 28, true)).toBe(18);
    view.setBigUint64(first + 16 + 28 + 6, 1n << 60n, true);
    const { events, sink, report } = await readBytes(bytes);
    expect(events.map(({ kind }) => kind)).toEqual([EventKind.other, EventKind.other]);
    expect(sink.names[events[0]!.code]).toBe('event 300');
    expect(problems(report)).toEqual(['error damaged-section', 'warning format-missing']);
  });

  it('with impossible CPUs keeps the good ones', async () => {
    const buffers = [
      {
        name: '',
        cpus: [...cpus(1, 1), { cpu: 40000, pages: cpus(1, 1)[0]!.pages }],
      },
    ];
    const { events, report } = await read([], { buffers });
    expect(events).toHaveLength(2);
    expect(problems(report)).toEqual(['error damaged-data']);
  });

  it('with pages that lie about their size says which', async () => {
    const pages = [page(START, [record(0, readMsr(1))]), page(START + 9n, [record(0, readMsr(2))])];
    const commit = (value: bigint): Uint8Array => {
      const bytes = pages[0]!.slice();
      new DataView(bytes.buffer).setBigUint64(8, value, true);
      return bytes;
    };
    const size = new DataView(pages[0]!.buffer).getBigUint64(8, true);
    for (const [value, what] of [
      [0n, 'a page that says it is empty, and is not'],
      [1n, 'a record reaches beyond its page'],
      [size + (1n << 32n), 'a page whose size is none'],
      [size + (1n << 28n), 'a page whose size is none'],
    ] as const) {
      const { events, report } = await read([{ cpu: 0, pages: [commit(value), pages[1]!] }]);
      expect(events.filter(({ kind }) => kind !== EventKind.lost)).toHaveLength(1);
      expect(problems(report)).toEqual(['error damaged-data']);
      expect(report.notices[0]!.text).toContain(what);
    }
    const { report } = await read([{ cpu: 0, pages: [page(START, []), pages[1]!] }]);
    expect(problems(report)).toEqual([]);
  });

  it.each([
    ['version 6', { version: 6 }],
    ['version 7', {}],
    ['version 7, zstd', { codec: 'zstd' }],
  ] as const)('%s, with data of no CPU says where it is', async (_, more) => {
    const three = cpus(3, 2).map((cpu) => (cpu.cpu === 1 ? { ...cpu, pages: [] } : cpu));
    expect(problems((await read(three, more)).report)).toEqual([]);
    for (const cpu of [1, 2]) {
      const bytes = build(recording(cpus(3, 2), more));
      const view = new DataView(bytes.buffer);
      // The sizes of the CPUs stand behind the clock (7), or as pairs behind `flyrecord` (6).
      const version6 = 'version' in more;
      const text = Buffer.from(bytes).lastIndexOf(version6 ? 'flyrecord\0' : 'mono\0');
      const at = version6 ? text + 10 + 16 * cpu + 8 : text + 5 + 4 + 4 + 20 * cpu + 12;
      expect(view.getBigUint64(at, true)).toBeGreaterThan(0n);
      view.setBigUint64(at, 0n, true);
      const { events, report } = await readBytes(bytes);
      expect(events).toHaveLength(8);
      expect(problems(report)).toEqual(['warning unclaimed-data']);
    }
  });

  it('with the same data for two CPUs takes it once', async () => {
    const bytes = build(recording(cpus(2, 1)));
    // Behind the clock: page size, number of CPUs, the entry of CPU 0, that of CPU 1.
    const at = Buffer.from(bytes).lastIndexOf('mono\0') + 5 + 4 + 4 + 20;
    const view = new DataView(bytes.buffer);
    expect(view.getUint32(at, true)).toBe(1);
    view.setBigUint64(at + 4, view.getBigUint64(at + 4, true) - 4096n, true);
    const { events, report } = await readBytes(bytes);
    expect(events.map(({ pcpu }) => pcpu)).toEqual([0, 0]);
    expect(problems(report)).toEqual(['error damaged-data', 'warning unclaimed-data']);
    expect(report.notices.find(({ code }) => code === 'damaged-data')!.text).toBe(
      'CPU 1: its data is that of another CPU',
    );
  });

  it.each(['zlib', 'zstd'] as const)(
    'with damage in a piece (%s) goes on behind it',
    async (codec) => {
      const built = recording(cpus(1, 6), { codec, pagesInPiece: 2 });
      const bytes = build(built);
      const view = new DataView(bytes.buffer);
      let at = Math.ceil(find(bytes, 3n | (1n << 16n)) / 4096) * 4096;
      // Into the second piece: its content is no longer what its header says.
      expect(view.getUint32(at, true)).toBe(3);
      at += 4 + 8 + view.getUint32(at + 4, true);
      bytes.fill(0xff, at + 8, at + 20);
      const { events, report } = await readBytes(bytes);
      expect(
        events.filter(({ kind }) => kind !== EventKind.lost).map(({ value }) => value),
      ).toEqual([...[0n, 0n, 1n, 0n, 4n, 0n, 5n, 0n]]);
      expect(events.filter(({ kind }) => kind === EventKind.lost)).toHaveLength(1);
      expect(problems(report)).toEqual(['error damaged-data']);
      expect(report.notices.find(({ code }) => code === 'damaged-data')!.firstAt).toBe(at);
    },
  );

  it.each(['zlib', 'zstd'] as const)(
    'whose pieces lie about their length (%s) is told',
    async (codec) => {
      const bytes = build(recording(cpus(1, 2), { codec, pagesInPiece: 1 }));
      const view = new DataView(bytes.buffer);
      const at = Math.ceil(find(bytes, 3n | (1n << 16n)) / 4096) * 4096 + 4;
      for (const length of [4095, 4097, 8192, 0, 0xffffffff]) {
        const copy = bytes.slice();
        new DataView(copy.buffer).setUint32(at + 4, length, true);
        expect(view.getUint32(at + 4, true)).toBe(4096);
        const told = await readBytes(copy).then(
          ({ report }) => problems(report),
          (error: unknown) => [(error as Error).message],
        );
        expect(told.join()).toMatch(/damaged-data|no record/);
      }
    },
  );

  it('cut within what is never used is told all the same', async () => {
    const whole = build(recording(cpus(1, 1)));
    for (const cut of [1, 8, 12, 23]) {
      const { events, report } = await readBytes(whole.subarray(0, whole.length - cut));
      expect(events).toHaveLength(2);
      expect(problems(report)).toEqual(['warning recording-cut']);
    }
  });

  const FORMS: readonly [string, Partial<Built>][] = [
    ['version 6', { version: 6 }],
    ['version 7, zlib', { codec: 'zlib', pagesInPiece: 1 }],
    ['version 7, zstd', { codec: 'zstd', pagesInPiece: 1 }],
  ];
  it.each(FORMS)('%s, cut anywhere, is never taken for whole', async (_, form) => {
    const stats = [0, 1].map((cpu) => `CPU: ${cpu}\nentries: 3\nread events: 0\n\0`);
    const options = stats.map((text) => [2, new TextEncoder().encode(text)] as const);
    const whole = build(recording(cpus(2, 3), { ...form, options }));
    let most = 0;
    const step = Math.ceil(whole.length / 150);
    for (let length = 0; length < whole.length; length += step) {
      const outcome = await readBytes(whole.subarray(0, length)).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toBeInstanceOf(InputError);
        continue;
      }
      const { events, report } = outcome as Awaited<ReturnType<typeof readBytes>>;
      expect(problems(report), `cut at ${length}`).not.toEqual([]);
      expect(events.every(({ pcpu }) => pcpu === 0 || pcpu === 1)).toBe(true);
      most = Math.max(most, events.filter(({ kind }) => kind !== EventKind.lost).length);
    }
    expect(most).toBeGreaterThanOrEqual(8);
  });
});
