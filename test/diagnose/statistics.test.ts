import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diagnoseStatistics } from '../../src/diagnose/statistics/diagnose-statistics.ts';
import { type StatSide, statSides } from '../../src/diagnose/statistics/samples.ts';
import { importInto, openLog } from '../../src/index.ts';
import { fresh, temporaryFolder } from '../log/helpers.ts';

const folder = temporaryFolder();

/** What both outputs of a shipped folder say, through import and log. */
async function sides(recording: string, ext: string): Promise<{ host: StatSide; guest: StatSide }> {
  const path = (side: string): string =>
    fileURLToPath(new URL(`../../traces/${recording}/${side}.${ext}`, import.meta.url));
  const log = fresh(folder);
  await importInto(log, [
    { path: path('host'), role: 'host' },
    { path: path('guest'), role: 'guest' },
  ]);
  const opened = openLog(log);
  try {
    const found = statSides(opened);
    return {
      host: found.find(({ role }) => role === 'host')!,
      guest: found.find(({ role }) => role === 'guest')!,
    };
  } finally {
    opened.close();
  }
}

describe('two outputs of perf stat', () => {
  it('are two runs when both sides counted their own command (sleep 5 of 2016)', async () => {
    const { host, guest } = await sides('sleep5-2016', 'txt');
    const diagnosis = diagnoseStatistics(host, guest);
    expect(diagnosis.verdict).toMatchObject({ code: 'different-run', grade: 'proven' });
    const rows = new Map(diagnosis.rows.map((row) => [row.event, row]));
    // Differences, ratios and deviations as worked out by hand from the printed numbers.
    expect(
      ['task-clock', 'cycles', 'instructions', 'branch-misses'].map((event) => {
        const row = rows.get(event)!;
        return [row.difference, row.ratio!.toFixed(3), row.sigma!.toFixed(1), row.apart];
      }),
    ).toEqual([
      [166_164n, '1.314', '13.4', 'beyond-noise'],
      [326_192n, '1.295', '12.8', 'beyond-noise'],
      [131_061n, '1.248', '7.1', 'beyond-noise'],
      [1_314n, '1.137', '4.9', 'beyond-noise'],
    ]);
    expect(rows.get('page-faults')).toMatchObject({ difference: 0n, apart: 'equal' });
    expect(rows.get('branches')).toMatchObject({ difference: null, apart: 'no-count' });
    const said = new Map(diagnosis.statements.map(({ code, text }) => [code, text]));
    expect(said.get('beyond-noise')).toContain('4.9 to 13.4');
    expect(said.get('more-executed')).toContain('page-faults 49');
    expect(said.get('more-executed')).toContain('×1.137 to ×1.314');
    expect(said.get('ipc')).toMatch(/host 0\.478, guest 0\.461, the difference alone 0\.402/);
    expect(said.get('frequency')).toMatch(/2\.0865 GHz, guest 2\.0570 GHz \(-1\.4 %\)/);
    expect(said.get('frequency')).toContain('20,500 cycles (10 us)');
    expect(said.get('not-supported-both')).toContain('branches');
    expect(said.has('one-sample')).toBe(false);
    expect(diagnosis.open.map(({ code }) => code)).toContain('el-filter-overlap');
  });

  it('show no discrepancy with one sample each (read_cycles 131 and 137)', async () => {
    const { host, guest } = await sides('read-cycles-2016', 'csv');
    const diagnosis = diagnoseStatistics(host, guest);
    expect(diagnosis.rows).toHaveLength(1);
    expect(diagnosis.rows[0]).toMatchObject({ difference: 6n, sigma: null, apart: 'one-sample' });
    const said = new Map(diagnosis.statements.map(({ code, text }) => [code, text]));
    expect([...said.keys()]).toEqual(['one-sample', 'smaller-than-trap']);
    expect(said.get('one-sample')).toContain('+6 (+4.6 %)');
    expect(diagnosis.verdict.grade).toBe('consistent');
  });

  it('call a common factor a scale, and an interval of means within noise no difference', () => {
    const side = (role: 'host' | 'guest', scale: number, spread: number): StatSide => ({
      source: 1,
      name: role,
      role,
      counted: undefined,
      elapsed: 0n,
      samples: ['cycles', 'instructions', 'branches'].map((event, i) => ({
        event,
        state: 'counted',
        value: BigInt(Math.round(1_000_000 * (i + 1) * scale)),
        rounded: true,
        running: 10_000,
        spread,
        runs: 5,
        seq: i + 1,
      })),
    });
    const codes = (scale: number, spread: number): string[] =>
      diagnoseStatistics(side('host', 1, spread), side('guest', scale, spread)).statements.map(
        ({ code }) => code,
      );
    expect(codes(2, 10)).toContain('common-factor');
    expect(codes(1.01, 100)).toEqual(['within-noise']);
  });
});
