import { describe, expect, it } from 'vitest';
import { BARE, BARE_61, json, withLog } from './recordings.ts';
import { vpmu } from './vpmu.ts';

describe('vpmu check', () => {
  it('contradicts nothing under the right rules: exit 0', async () => {
    const { code, stdout } = await vpmu(['check', BARE]);
    expect(code).toBe(0);
    expect(stdout).toContain('No recorded read contradicts the model.');
  });

  it('does not call a recording good in which there is nothing to check: exit 4', async () => {
    const { code, stdout, stderr } = await vpmu([
      'check',
      'traces/S5-bare/perf-script-default.txt.zst',
    ]);
    expect(code).toBe(4);
    expect(stdout).toContain('Nothing could be checked');
    expect(stderr).toContain('warning');
    expect(stderr).toContain('--guest-code');
  });

  it('shows the first contradiction and what led to it under the wrong ones: exit 1', async () => {
    const { code, stdout } = await vpmu(['check', '--rules', 'arm64-kvm-6.12', BARE_61]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/First contradiction: @\d+ at \d+\.\d{9}, vcpu0 reads PM/);
    expect(stdout).toContain('The 20 events before it:');
    const asked = await vpmu(['check', '--json', '--rules', 'arm64-kvm-6.12', BARE_61]);
    expect(asked.code).toBe(1);
    const result = json(asked.stdout);
    const first = result['firstContradiction'] as Record<string, unknown>;
    expect(first['before']).toHaveLength(20);
    expect(first['recorded']).toMatch(/^\d+$/);
    const reads = result['guestReads'] as Record<string, number>;
    expect(reads['total']).toBe(
      reads['confirmed']! + reads['bounded']! + reads['unknown']! + reads['contradicted']!,
    );
  });

  it('refuses rules and evidence that do not exist', async () => {
    for (const args of [
      ['--rules', 'arm64-kvm-9.9'],
      ['--without', 'luck'],
    ]) {
      const { code, stderr } = await vpmu(['check', ...args, BARE]);
      expect(code).toBe(2);
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    }
  });
});

describe('vpmu replay', () => {
  it('prints counters and registers at an instant, by time and by @seq', async () => {
    const { log } = await withLog();
    const byTime = await vpmu(['replay', log, '--at', '16.6']);
    expect(byTime.code).toBe(0);
    expect(byTime.stdout).toMatch(/^vcpu0 at 16\.600000000 \(@\d+\) · arm64-kvm-6\.12/);
    expect(byTime.stdout).toMatch(/^ +31 {2}CPU_CYCLES 0x11 /m);
    const seq = /\((@\d+)\)/.exec(byTime.stdout)![1]!;
    const bySeq = await vpmu(['replay', log, '--at', seq]);
    const body = (text: string): string => text.slice(text.indexOf('\n'));
    expect(body(bySeq.stdout)).toBe(body(byTime.stdout));
  });

  it('is exact in JSON', async () => {
    const { stdout } = await vpmu(['replay', BARE, '--at', 'end', '--json']);
    const [vcpu] = json(stdout)['vcpus'] as { counters: Record<string, unknown>[] }[];
    expect(vcpu!.counters.map(({ counter }) => counter)).toEqual([0, 1, 2, 3, 4, 5, 31]);
    for (const counter of vcpu!.counters) {
      if (counter['certainty'] === 'exact') expect(counter['value']).toMatch(/^\d+$/);
      else expect(counter['value']).toBeNull();
    }
  });

  it('prints the series of a counter as CSV', async () => {
    const { stdout } = await vpmu(['replay', BARE, '--watch-counter', 'cycles']);
    const [header, ...lines] = stdout.trimEnd().split('\n');
    expect(header).toBe('time,seq,kind,certainty,low,high');
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines)
      expect(line).toMatch(/^\d+\.\d{9},\d+,[a-z-]+,(exact|bounded|unknown),\d*,\d*$/);
  });

  it('refuses an instant, a vCPU or a counter that is not there', async () => {
    for (const args of [
      ['--at', '1.5'],
      ['--at', '@99999999'],
      ['--vcpu', '7'],
      ['--watch-counter', '32'],
    ]) {
      const { code, stdout, stderr } = await vpmu(['replay', BARE, ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    }
  });
});

describe('vpmu diff', () => {
  it('compares over common spans', async () => {
    const { code, stdout } = await vpmu(['diff', '--json', BARE]);
    expect(code).toBe(0);
    const { rows } = json(stdout) as { rows: Record<string, unknown>[] };
    expect(rows.length).toBeGreaterThan(0);
    for (const member of [
      'vcpu',
      'counter',
      'event',
      'guest',
      'hostG',
      'hostH',
      'difference',
      'coverage',
    ]) {
      expect(rows[0]).toHaveProperty(member);
    }
  });

  it('takes an interval of perf stat that surely differs for a difference: exit 1', async () => {
    const { code, stdout } = await vpmu([
      'diff',
      '--json',
      'traces/X9b-event-filter/perf.data.zst',
      'host:traces/X9b-event-filter/host-perf-stat.json',
      '--stat-start',
      '35.965',
    ]);
    const { totals, intervals } = json(stdout) as {
      totals: { difference: string | null }[];
      intervals: { difference: { low: string; high: string } | null }[];
    };
    expect(totals.map(({ difference }) => difference)).toEqual([null, null, null]);
    expect(intervals.at(-1)?.difference).toEqual({ low: '-10016903', high: '-10016903' });
    expect(code).toBe(1);
  });

  it('says when nothing can be compared: exit 4', async () => {
    const { code } = await vpmu(['diff', 'traces/S5-bare/host-perf-stat.json']);
    expect(code).toBe(4);
  });
});
