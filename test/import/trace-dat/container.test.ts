import { describe, expect, it } from 'vitest';
import { OptionId } from '../../../src/import/trace-dat/description.ts';
import { brief, problems, read, readBytes, recording } from './import-trace-dat.ts';
import { page, readMsr, record } from './pages.ts';
import { type Built, ByteWriter, build } from './trace-dat-builder.ts';

const START = 5_000_000_000n;

function cpus(count: number, pagesEach: number) {
  return Array.from({ length: count }, (_, cpu) => ({
    cpu,
    pages: Array.from({ length: pagesEach }, (_, k) =>
      page(START + BigInt(1000 * k + cpu), [record(0, readMsr(k)), record(7, readMsr(cpu))]),
    ),
  }));
}

function text(content: string): Uint8Array {
  return new ByteWriter().string(content).done();
}

const FORMS: readonly [string, Partial<Built>][] = [
  ['version 6', { version: 6 }],
  ['version 7, not packed', { codec: 'none' }],
  ['version 7, zlib', { codec: 'zlib' }],
  ['version 7, zstd', { codec: 'zstd' }],
  ['version 7, zstd, a page in a piece', { codec: 'zstd', pagesInPiece: 1 }],
];

describe('trace.dat', () => {
  it.each(FORMS)('%s: the same events', async (_, form) => {
    const { events, report } = await read(cpus(3, 25), form);
    expect(events).toHaveLength(150);
    expect(brief(events).slice(0, 4)).toEqual([
      [START, 0, 0n],
      [START + 1n, 1, 0n],
      [START + 2n, 2, 0n],
      [START + 7n, 0, 0n],
    ]);
    const plain = await read(cpus(3, 25));
    expect(brief(events)).toEqual(brief(plain.events));
    expect(problems(report)).toEqual([]);
    expect(report.facts).toMatchObject({ clock: 'mono', format: 'trace-dat', timeResolution: 1 });
  });

  it.each(FORMS)('%s: all instances', async (_, form) => {
    const buffers = [
      { name: '', cpus: cpus(2, 3) },
      { name: 'guest-traps', cpus: cpus(2, 4) },
    ];
    const { events } = await readBytes(build({ ...recording([]), ...form, buffers }));
    expect(events).toHaveLength(2 * 2 * 3 + 2 * 2 * 4);
  });

  it.each([6, 7] as const)('version %d: what the options say', async (version) => {
    const guest = text('vm1').length + 8 + 4 + 16;
    const options: [number, Uint8Array][] = [
      [OptionId.uname, text('Linux lab 6.12.117+deb12-arm64 aarch64')],
      [OptionId.version, text('3.1.6 not-a-git-repo')],
      [OptionId.traceId, new ByteWriter().number(0xfedcba9876543210n, 8).done()],
      [OptionId.cpuStat, text('CPU: 0\nentries: 4\noverrun: 12\ndropped events: 3\n')],
      [OptionId.offset, text('-500')],
      [
        OptionId.guest,
        new ByteWriter()
          .string('vm1')
          .number(77, 8)
          .number(2, 4)
          .number(0, 4)
          .number(4242, 4)
          .number(1, 4)
          .number(4243, 4)
          .done(),
      ],
      [
        OptionId.timeShift,
        new ByteWriter()
          .number(99, 8)
          .number(1, 4)
          .number(1, 4)
          .number(1, 4)
          .number(1000, 8)
          .number(-25, 8)
          .number(1, 8)
          .done(),
      ],
    ];
    expect(options[5]![1]).toHaveLength(guest);
    const { report, events } = await read(cpus(1, 1), { version, options });
    expect(report.facts).toMatchObject({
      hostname: 'lab',
      kernelRelease: '6.12.117+deb12-arm64',
      arch: 'arm64',
      toolVersion: `trace-cmd 3.1.6, trace.dat version ${version}`,
    });
    // Nothing is added to the times: they stay those of the clock that is named.
    expect(events[0]!.time).toBe(START);
    const texts = Object.fromEntries(report.notices.map((notice) => [notice.code, notice.text]));
    expect(texts['trace-id']).toContain('18364758544493064720');
    expect(texts['guest-trace']).toBe('guest vm1: trace id 77, threads by CPU 0: 4242, 1: 4243');
    expect(texts['clock-offset']).toContain('-500');
    expect(texts['clock-time-shift']).toContain('CPU 0: 1 samples, the first at 1000 -25');
    const overrun = report.notices.find(({ code }) => code === 'buffer-overrun')!;
    expect(overrun).toMatchObject({ severity: 'warning', count: 15 });
  });

  it('converts ticks of the TSC to ns where the recording tells how', async () => {
    const buffers = [{ name: '', clock: 'x86-tsc', cpus: cpus(1, 1) }];
    const scale = new ByteWriter()
      .number(1 << 30, 4)
      .number(31, 4)
      .number(0, 8)
      .done();
    const converted = await read([], { buffers, options: [[OptionId.tscToNs, scale]] });
    expect(converted.events[0]!.time).toBe(START / 2n);
    expect(converted.report.notices.map(({ code }) => code)).toContain('clock-converted');
    const ticks = await read([], { buffers });
    expect(ticks.events[0]!.time).toBe(START);
    expect(problems(ticks.report)).toEqual(['warning time-unit-unknown']);
  });

  it('reads version 7 without page sizes in its buffers', async () => {
    const bytes = build(recording(cpus(1, 2)));
    const size = Buffer.from(bytes).lastIndexOf('mono\0') + 5;
    // The option is 4 bytes shorter, so is its section: what follows moves up.
    const without = new Uint8Array([...bytes.subarray(0, size), ...bytes.subarray(size + 4)]);
    const view = new DataView(without.buffer);
    const option = size - (8 + 1 + 5) - 6;
    expect(view.getUint16(option, true)).toBe(OptionId.buffer);
    view.setUint32(option + 2, view.getUint32(option + 2, true) - 4, true);
    view.setUint32(option - 8, view.getUint32(option - 8, true) - 4, true);
    const { events, report } = await readBytes(without);
    expect(events).toHaveLength(4);
    expect(problems(report)).toEqual([]);
  });
});
