import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import { type Diagnosis, diagnoseLog, type Log } from '../../src/index.ts';
import { consoleOf, logOf, SHIPPED, TRACES } from './shipped.ts';

const rawOf = (recording: string): Promise<Log> => logOf(SHIPPED.get(recording)!.get('trace-raw')!);

/** `code grade` of every finding → in how many windows. */
function findingsOf({ windows }: Diagnosis): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code, grade } of windows.flatMap(({ ledger }) => ledger.findings)) {
    const key = `${code} ${grade}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const verdictsOf = ({ windows }: Diagnosis): Record<string, number> =>
  windows.reduce<Record<string, number>>((counts, { verdict }) => {
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    return counts;
  }, {});

const eventAt = (log: Log, seq: number) => log.eventsBefore(seq + 1, 1)[0]!;

describe('S3-lean: the host holds the counters', () => {
  let log: Log;
  let diagnosis: Diagnosis;
  beforeAll(async () => {
    log = await rawOf('S3-lean');
    diagnosis = diagnoseLog(log);
  }, 120_000);

  it('proves a pinned event in ERROR in every window that read 0, and contention behind it', () => {
    expect(verdictsOf(diagnosis)).toEqual({ impaired: 28, agrees: 62 });
    expect(findingsOf(diagnosis)).toEqual({
      'counter-contention proven': 28,
      'pinned-error proven': 28,
      // The one CPU is shared with the recorders.
      'host-steal proven': 72,
    });
    const impaired = diagnosis.windows.filter(({ verdict }) => verdict === 'impaired');
    expect(impaired.map(({ window }) => window.guest)).toEqual(
      impaired.map(() => ({ low: 0n, high: 0n })),
    );
    for (const { ledger } of impaired) {
      const pinned = ledger.findings.find(({ code }) => code === 'pinned-error')!;
      expect(pinned.because.map(({ code }) => code)).toEqual(['counter-contention']);
    }
  });

  it('shows the placement that failed', () => {
    const refusals = diagnosis.windows.flatMap(({ ledger }) =>
      ledger.findings
        .filter(({ code }) => code === 'counter-contention')
        .map(({ evidence }) => eventAt(log, evidence[0]!)),
    );
    expect(refusals).toHaveLength(28);
    for (const { kind, flags } of refusals) {
      expect(kind).toBe(EventKind.hwAdd);
      expect(flags & EventFlag.failed).not.toBe(0);
    }
  });

  it("calls the guest's own 100 % running what it is", () => {
    const zeros = consoleOf('S3-lean').match(
      /"counter-value" : "0\.0+".*"pcnt-running" : 100\.00/g,
    );
    expect(zeros?.length).toBeGreaterThan(0);
    const said = diagnosis.windows.flatMap(({ ledger }) =>
      ledger.findings.filter(({ code }) => code === 'pinned-error').map(({ text }) => text),
    );
    for (const text of said) expect(text).toMatch(/cannot see that.*100 % running/);
  });
});

describe('S1-stat: nobody in the way', () => {
  let log: Log;
  let diagnosis: Diagnosis;
  beforeAll(async () => {
    log = await rawOf('S1-stat');
    diagnosis = diagnoseLog(log);
  }, 120_000);

  it('has nothing to explain: every window that can be compared agrees exactly', () => {
    expect(verdictsOf(diagnosis)).toEqual({ agrees: 62, 'not-compared': 16 });
    for (const { ledger, verdict } of diagnosis.windows) {
      if (verdict === 'agrees') expect(ledger.unexplained).toEqual({ low: 0n, high: 0n });
    }
  });

  it('finds no more than what the time went to', () => {
    expect(Object.keys(findingsOf(diagnosis)).sort()).toEqual([
      'host-steal proven',
      'observer-cost proven',
    ]);
    const steal = diagnosis.windows.flatMap(({ ledger }) =>
      ledger.findings.filter(({ code }) => code === 'host-steal'),
    );
    for (const { evidence } of steal) {
      for (const seq of evidence) expect(eventAt(log, seq).kind).toBe(EventKind.schedSwitch);
    }
  });

  it('says why the others are not compared', () => {
    const reasons = new Set(
      diagnosis.windows
        .filter(({ verdict }) => verdict === 'not-compared')
        .map(({ notCompared }) => notCompared),
    );
    expect([...reasons].sort()).toEqual([
      'guest and host counted different privilege levels',
      'no host event was read twice over this span',
    ]);
  });
});

describe('S2-lean: sampling of user code', () => {
  it('does not compare the user part with both, and proves nothing about counts', async () => {
    const diagnosis = diagnoseLog(await rawOf('S2-lean'));
    expect(findingsOf(diagnosis)).not.toHaveProperty('pinned-error proven');
    for (const { ledger } of diagnosis.windows) {
      const claimed = ledger.findings.filter(({ amount }) => amount !== null);
      expect(claimed).toEqual([]);
    }
  });
});

describe('X9b-event-filter', () => {
  it('names the filter for the counter that stays 0, and nothing for the others', async () => {
    const log = await logOf(join(TRACES, 'X9b-event-filter', 'perf.data.zst'));
    const { windows } = diagnoseLog(log);
    const filtered = windows.filter(({ ledger }) =>
      [...ledger.findings, ...ledger.undecidable].some(({ code }) => code === 'event-filtered'),
    );
    expect(filtered.map(({ window }) => window.eventName)).toEqual(['instructions']);
    expect(windows.map(({ window }) => window.eventName)).toEqual([
      'instructions',
      'cycles',
      'branches',
    ]);
    const proven = windows.flatMap(({ ledger }) =>
      ledger.findings.filter(({ grade }) => grade === 'proven').map(({ code }) => code),
    );
    expect(new Set(proven)).not.toContain('pinned-error');
  });
});
