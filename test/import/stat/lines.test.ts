import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventKind } from '../../../src/domain/event-kind.ts';
import {
  perfStatCsv,
  perfStatJson,
  perfStatText,
} from '../../../src/import/stat/stat-importers.ts';
import { type Collected, collect } from './collect.ts';

function json(fields: Record<string, string | number>): string {
  const pairs = Object.entries(fields).map(
    ([key, value]) => `"${key}" : ${typeof value === 'string' ? `"${value}"` : value}`,
  );
  return `{${pairs.join(', ')}}`;
}

function line(value: string, event: string, interval?: string): string {
  return `{${interval === undefined ? '' : `"interval" : ${interval}, `}"counter-value" : "${value}", "unit" : "", "event" : "${event}", "event-runtime" : 1000, "pcnt-running" : 100.00, "metric-value" : 0.000000, "metric-unit" : ""}`;
}

/** `event value flags`, one per count. */
function brief({ counts }: Collected): readonly string[] {
  return counts.map(({ event, value, flags }) => `${event} ${value} ${flags}`.trim());
}

const readJson = (text: string) => collect(perfStatJson, text);
const readCsv = (text: string) => collect(perfStatCsv, text);
const readTable = (text: string) => collect(perfStatText, text);

describe('perf stat -j', () => {
  it('keeps a printed count exact up to 2^53 and says so beyond', () => {
    const exact = 2n ** 53n;
    const read = readJson(
      [exact, exact + 2n, 2n ** 64n - 1n].map((n) => line(`${n}.000000`, 'cycles')).join('\n'),
    );
    expect(brief(read)).toEqual([
      `cycles ${exact} total`,
      `cycles ${exact + 2n} rounded total`,
      `cycles ${2n ** 64n - 1n} rounded total`,
    ]);
  });

  it('tells not counted, not supported and a counted zero apart', () => {
    const read = readJson(
      ['<not counted>', '<not supported>', '0.000000'].map((v, i) => line(v, `e${i}`)).join('\n'),
    );
    expect(brief(read)).toEqual(['e0 0 notCounted total', 'e1 0 notSupported total', 'e2 0 total']);
    // The printed 100.00 of what never ran is not taken over.
    expect(read.counts.map(({ running }) => running)).toEqual([0, 0, 10_000]);
    expect(read.noticed('not-counted')).toBe(1);
    expect(read.noticed('not-supported')).toBe(1);
  });

  it('marks decimals, units of their own and scaled counts', () => {
    const base = { event: 'e', 'event-runtime': 5, 'pcnt-running': 100 };
    const read = readJson(
      [
        json({ 'counter-value': '48.666667', unit: '', ...base }),
        json({ 'counter-value': '0.484587', unit: 'msec', ...base }),
        json({ 'counter-value': '0.48', unit: 'msec', ...base }),
        json({ 'counter-value': '12.500000', unit: 'Joules', ...base }),
        json({ 'counter-value': '12.000000', unit: 'MiB', ...base }),
        json({ 'counter-value': '12.000000', unit: '', ...base, 'pcnt-running': 66.67 }),
        json({ 'counter-value': '12.000000', unit: '', variance: 1.5, ...base }),
      ].join('\n'),
    );
    expect(read.counts.map(({ value, flags }) => `${value} ${flags}`)).toEqual([
      '49 rounded total',
      '484587 total',
      '480000 rounded total',
      '13 rounded total',
      '12 rounded total',
      '12 scaled total',
      '12 rounded total',
    ]);
    expect(read.counts[5]!.running).toBe(6667);
    expect(read.noticed('mean-of-runs')).toBe(1);
    expect(read.noticed('rounded-count')).toBe(5);
    expect(read.noticed('scaled-count')).toBe(1);
  });

  it('takes every version’s way of quoting and of separating objects', () => {
    const read = readJson(
      [
        '[',
        '{"interval":1.000000001,"counter-value":1,"event":"a","event-runtime":"7","pcnt-running":"50.00"},',
        '{"interval" : "1.000000001", "counter-value" : "2.000000", "unit" : "", "event" : "b",}',
        '{"interval" : 1.000000001, "counter-value" : "3.000000", "event" : "c"}{"interval" : 1.000000001, "counter-value" : "4.000000", "event" : "d"}',
        '{"interval" : 1.000000001, "cpu" : 3, "counter-value" : "5.000000", "event" : "e", "metric-value" : nan}',
        '{"interval" : 1.000000001, "cpu" : "CPU4", "counter-value" : "6.000000", "event" : "f", "metric-value" : "-nan"}',
        '{"interval" : 1.000000001, "core" : "S0-D0-C1", "counters" : 2, "counter-value" : "7.000000", "event" : "g", "metric-unit" : (null)}',
        '{"interval" : 1.000000001, "counter-value" : "8.000000", "event" : "cpu/config=0x1,name=\\"h\\"/"}',
        ']',
      ].join('\r\n'),
    );
    expect(brief(read)).toEqual([
      'a 1 scaled',
      'b 2',
      'c 3',
      'd 4',
      'e 5',
      'f 6',
      'g 7',
      'cpu/config=0x1,name="h"/ 8',
    ]);
    expect(read.counts.map(({ pcpu }) => pcpu)).toEqual([-1, -1, -1, -1, 3, 4, -1, -1]);
    expect(read.counts[0]!.runtime).toBe(7n);
    expect(new Set(read.counts.map(({ time }) => time))).toEqual(new Set([1_000_000_001n]));
    expect(read.noticed('aggregated-cpus')).toBe(1);
    expect(read.noticed('torn-line')).toBe(0);
  });

  it('does not take a count out of a torn object, wherever it is torn', () => {
    const whole = line('123456.000000', 'cycles', '0.100000000');
    for (let cut = 1; cut < whole.length; cut++) {
      const torn = `${whole.slice(0, cut)}work: 10 iterations\n${whole.slice(cut)}`;
      const read = readJson(`${line('1.000000', 'first')}\n${torn}\n${line('2.000000', 'last')}\n`);
      expect(brief(read)).toEqual(['first 1 total', 'last 2 total']);
      // Cut before the first key there is no sign of perf in the first half: the second tells.
      expect(read.noticed('torn-line')).toBe(1);
    }
  });

  it('takes a complete object with other output before or behind it', () => {
    const read = readJson(
      `vcpu0| ${line('1.000000', 'a')}\nwork: 3 {x}${line('2.000000', 'b')}done {\n{"interval" : 1.0, ${line('3.000000', 'c')}\n`,
    );
    expect(brief(read)).toEqual(['a 1 total', 'b 2 total', 'c 3 total']);
    expect(read.noticed('torn-line')).toBe(1);
    const odd = readJson(
      [
        `${line('1.000000', 'a')} "event-runtime" : 5, "pcnt-running" : 100.00}`,
        '{"counter-value" : "1.000000", "event" : "b", "event" : "c"}',
      ].join('\n'),
    );
    expect(brief(odd)).toEqual(['a 1 total']);
    expect(odd.noticed('torn-line')).toBe(2);
  });

  it('counts lines that only look like counters', () => {
    const read = readJson(
      [
        line('1.000000', 'a'),
        '{"metric-value" : 1.5, "metric-unit" : "insn per cycle"}',
        line('12x', 'b'),
        line('-5.000000', 'c'),
        line('18446744073709551616.000000', 'd'),
        line('1.000000', ''),
        line('1.000000', 'e', 'soon'),
        '{"ck":0,"event":"cycles","raw":1}',
        '{}',
        'hello',
      ].join('\n'),
    );
    expect(brief(read)).toEqual(['a 1 total']);
    expect(read.noticed('unparsable-line')).toBe(5);
    expect(read.noticed('metric-line')).toBe(1);
    expect(read.noticed('not-a-count')).toBe(3);
    expect(read.notices.find(({ code }) => code === 'unparsable-line')?.text).toContain(
      'line 3, 4, 5, 6, 7',
    );
  });

  it('places intervals: time is the end, the length goes back to the one before', () => {
    const text = [
      line('1.000000', 'a', '0.100000001'),
      line('2.000000', 'b', '0.100000001'),
      line('3.000000', 'a', '0.250000003'),
      line('4.000000', 'b', '0.250000003'),
      line('4.000000', 'a'),
      line('6.000000', 'b'),
    ].join('\n');
    const relative = readJson(text);
    expect(relative.counts.map(({ time, length, flags }) => [time, length, flags])).toEqual([
      [100_000_001n, 100_000_001n, ''],
      [100_000_001n, 100_000_001n, ''],
      [250_000_003n, 150_000_002n, ''],
      [250_000_003n, 150_000_002n, ''],
      [250_000_003n, 250_000_003n, 'total'],
      [250_000_003n, 250_000_003n, 'total'],
    ]);
    expect(relative.facts.clock).toBe('perf-stat-relative');
    expect(relative.noticed('relative-time')).toBe(6);
    const placed = collect(perfStatJson, text, { statStart: 616_000_000_000n });
    expect(placed.counts.map(({ time }) => time)).toEqual(
      relative.counts.map(({ time }) => time + 616_000_000_000n),
    );
    expect(placed.facts.clock).toBeUndefined();
    expect(placed.noticed('relative-time')).toBe(0);
  });

  it('tells several runs in one text apart', () => {
    const run = [line('1.000000', 'a', '0.100000000'), line('1.000000', 'a')].join('\n');
    const started = '# started on Fri Nov 20 09:47:44 2026\n\n';
    for (const text of [`${run}\n${run}`, `${started}${run}\n${started}${run}`]) {
      const read = readJson(text);
      expect(read.counts.map(({ time, length }) => [time, length])).toEqual(
        Array.from({ length: 4 }, () => [100_000_000n, 100_000_000n]),
      );
      expect(read.noticed('several-runs')).toBe(1);
    }
    expect(readJson(started + run).noticed('several-runs')).toBe(0);
    const back = ['0.1', '0.3', '0.2'].map((end) => line('1.000000', 'a', end)).join('\n');
    const read = readJson(back);
    expect(read.counts.map(({ length }) => length)).toEqual([
      100_000_000n,
      200_000_000n,
      200_000_000n,
    ]);
    expect(read.noticed('several-runs')).toBe(1);
    expect(readJson(started + run).noticed('started-on')).toBe(1);
  });

  it('keeps guest threads out of the thread column, and finds the vCPU of a guest CPU', () => {
    const text = [
      json({ thread: 'work-77', 'counter-value': '1.000000', unit: '', event: 'a' }),
      json({ cpu: '0', 'counter-value': '2.000000', unit: '', event: 'a' }),
    ].join('\n');
    const guest = collect(perfStatJson, text, { role: 'guest' });
    expect(guest.counts.map(({ tid, pcpu }) => [tid, pcpu])).toEqual([
      [-1, -1],
      [-1, 0],
    ]);
    expect(guest.threads.size).toBe(0);
    expect(guest.noticed('guest-thread')).toBe(1);
    const host = collect(perfStatJson, text, { role: 'host' });
    expect(host.counts[0]!.tid).toBe(77);
    expect(host.threads.get(77)).toBe('work');
  });

  it('writes events of kind count and nothing else', () => {
    const { events } = readJson(line('1.000000', 'a'));
    expect(events).toEqual([
      {
        seq: 0,
        time: 0n,
        kind: EventKind.count,
        flags: events[0]!.flags,
        source: 1,
        pcpu: -1,
        vcpu: -1,
        tid: -1,
        counter: -1,
        code: 1,
        object: 0n,
        value: 1n,
        aux0: 10_000n,
        aux1: 1000n,
      },
    ]);
  });
});

describe('perf stat -x', () => {
  it.each([',', ';', '\t', '|', ':', ' ', '#', '@', '~'])('finds the separator %j', (x) => {
    const rows = [
      [
        '     0.010112354',
        '0.86',
        'msec',
        'task-clock',
        '855043',
        '100.00',
        '0.086',
        'CPUs utilized',
      ],
      ['     0.010112354', '77', '', 'page-faults:u', '855043', '66.67', '90.054', 'K/sec'],
      ['     0.010112354', '<not supported>', '', 'cycles', '0', '100.00', '', ''],
      ['     0.020362405', '<not counted>', '', 'page-faults:u', '0', '100.00', '', ''],
      ['         summary', '77', '', 'page-faults:u', '855043', '100.00', '', ''],
    ];
    const read = readCsv(rows.map((row) => row.join(x)).join('\n'));
    expect(brief(read)).toEqual([
      'task-clock 860000 rounded',
      'page-faults:u 77 scaled',
      'cycles 0 notSupported',
      'page-faults:u 0 notCounted',
      'page-faults:u 77 total',
    ]);
    expect(read.counts.map(({ time, length }) => [time, length])).toEqual([
      [10_112_354n, 10_112_354n],
      [10_112_354n, 10_112_354n],
      [10_112_354n, 10_112_354n],
      [20_362_405n, 10_250_051n],
      [20_362_405n, 20_362_405n],
    ]);
    expect(read.notices.filter(({ code }) => code.endsWith('-line'))).toEqual([]);
  });

  it('takes the variance where perf prints it and where its manual has it', () => {
    const read = readCsv(
      [
        '0.42,msec,task-clock,1.54%,416839,100.00,0.073,CPUs utilized',
        '49,,page-faults,416839,100.00,1.54%,0.073,K/sec',
      ].join('\n'),
    );
    expect(read.spreads).toEqual(['task-clock 154 of 0 runs', 'page-faults 154 of 0 runs']);
    expect(brief(read)).toEqual([
      'task-clock 420000 rounded total',
      'page-faults 49 rounded total',
    ]);
    expect(read.counts.map(({ runtime }) => runtime)).toEqual([416_839n, 416_839n]);
  });

  it('finds an event name that holds the separator', () => {
    const read = readCsv(
      [
        '12,,cycles,500,100.00,,',
        '34,,cpu/event=0xc0,umask=0x1,name=x/G,500,50.00,1.0,insn per cycle',
        'CPU1,56,,{cpu/event=0xc0,umask=0/,cycles}:D,2.00%,500,100.00,,',
      ].join('\n'),
    );
    expect(brief(read)).toEqual([
      'cycles 12 total',
      'cpu/event=0xc0,umask=0x1,name=x/G 34 scaled total',
      '{cpu/event=0xc0,umask=0/,cycles}:D 56 rounded total',
    ]);
    expect(read.counts[2]!.pcpu).toBe(1);
  });

  it('reads CPUs, groups of CPUs and threads, whose names may hold anything', () => {
    const read = readCsv(
      [
        'CPU0,79,,page-faults,11211030,100.00,,',
        'S0,2,81,,page-faults,22341037,100.00,,',
        'S0-D0-C1,1,1,,page-faults,11146302,100.00,,',
        'CPU 0/KVM-206,5,,instructions,1625024,100.00,,',
        'a,1,b-77,6,,instructions,1625024,100.00,,',
      ].join('\n'),
    );
    expect(read.counts.map(({ event, value, pcpu, tid }) => [event, value, pcpu, tid])).toEqual([
      ['page-faults', 79n, 0, -1],
      ['page-faults', 81n, -1, -1],
      ['page-faults', 1n, -1, -1],
      ['instructions', 5n, -1, 206],
      ['instructions', 6n, -1, 77],
    ]);
    expect(read.threads.get(77)).toBe('a,1,b');
    expect(read.noticed('aggregated-cpus')).toBe(2);
  });

  it('counts what it cannot read', () => {
    const read = readCsv(
      [
        'page faults follow',
        '77,,page-faults,85,100.00,,',
        ',,,,,1.2,GHz',
        '1,2',
        'x,,y,1,1.00,,',
      ].join('\n'),
    );
    expect(brief(read)).toEqual(['page-faults 77 total']);
    expect(read.noticed('not-a-count')).toBe(1);
    expect(read.noticed('metric-line')).toBe(1);
    expect(read.noticed('unparsable-line')).toBe(2);
  });
});

describe('perf stat’s table', () => {
  const heading = " Performance counter stats for 'work':\n\n";
  const elapsed = '\n       1.500000000 seconds time elapsed\n';

  it('reads thousands separators of any locale', () => {
    const separators = ['', ',', '.', '\u202f', '\u00a0', "'", '’'];
    const rows = separators.map((s) => `     1${s}234${s}567      cycles`);
    const read = readTable(`${heading}${rows.join('\n')}\n${elapsed}`);
    expect(read.counts.map(({ value, flags }) => `${value} ${flags}`)).toEqual(
      separators.map(() => '1234567 total'),
    );
    const small = readTable(
      `${heading}             1.234      cycles\n              0,79 msec task-clock\n          1.234,56 msec cpu-clock\n${elapsed}`,
    );
    expect(brief(small)).toEqual([
      'cycles 1234 total',
      'task-clock 790000 rounded total',
      'cpu-clock 1234560000 rounded total',
    ]);
  });

  it('reads the clocks of old perf, and a deviation of 0 where it prints none', () => {
    const read = readTable(
      ` Performance counter stats for 'sleep 5' (5 runs):\n\n${[
        '          0.529248      task-clock (msec)         #    0.000 CPUs utilized            ( +-  1.65% )',
        '                 1      context-switches          #    0.002 M/sec',
      ].join('\n')}\n${elapsed}`,
    );
    expect(read.facts.counted).toBe('sleep 5');
    expect(brief(read)).toEqual([
      'task-clock 529248 rounded total',
      'context-switches 1 rounded total',
    ]);
    expect(read.spreads).toEqual(['task-clock 165 of 5 runs', 'context-switches 0 of 5 runs']);
  });

  it('reads metric, variance, percentage and suffix', () => {
    const read = readTable(
      `${heading}${[
        '     8,712,512      cycles:G                  #    0.50  insn per cycle           ( +-  1.20% )  (66.67%)',
        '     8,712,512      instructions              ( +-  1.20% )',
        '     8,712,512      branches                                                      (99.99%)',
        '         12.3M      branch-misses',
        '   <not counted>      cache-misses              (0.00%)',
        '   <not supported>      L1-dcache-loads',
        '             12.34 Joules power/energy-pkg/',
      ].join('\n')}\n${elapsed}`,
    );
    expect(brief(read)).toEqual([
      'cycles:G 8712512 rounded scaled total',
      'instructions 8712512 rounded total',
      'branches 8712512 scaled total',
      'branch-misses 12300000 rounded total',
      'cache-misses 0 notCounted total',
      'L1-dcache-loads 0 notSupported total',
      'power/energy-pkg/ 12 rounded total',
    ]);
    expect(read.counts.map(({ running }) => running)).toEqual([
      6667, 10_000, 9999, 10_000, 0, 0, 10_000,
    ]);
    expect(read.counts[0]).toMatchObject({ time: 1_500_000_000n, length: 1_500_000_000n });
  });

  it('reads the CPU, group or thread in front', () => {
    const read = readTable(
      `${heading}${[
        'CPU3                    26.84 msec task-clock                       #    1.000 CPUs utilized',
        'S0-D0-C0           1                 82      page-faults',
        '           CPU 0/KVM-206          1,234      instructions',
        '                  sleep-6060      <not counted>      page-faults',
      ].join('\n')}\n${elapsed}`,
    );
    expect(read.counts.map(({ event, value, pcpu, tid }) => [event, value, pcpu, tid])).toEqual([
      ['task-clock', 26_840_000n, 3, -1],
      ['page-faults', 82n, -1, -1],
      ['instructions', 1234n, -1, 206],
      ['page-faults', 0n, -1, 6060],
    ]);
  });

  it('takes rows for perf’s only with a heading or an elapsed time', () => {
    const rows = '         12      monkeys\n         13      cycles\n';
    expect(() => readTable(`${rows}done\n`)).toThrow(/no count of perf stat in its 3 lines/);
    expect(brief(readTable(`${rows}${elapsed}`))).toEqual(['monkeys 12 total', 'cycles 13 total']);
    expect(brief(readTable(`${heading}${rows}`))).toEqual(['monkeys 12 total', 'cycles 13 total']);
    for (const row of ['12      monkeys', '     12 monkeys', '      1,2,3      monkeys']) {
      expect(() => readTable(`${row}\n${elapsed}`)).toThrow(/no count/);
    }
    // Other output between rows and elapsed time: not one table.
    expect(() => readTable(`${rows}done\n${elapsed}`)).toThrow(/no count/);
  });

  it('sums up the intervals before it (-I --summary)', () => {
    const read = readTable(
      `#           time             counts unit events\n     0.500000000                 10      faults\n     1.000000000                 20      faults\n\n${heading}                 30      faults\n\n       1.000000009 seconds time elapsed\n`,
    );
    expect(
      read.counts.map(({ value, time, length, flags }) => [value, time, length, flags]),
    ).toEqual([
      [10n, 500_000_000n, 500_000_000n, ''],
      [20n, 1_000_000_000n, 500_000_000n, ''],
      [30n, 1_000_000_009n, 1_000_000_009n, 'total'],
    ]);
    expect(read.noticed('several-runs')).toBe(0);
  });

  it('keeps a table that was cut off with its own run', () => {
    const interval = '     0.500000000                 10      faults\n';
    const read = readTable(
      `${interval}${heading}                 10      faults\n# started on Fri Nov 20 09:47:44 2026\n${interval}`,
    );
    expect(read.counts.map(({ time, flags }) => [time, flags])).toEqual([
      [500_000_000n, ''],
      [500_000_000n, 'total'],
      [500_000_000n, ''],
    ]);
    expect(read.noticed('several-runs')).toBe(1);
  });
});

describe('any text', () => {
  it('gives the same events and notices however the bytes are cut', () => {
    const text = [
      '# started on Fri Nov 20 09:47:44 2026',
      line('1.000000', 'a', '0.100000000'),
      `${line('2.000000', 'b', '0.1').slice(0, 50)}größe\r`,
      '',
      " Performance counter stats for 'work':",
      '',
      '     1\u202f234\u202f567      cycles:é                                  (66.67%)',
      '',
      '       1.500000000 seconds time elapsed',
      line('3.000000', 'ü'),
    ].join('\n');
    const bytes = new TextEncoder().encode(text);
    const whole = collect(perfStatJson, bytes);
    expect(whole.counts).toHaveLength(3);
    for (const every of [1, 2, 3, 7]) {
      const cut = collect(perfStatJson, bytes, { every });
      expect(cut.counts).toEqual(whole.counts);
      expect(cut.notices).toEqual(whole.notices);
    }
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (split) => {
        const cut = collect(perfStatJson, bytes, { split });
        expect(cut.counts).toEqual(whole.counts);
        expect(cut.notices).toEqual(whole.notices);
      }),
    );
  });

  it('never fails but with one line that names the input, and sniffs anything', () => {
    const pieces = fc.constantFrom(
      '{"counter-value" : "1.000000", ',
      '"event" : "cycles"',
      '}',
      '{',
      '"',
      ',',
      '\n',
      '1,,cycles,1,100.00,,',
      '   12      cycles',
      'seconds time elapsed',
      ' 1.0 seconds time elapsed\n',
      'Performance counter stats for :\n',
      '\\',
      '\u0000',
      '9'.repeat(400),
      '# started on x\n',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }), (parts) => {
        const text = parts.join('');
        for (const importer of [perfStatJson, perfStatCsv, perfStatText]) {
          const score = importer.sniff(new TextEncoder().encode(text));
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          try {
            for (const { kind } of collect(importer, text).events)
              expect(kind).toBe(EventKind.count);
          } catch (error) {
            expect(error).toMatchObject({ name: 'InputError', exitCode: 3 });
            expect((error as Error).message).toMatch(/^test-input: no count of perf stat .*$/);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('holds neither a line without end nor many open braces against the machine', () => {
    const read = readJson(
      `${'x'.repeat(3 << 20)}\n${line('1.000000', 'a')}\n${'{"a":1,'.repeat(50_000)}\n`,
    );
    expect(brief(read)).toEqual(['a 1 total']);
    expect(read.noticed('long-line')).toBe(1);
    expect(read.notices.find(({ code }) => code === 'long-line')?.firstAt).toBe(1);
    expect(() => readCsv(`${'1,'.repeat(40_000)}\n${' '.repeat(900_000)}1\n`)).toThrow(/no count/);
    expect(() => readTable(`${' 1'.repeat(400_000)}\n`)).toThrow(/no count/);
  });
});
