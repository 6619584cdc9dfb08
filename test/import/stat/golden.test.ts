import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { STAT_IMPORTERS } from '../../../src/import/stat/stat-importers.ts';
import { type Collected, collect } from './collect.ts';

const FIXTURES: Readonly<Record<string, string>> = {
  's1-stat-host-json': 'perf-stat-json',
  's3-lean-host-json': 'perf-stat-json',
  's3-lean-contender-json': 'perf-stat-json',
  's1-stat-guest-console': 'perf-stat-json',
  's3-lean-guest-console': 'perf-stat-json',
  's4-lean-guest-console': 'perf-stat-json',
  'x1-blob-host-json': 'perf-stat-json',
  'x4-host-pins': 'perf-stat-text',
  'csv-interval-summary': 'perf-stat-csv',
  'csv-per-cpu-interval': 'perf-stat-csv',
  'csv-runs': 'perf-stat-csv',
  'table-interval-summary': 'perf-stat-text',
  'table-per-cpu-and-runs': 'perf-stat-text',
};

function bytesOf(name: string): Uint8Array {
  return readFileSync(new URL(`fixtures/${name}.txt`, import.meta.url));
}

function read(name: string): Collected {
  const bytes = bytesOf(name);
  const scores = STAT_IMPORTERS.map((importer) => importer.sniff(bytes.subarray(0, 65_536)));
  const best = scores.indexOf(Math.max(...scores));
  return collect(STAT_IMPORTERS[best]!, bytes);
}

function dump(read: Collected): string {
  const lines = read.counts.map((count) =>
    [
      `${count.time}-${count.length}`,
      count.event,
      count.value,
      count.flags || '-',
      `${count.running}`,
      count.runtime,
      `cpu ${count.pcpu} tid ${count.tid} vcpu ${count.vcpu}`,
    ].join(' | '),
  );
  const notices = read.notices.map(
    ({ severity, code, count, firstAt, text }) =>
      `${severity} ${code} ${count} line ${firstAt}: ${text}`,
  );
  const facts = Object.entries(read.facts).map(([name, value]) => `${name}=${value}`);
  const spreads = read.spreads.map((spread) => `spread ${spread}`);
  return `${[...facts, ...notices, ...read.learned, ...lines, ...spreads].join('\n')}\n`;
}

describe('recordings of perf stat', () => {
  it.each(Object.entries(FIXTURES))('%s is %s and reads as before', async (name, format) => {
    const result = read(name);
    expect(result.facts.format).toBe(format);
    await expect(dump(result)).toMatchFileSnapshot(`fixtures/${name}.golden`);
  });

  it('has the totals the recording was published with', () => {
    const totals = read('s1-stat-host-json').counts.filter(({ flags }) => flags === 'total');
    expect(Object.fromEntries(totals.map(({ event, value }) => [event, value]))).toEqual({
      'cycles:G': 3_262_942_590n,
      'cycles:H': 2_990_950_282n,
      'instructions:G': 1_631_471_295n,
      'instructions:H': 1_495_475_141n,
    });
    expect(totals.every(({ running }) => running === 10_000)).toBe(true);
    const multiplexed = read('s3-lean-host-json').counts.filter(({ flags }) =>
      flags.includes('total'),
    );
    expect(multiplexed.map(({ value, flags, running }) => [value, flags, running])).toEqual([
      [3_290_041_327n, 'scaled total', 9100],
      [925_957_359n, 'scaled total', 9100],
      [1_645_020_663n, 'scaled total', 9100],
      [462_978_679n, 'scaled total', 9100],
    ]);
  });

  it('has intervals that add up to the total when nothing was scaled', () => {
    const { counts } = read('s1-stat-host-json');
    for (const { event, value, length } of counts.filter(({ flags }) => flags === 'total')) {
      const intervals = counts.filter((count) => count.event === event && count.flags !== 'total');
      expect(intervals.reduce((sum, count) => sum + count.value, 0n)).toBe(value);
      expect(intervals.reduce((sum, count) => sum + count.length, 0n)).toBe(length);
    }
  });

  it('tells the thread of --per-thread and the vCPU it runs', () => {
    const { counts, threads, learned } = read('x1-blob-host-json');
    expect(threads).toEqual(new Map([[206, 'CPU 0/KVM']]));
    expect(learned).toEqual(['0 206 -1 thread name CPU 0/KVM @1']);
    expect(counts.every(({ tid, vcpu }) => tid === 206 && vcpu === 0)).toBe(true);
  });

  it('reads the counts of a guest console and neither repairs nor guesses a torn line', () => {
    const console = read('s1-stat-guest-console');
    expect(console.counts.map(({ event, value }) => `${event} ${value}`)).toEqual([
      'cycles 8712512',
      'instructions 4356256',
      'instructions:u 4015219',
      'instructions:k 286343',
      'instructions 27661435',
    ]);
    expect(console.notices.find(({ code }) => code === 'torn-line')).toMatchObject({
      severity: 'warning',
      count: 1,
      firstAt: 21,
    });
    // A counter that stood still is 0, not missing.
    const still = read('s3-lean-guest-console').counts.filter(({ value }) => value === 0n);
    expect(still.map(({ event, flags }) => `${event} ${flags}`)).toEqual([
      'cycles total',
      'instructions total',
      'cycles total',
      'instructions total',
    ]);
  });
});

describe('sniffing', () => {
  it('takes no other text for perf stat', () => {
    const others = [
      '',
      '\n\n',
      'CPU 0/KVM  1328 [000]   391.930000: kvm:kvm_entry: PC: 0x40081234\n',
      '# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/1   #P:1\n',
      'cpus=1\n   CPU 0/KVM-1328  [000]   391.930000: kvm_entry: PC: 0x40081234\n',
      'PERFILE2\u0000\u0001\u0002',
      '{"format":"vpmu-events/1","recordings":[]}\n',
      '{"ck":0,"event":"cycles","rdpmc":1,"index":32,"width":64,"raw":9223372036856817597}\n',
      'a,b,c\n1,2,3\n4,5,6\n',
      '  12 monkeys\n  4 seconds\n',
    ];
    for (const text of others) {
      const head = new TextEncoder().encode(text);
      expect(STAT_IMPORTERS.map((importer) => importer.sniff(head))).toEqual([0, 0, 0]);
    }
  });
});
