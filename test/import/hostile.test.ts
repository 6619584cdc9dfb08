import { describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import type { ImportContext } from '../../src/import/importer.ts';
import { Threads } from '../../src/import/threads.ts';
import { importText } from './import-text.ts';

const perf = (rest: string, time = '1.000000001'): string =>
  `       CPU 0/KVM   281 [000] ${time.padStart(15)}: ${rest}`;
const ftrace = (rest: string, time = '1.000001'): string =>
  `       CPU 0/KVM-281     [000] d.... ${time.padStart(11)}: ${rest}`;
const set = 'vpmu:set_counter: (ffff8000800912b0) vcpu=0 idx=1 val=0x5';
const good = perf(set);

async function notices(
  text: string | Uint8Array,
): Promise<Record<string, [number, number | undefined]>> {
  const { report } = await importText(text);
  return Object.fromEntries(
    report.notices.map(({ code, count, firstAt }) => [code, [count, firstAt]]),
  );
}

describe('lines nobody should have to meet', () => {
  it.each([
    ['a line of 10 MB', `${good}\n${'x'.repeat(10_000_000)}\n${good}\n`, 'line-too-long', 1, 2],
    [
      'an event line of 10 MB',
      `${good}\n${good}${' '.repeat(10_000_000)}\n`,
      'line-too-long',
      1,
      2,
    ],
    ['a last line without an end', `${good}\n${good.slice(0, -3)}`, 'unterminated-last-line', 1, 2],
    ['NULs', `${good}\n\0\0\0\n${good}\n`, 'unparsable-line', 1, 2],
    ['text between', `${good}\nhello\nworld\n${good}\n`, 'unparsable-line', 2, 2],
    [
      'a payload cut in the middle',
      `${good}\n${perf('vpmu:set_counter: (ffff) vcpu=0 idx=')}\n`,
      'unparsable-payload',
      1,
      2,
    ],
    ['a number that is none', `${good}\n${good}x\n`, 'unparsable-payload', 1, 2],
    [
      'a number of 65 bits',
      `${good}\n${perf(set.replace('0x5', '0x1ffffffffffffffff'))}\n`,
      'unparsable-payload',
      1,
      2,
    ],
    [
      'a time beyond 64 bits',
      `${good}\n${perf(set, '18446744074.000000000')}\n`,
      'time-out-of-range',
      1,
      2,
    ],
    ['a time before the last', `${good}\n${perf(set, '0.999999999')}\n`, 'time-back', 1, undefined],
    ['an event nobody knows', `${good}\n${perf('foo:bar: baz=1')}\n`, 'unmapped-event', 1, 2],
  ])('%s', async (_, text, code, count, at) => {
    expect(await notices(text)).toEqual({ [code]: [count, at] });
  });

  it('leaves out what it cannot read and keeps the rest', async () => {
    const bad = [
      perf(set, '18446744074.0'),
      perf('vpmu:set_counter: val=zzz'),
      'x',
      good.slice(0, 40),
      `${good}\0`,
    ];
    const { events, sink } = await importText(`${[good, ...bad, good].join('\r\n')}\r\n`);
    const kinds = events.map(({ kind, code }) =>
      kind === EventKind.other ? sink.names[code] : kind,
    );
    expect(kinds).toEqual([
      EventKind.counterSet,
      'set_counter',
      'set_counter',
      EventKind.counterSet,
    ]);
  });

  it('marks what runs back in time and leaves it in its place', async () => {
    const times = ['5.0', '4.0', '4.5', '5.0', '6.0', '5.9'];
    const { events } = await importText(times.map((time) => `${perf(set, time)}\n`).join(''));
    expect(events.map(({ flags }) => (flags & EventFlag.timeBack) !== 0)).toEqual([
      false,
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  it('takes invalid UTF-8 in names without failing', async () => {
    const text = Buffer.from(
      `${good}\n${good.replace('CPU 0/KVM', '\xff\xfe(0/KVM\x01')}\n`,
      'latin1',
    );
    const { events, sink } = await importText(text);
    expect(events.map(({ value }) => value)).toEqual([5n, 5n]);
    expect(sink.threads.get(281)).toBe('\ufffd\ufffd(0/KVM?');
  });

  it.each([
    ['nothing but rubbish that begins like events', `${perf('what is this')}\n`.repeat(3)],
    ['a header alone', '# tracer: nop\n#\n# entries-in-buffer/entries-written: 0/0   #P:1\n'],
    ['perf’s header alone', '# ========\n# captured on    : now\n# hostname : a\n# ========\n#\n'],
  ])('%s is an error with the line that shows it', async (_, text) => {
    await expect(importText(text)).rejects.toThrow(/^recording: no event in \d+ lines?/);
  });

  it('finds names again whatever has become of the bytes they were first read from', async () => {
    let random = 1;
    const lines = Array.from({ length: 6000 }, () => {
      random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
      return perf(`g:name_${(random >> 16) % 11}: x`);
    });
    // The first pieces are kept while the format is found out; the names come after them.
    const before = Array.from({ length: 1500 }, () => good);
    const text = `${[...before, ...lines].join('\n')}\n`;
    const { sink, report } = await importText(text, { piece: 5000 });
    const names = new Set(sink.names.slice(1));
    expect(names.size).toBeLessThanOrEqual(11);
    expect(report.notices).toHaveLength(names.size);
  });

  it('forgets threads, but none that runs a vCPU', () => {
    const threads = new Threads({
      role: undefined,
      learnVcpu: (index: number) => index,
      slotOfThread: () => -1,
      threadName: () => {},
    } as unknown as ImportContext);
    threads.learn(threads.get(7), 3, 'a test');
    for (let tid = 100; tid < 100_000; tid++) threads.get(tid);
    expect(threads.size).toBeLessThanOrEqual(65_536);
    expect(threads.get(7).slot).toBe(3);
  });

  it('holds a bounded number of names, marks and threads', async () => {
    const lines: string[] = [];
    for (let k = 0; k < 70_000; k++) {
      lines.push(
        perf(`g:name_${k % 9000}: x`)
          .replace('  281 ', `${100 + k} `)
          .replace('CPU 0/KVM', k % 2 ? 'CPU 7/KVM' : 'bash     '),
      );
    }
    const { sink, events, report } = await importText(`${lines.join('\n')}\n`);
    expect(events).toHaveLength(70_000);
    expect(sink.names.length).toBeLessThan(4200);
    expect(report.notices.length).toBeLessThan(70);
    const unmapped = report.notices.filter(({ code }) => code === 'unmapped-event');
    expect(unmapped.reduce((sum, { count }) => sum + count, 0)).toBe(70_000);
    expect(report.notices.map(({ code }) => code)).toContain('too-many-vcpus');
    expect(sink.vcpuFacts.length).toBeLessThanOrEqual(4096);
    expect(sink.threads.size).toBeLessThanOrEqual(65_536 + 1);
  });
});

describe('variants of the printed lines', () => {
  const variants: readonly (readonly [string, string])[] = [
    ['pid and tid', `       CPU 0/KVM   275/281   [000]     1.000000001: ${set}`],
    ['no cpu', `       CPU 0/KVM   281     1.000000001: ${set}`],
    ['no task name', `  275/281   [000]     1.000000001: ${set}`],
    [
      'a task name longer than its column',
      `   [guest/12345678901]   281 [000]     1.000000001: ${set}`,
    ],
    ['a misc column', `       CPU 0/KVM   281 [000] GU     1.000000001: ${set}`],
    ['a period', `       CPU 0/KVM   281 [000]     1.000000001:          1 ${set}`],
    [
      'an address and a symbol behind',
      `       CPU 0/KVM   281 [000]     1.000000001: ${set} ffff8000 sym+0x1 (x)`,
    ],
    ['no group', `       CPU 0/KVM   281 [000]     1.000000001: ${set.slice(5)}`],
    ['another group', `       CPU 0/KVM   281 [000]     1.000000001: probe:${set.slice(5)}`],
    [
      'a tgid column',
      `       CPU 0/KVM-281     (    275) [000] d....     1.000000001: ${set.slice(5)}`,
    ],
    [
      'no tgid in its column',
      `       CPU 0/KVM-281     (-------) [000] d....     1.000000001: ${set.slice(5)}`,
    ],
    ['no flags', `       CPU 0/KVM-281   [000]     1.000000001: ${set.slice(5)}`],
    [
      'a padded name',
      `       CPU 0/KVM-281   [000]     1.000000001: set_counter:          ${set.slice(17)}`,
    ],
  ];
  it.each(variants)('%s', async (_, line) => {
    const { events, report } = await importText(`${line}\n`);
    expect(events).toMatchObject([
      { kind: EventKind.counterSet, time: 1_000_000_001n, tid: 281, counter: 1, value: 5n },
    ]);
    expect(report.notices).toEqual([]);
  });

  it('prints of 6 and of 9 digits are both exact to what they say', async () => {
    const micro = await importText(`${ftrace('kvm_entry: PC: 0x1')}\n`);
    expect(micro.report.facts?.timeResolution).toBe(1000);
    expect(micro.events[0]?.time).toBe(1_000_001_000n);
    const both = await importText(
      `${ftrace('kvm_entry: PC: 0x1')}\n${ftrace('kvm_exit: x', '1.000001002')}\n`,
    );
    expect(both.report.facts?.timeResolution).toBe(1);
  });

  it('a clock that is no time is said to be one', async () => {
    expect(await notices(`${ftrace('kvm_entry: PC: 0x1', '123456789012')}\n`)).toHaveProperty(
      'time-unit-unknown',
    );
  });

  it('callchains, samples of hardware events and perf’s own records are passed over and counted', async () => {
    const text = [
      good,
      '\tffffffff81000000 func+0x10 ([kernel.kallsyms])',
      '            7f0012345678 main+0x1 (/bin/x)',
      '',
      '              sh  2473  1.732463952:    1000000 task-clock:      561c64f0d23e [unknown] (/usr/bin/dash)',
      '            perf   262 [000]     2.000000000: PERF_RECORD_COMM: x:262/262',
      perf(set, '3.0'),
    ];
    const { events, report } = await importText(`${text.join('\n')}\n`);
    expect(events).toHaveLength(2);
    expect(Object.fromEntries(report.notices.map(({ code, count }) => [code, count]))).toEqual({
      'callchain-line': 2,
      'hardware-sample': 1,
      'perf-record-line': 1,
    });
  });

  it('a recording of samples alone is told from one that is damaged', async () => {
    const line =
      '              sh  2473 [000] 1.732463952:    1000000 cycles:      561c64f0d23e f (/x)';
    await expect(importText(`${line}\n`)).rejects.toThrow(
      '1 samples of hardware events and no tracepoint',
    );
  });

  it('the header of perf script --header gives the facts', async () => {
    const header = [
      '# ========',
      '# captured on    : Fri Nov 20 09:41:57 2026',
      '# hostname : armhost',
      '# os release : 6.12.117+deb12-arm64',
      '# perf version : 6.1.192',
      '# arch : aarch64',
      '# cmdline : /usr/bin/perf record -k mono -a',
      '# event : name = kvm:kvm_entry, , id = { 6 }, type = 2, use_clockid = 1, clockid = 1',
      '# ========',
      '#',
    ];
    const { report } = await importText(`${header.join('\n')}\n${good}\n`);
    expect(report.facts).toMatchObject({
      format: 'perf-script',
      hostname: 'armhost',
      kernelRelease: '6.12.117+deb12-arm64',
      toolVersion: 'perf 6.1.192',
      arch: 'arm64',
      commandLine: '/usr/bin/perf record -k mono -a',
      clock: 'mono',
    });
    const overruled = await importText(`${header.join('\n')}\n${good}\n`, {
      kernelRelease: '6.1.0',
    });
    expect(overruled.report.facts?.kernelRelease).toBe('6.1.0');
    expect(overruled.report.notices.map(({ code }) => code)).toEqual(['kernel-release-overruled']);
  });
});

describe('lost records', () => {
  const lost = async (text: string): Promise<unknown[]> => {
    const { events } = await importText(text);
    return events.map(({ kind, time, pcpu, value, flags }) =>
      kind === EventKind.lost ? [time, pcpu, flags & EventFlag.noValue ? '?' : value] : time,
    );
  };
  const one = ftrace('kvm_entry: PC: 0x1');
  const two = ftrace('kvm_entry: PC: 0x1', '2.000000');

  it.each<[string, string, unknown[]]>([
    [
      'perf',
      `${good}\n            perf   262 [003]  2.5: PERF_RECORD_LOST lost 12\n`,
      [1_000_000_001n, [2_500_000_000n, 3, 12n]],
    ],
    [
      'perf, samples',
      `${good}\n            perf   262 [003]  2.5: PERF_RECORD_LOST_SAMPLES lost 7\n`,
      [1_000_000_001n, [2_500_000_000n, 3, 7n]],
    ],
    [
      'perf, without a time',
      `${good}\nPERF_RECORD_LOST lost 4\n`,
      [1_000_000_001n, [1_000_000_001n, -1, 4n]],
    ],
    [
      'trace-cmd, a number',
      `${one}\nCPU:2 [738 EVENTS DROPPED]\n${two}\n`,
      [1_000_001_000n, [1_000_001_000n, 2, 738n], 2_000_000_000n],
    ],
    [
      'trace-cmd, no number',
      `${one}\nCPU:2 [EVENTS DROPPED]\n${two}\n`,
      [1_000_001_000n, [1_000_001_000n, 2, '?'], 2_000_000_000n],
    ],
    [
      'trace-cmd, at the start',
      `cpus=4\nCPU:3 is empty\nCPU:2 [5 EVENTS DROPPED]\n${two}\n`,
      [[2_000_000_000n, 2, 5n], 2_000_000_000n],
    ],
    [
      'tracefs, read while running',
      `${one}\nCPU:1 [LOST 12 EVENTS]\n${two}\n`,
      [1_000_001_000n, [1_000_001_000n, 1, 12n], 2_000_000_000n],
    ],
    [
      'tracefs, overwritten',
      `# tracer: nop\n# entries-in-buffer/entries-written: 2/374796   #P:1\n${one}\n${two}\n`,
      [[1_000_001_000n, -1, 374794n], 1_000_001_000n, 2_000_000_000n],
    ],
    [
      'tracefs, a CPU that starts late',
      `${one}\n##### CPU 1 buffer started ####\n${two}\n`,
      [1_000_001_000n, [1_000_001_000n, 1, '?'], 2_000_000_000n],
    ],
    [
      'tracefs, nothing lost',
      `# entries-in-buffer/entries-written: 1/1   #P:1\n${one}\n`,
      [1_000_001_000n],
    ],
  ])('%s', async (_, text, want) => {
    expect(await lost(text)).toEqual(want);
  });
});
