import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import { type Diagnosis, diagnoseLog, type Log, outcomeOf } from '../../src/index.ts';
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

/** Codes that are proven or consistent in any window. */
const codesOf = ({ windows }: Diagnosis): ReadonlySet<string> =>
  new Set(windows.flatMap(({ ledger }) => ledger.findings.map(({ code }) => code)));

describe('S4-steal: two vCPUs on one pCPU', () => {
  it('proves that each was off its CPU for half of every busy window, and that no count is wrong', async () => {
    const log = await logOf(join(TRACES, 'S4-steal', 'slice.jsonl.zst'));
    const diagnosis = diagnoseLog(log);
    expect(new Set(diagnosis.windows.map(({ verdict }) => verdict))).toEqual(new Set(['agrees']));
    expect(codesOf(diagnosis)).toEqual(new Set(['host-steal']));
    const busy = diagnosis.windows.filter(({ window }) => window.totals.preemptions > 0);
    expect(new Set(busy.map(({ window }) => window.vcpu))).toEqual(new Set([0, 1]));
    expect(busy.length).toBeGreaterThan(20);
    for (const { window, ledger } of busy) {
      const { stolenNs, offNs, guestNs, exitNs } = window.totals;
      const part = stolenNs / (offNs + guestNs + exitNs);
      expect(part).toBeGreaterThan(0.4);
      expect(part).toBeLessThan(0.65);
      const [steal] = ledger.findings;
      expect(steal).toMatchObject({ code: 'host-steal', grade: 'proven' });
      for (const seq of steal!.evidence) expect(eventAt(log, seq).kind).toBe(EventKind.schedSwitch);
    }
  });
});

describe('X4-contention: the host pins counters', () => {
  it('proves on every counter that its event was not on hardware for most of the time', async () => {
    const log = await logOf(join(TRACES, 'X4-contention', 'slice.jsonl.zst'));
    const diagnosis = diagnoseLog(log);
    expect(verdictsOf(diagnosis)).toEqual({ impaired: 6 });
    expect(diagnosis.windows.map(({ window }) => window.counter).sort()).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    for (const { ledger } of diagnosis.windows) {
      const pinned = ledger.findings.find(({ code }) => code === 'pinned-error')!;
      expect(pinned.grade).toBe('proven');
      expect(pinned.text).toMatch(/\((?:6[5-9]|7\d)\.\d %\).*cannot see that.*100 % running/);
      expect(pinned.because.map(({ code }) => code)).toEqual(['counter-contention']);
      // The evidence: reads between which the event's times did not move.
      for (const seq of pinned.evidence) expect(eventAt(log, seq).kind).toBe(EventKind.eventRead);
      expect(ledger.findings.map(({ code }) => code)).toContain('counter-contention');
    }
    expect(diagnosis.overall.findings.map(({ code }) => code)).not.toContain('multiplexed');
  });
});

describe('X2-multiplexed: the guest takes turns', () => {
  const folder = join(TRACES, 'X2-multiplexed');

  it('tells multiplexing inside the guest from contention in the host', async () => {
    const log = await logOf(join(folder, 'slice.jsonl.zst'));
    const codes = codesOf(diagnoseLog(log));
    expect(codes).not.toContain('pinned-error');
    expect(codes).not.toContain('counter-contention');
    expect(codes).not.toContain('multiplexed');
  });

  it("takes that from the guest's own report", async () => {
    const log = await logOf(
      join(folder, 'slice.jsonl.zst'),
      `guest:${join(folder, 'guest-perf-stat.csv')}`,
    );
    const diagnosis = diagnoseLog(log);
    const [multiplexed] = diagnosis.overall.findings;
    expect(multiplexed).toMatchObject({ code: 'multiplexed', grade: 'proven' });
    expect(multiplexed!.text).toMatch(
      /8 of its events ran only part of the time.*70 %.*inside the guest/,
    );
    // Neither a fault nor a difference: the exit code stays that of the windows.
    expect(outcomeOf(diagnosis)).toBe(
      outcomeOf({ ...diagnosis, overall: { ...diagnosis.overall, findings: [] } }),
    );
  });
});

describe('recordings without a fault', () => {
  it.each(['S1-lean', 'S5-bare'])('%s: nothing to explain', async (recording) => {
    const diagnosis = diagnoseLog(await rawOf(recording));
    expect(outcomeOf(diagnosis)).toBe('same');
    expect(diagnosis.overall.findings).toEqual([]);
    const claimed = diagnosis.windows.flatMap(({ ledger }) =>
      ledger.findings.filter(({ amount }) => amount !== null),
    );
    expect(claimed).toEqual([]);
    for (const { ledger } of diagnosis.windows) {
      for (const { code } of ledger.findings)
        expect(['host-steal', 'observer-cost']).toContain(code);
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
