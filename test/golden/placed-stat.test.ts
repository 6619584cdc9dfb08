import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Diagnosis, diagnoseLog, importInto, openLog } from '../../src/index.ts';
import { TRACES } from './shipped.ts';

const X9B = join(TRACES, 'X9b-event-filter');

describe("X9b-event-filter with the host's perf stat placed at 35.965 ± 0.5 ms", () => {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-placed-'));
  let diagnosis: Diagnosis;
  beforeAll(async () => {
    const file = join(folder, 'x9b.vpmu');
    const statStart = { statStart: 35_965_000_000n, statStartWithin: 500_000 };
    await importInto(file, [
      { path: join(X9B, 'perf.data.zst') },
      { path: join(X9B, 'host-perf-stat.json'), role: 'host', ...statStart },
    ]);
    const log = openLog(file);
    diagnosis = diagnoseLog(log);
    log.close();
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  const windowOf = (name: string) =>
    diagnosis.windows.find(({ window }) => window.eventName === name)!;

  it("gives the filtered counter's difference to the filter", () => {
    const { host, ledger, verdict, window } = windowOf('instructions');
    expect(verdict).toBe('differs');
    expect(window.guest).toEqual({ low: 0n, high: 0n });
    // The count of the one interval in which the guest ran, and the time it ran before the counter was programmed.
    expect(host).toMatchObject({ host: 10_016_903n, modes: 'G', modesFrom: 'name' });
    expect(host?.placed).toMatchObject({ withinNs: 500_000, intervals: 1, ownThread: true });
    expect(host?.placed?.edgeNs).toBe(0);
    expect(host?.placed?.outsideNs).toBeGreaterThan(50_000);
    expect(host?.placed?.outsideNs).toBeLessThan(100_000);
    expect(ledger.difference?.low).toBe(-10_016_903n);
    expect(ledger.difference!.high).toBeLessThan(-9_500_000n);
    const filter = ledger.findings.find(({ code }) => code === 'event-filtered')!;
    expect(filter).toMatchObject({ grade: 'consistent', amount: ledger.difference });
    // Its amount holds what is uncertain at the edges: no counts are claimed twice.
    expect(ledger.findings.find(({ code }) => code === 'edge-window')?.amount).toBeNull();
    expect(ledger.unexplained!.low).toBe(-ledger.unexplained!.high);
  });

  it('leaves the counted event open: its last count is not recorded', () => {
    const { verdict, host, ledger } = windowOf('cycles');
    expect(verdict).toBe('open');
    expect(host?.host).toBe(15_061_853n);
    expect(ledger.difference?.low).toBe(15_036_447n - 15_061_853n);
  });

  it('has no host count for an event nobody counted', () => {
    expect(windowOf('branches')).toMatchObject({ host: null, verdict: 'not-compared' });
  });
});
