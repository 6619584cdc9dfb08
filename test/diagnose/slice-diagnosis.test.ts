import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnoseLog, type WindowDiagnosis } from '../../src/diagnose/diagnose-log.ts';
import type { Amount } from '../../src/diagnose/ledger/amount.ts';
import { sliceLog } from '../../src/diagnose/slice-log.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import { checkLog, type Log } from '../../src/index.ts';
import { draw } from '../drawn-trace.ts';
import { guestReads, logOf, SHIPPED, TRACES } from '../golden/shipped.ts';
import { comparable, imported, PartsLog, pairs } from './slices.ts';

/** A mark and two host events, of which one is closed again, long before the guest's work. */
const FILTERED = `
  0    v0 refresh
  1us  v0 mark pmu-event-filter deny 0xc4
  2us  v0 mark lunch
  3us  v0 host H1 config=0xc4 modes=G
  4us  v0 host H2 config=0xc0 modes=G
  5us  v0 release H2
  ${Array.from(
    { length: 400 },
    () => `
  +1us v0 enter
  +9us v0 exit EXTERNAL_INTERRUPT`,
  ).join('')}
  +100 v0 enter
  +300 v0 exit MSR_WRITE
  +100 v0 wrmsr 0x38f=0x1
  +100 v0 wrmsr 0xc1=0x0
  +100 v0 wrmsr 0x186=0x5300c4
  +100 v0 hread H1 0
  +100 v0 enter
  +900us v0 exit MSR_READ
  +100 v0 hread H1 1000000
  +100 v0 rdmsr 0xc1=0
  +100 v0 enter
`;

/** Shipped recordings of x86 hosts: with probes of the vPMU, with an event filter, with stock tracepoints alone. */
const X86 = [
  ['X1-blob-counters', 'perf.data.zst'],
  ['X9b-event-filter', 'perf.data.zst'],
  ['X1s-stock-events-only', 'perf-script.txt.zst'],
] as const;

describe.each(X86)('slices of %s', (recording, file) => {
  const open = (): Promise<Log> => logOf(join(TRACES, recording, file));

  it('confirm what the whole log confirms, wherever they are cut, with as little before them as that takes', async () => {
    const log = await open();
    const whole = await guestReads(log);
    const n = log.eventCount;
    let small = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.noBias(fc.nat(n - 2)),
        fc.integer({ min: 20, max: 2000 }),
        async (from, length) => {
          const range = { fromSeq: from + 1, toSeq: Math.min(n, from + 1 + length) };
          const slice = sliceLog(log, range, { tool: 'test' });
          if (slice.facts.preamble < 0.5 * slice.facts.fromSeq) small++;
          const own = await imported(log, slice);
          try {
            for (const [there, here] of pairs(whole, await guestReads(own), slice)) {
              if (there.verdict === 'confirmed') {
                expect(comparable(here)).toEqual(comparable(there));
              } else if (here.verdict === 'contradicted') {
                expect(there.verdict).toBe('contradicted');
              }
            }
            expect({ ...checkLog(own).guestReads }).toEqual(slice.facts.guestReads);
          } finally {
            own.close();
          }
        },
      ),
      { numRuns: 8, seed: 20261121 },
    );
    expect(small).toBeGreaterThanOrEqual(recording === 'X1-blob-counters' ? 4 : 0);
  });
});

const findingsOf = ({ ledger }: WindowDiagnosis) =>
  ledger.findings.map(({ code, grade, amount }) => ({ code, grade, amount }));

/** An exact value; what is only bounded may have other bounds in a slice. */
const sure = (amount: Amount | null) =>
  amount === null ? null : amount.low === amount.high ? amount.low : 'bounded';

const said = (of: WindowDiagnosis) => ({
  verdict: of.verdict,
  startValue: sure(of.window.startValue),
  guest: sure(of.window.guest),
  host: of.host?.host ?? null,
  difference: sure(of.ledger.difference),
  findings: findingsOf(of),
  undecidable: of.ledger.undecidable.map(({ code }) => code),
});

/** Windows worth a slice: one of each verdict and set of causes. */
function chosen(windows: readonly WindowDiagnosis[], most: number): readonly WindowDiagnosis[] {
  const kinds = new Map<string, WindowDiagnosis>();
  for (const of of windows) {
    const open = of.ledger.undecidable.map(({ code }) => code);
    const known = of.window.startValue?.low === of.window.startValue?.high;
    const found = findingsOf(of).map(({ code, grade }) => code + grade);
    const key = [of.verdict, known, ...found, ...open].join();
    if (!kinds.has(key)) kinds.set(key, of);
  }
  return [...kinds.values()].slice(0, most);
}

describe('a slice that holds a window', () => {
  const RECORDINGS = [
    ['S3-lean', () => SHIPPED.get('S3-lean')!.get('trace-raw')!],
    ['S5-bare-61', () => SHIPPED.get('S5-bare-61')!.get('trace-raw')!],
    ['X1-blob-counters', () => join(TRACES, 'X1-blob-counters', 'perf.data.zst')],
    ['X9b-event-filter', () => join(TRACES, 'X9b-event-filter', 'perf.data.zst')],
  ] as const;

  it.each(RECORDINGS)('of %s is diagnosed as that window is in the whole log', async (_, path) => {
    const log = await logOf(path());
    const windows = chosen(diagnoseLog(log).windows, 6);
    expect(windows.length).toBeGreaterThan(1);
    for (const of of windows) {
      const { fromSeq, toSeq, counter, fromTime } = of.window;
      const own = await imported(log, sliceLog(log, { fromSeq, toSeq }, { tool: 'test' }));
      try {
        const same = diagnoseLog(own).windows.find(
          ({ window }) => window.counter === counter && window.fromTime === fromTime,
        );
        expect(same === undefined ? undefined : said(same)).toEqual(said(of));
      } finally {
        own.close();
      }
    }
  });

  it('does not take the records that re-create its start for acts of the VMM', async () => {
    const log = await logOf(SHIPPED.get('S1-lean-61')!.get('trace-raw')!);
    const before = new Set(
      diagnoseLog(log)
        .windows.flatMap(findingsOf)
        .map(({ code }) => code),
    );
    let windowsSeen = 0;
    for (const part of [0.35, 0.45, 0.55, 0.65, 0.75]) {
      const fromSeq = Math.round(log.eventCount * part);
      const slice = sliceLog(log, { fromSeq, toSeq: fromSeq + 800 }, { tool: 'test' });
      if (slice.facts.form !== 'state') continue;
      const own = await imported(log, slice);
      try {
        for (const { ledger, window } of diagnoseLog(own).windows) {
          windowsSeen++;
          expect(window.happenings.vmmAccess.count).toBe(0);
          expect(window.records.opening.by).not.toBe('vmm');
          expect(window.records.restoredAt).toBe(0);
          for (const { code } of ledger.findings) expect(before).toContain(code);
        }
      } finally {
        own.close();
      }
    }
    expect(windowsSeen).toBeGreaterThan(2);
  });
});

describe('a slice of a drawn trace', () => {
  it('keeps what marks and host events from before it tell', () => {
    const log = new PartsLog(draw(FILTERED), 4096, { arch: 'x86', kernelRelease: '6.12.0' });
    const fromSeq = log.eventCount - 12;
    const { facts, chunks } = sliceLog(log, { fromSeq }, { tool: 'test' });
    const first = [...chunks()].flatMap((chunk) =>
      Array.from({ length: chunk.length }, (_, i) => [chunk.kind[i], log.name(chunk.code[i]!)]),
    );
    const preamble = first.slice(0, facts.preamble);
    expect(preamble).toContainEqual([EventKind.marker, 'pmu-event-filter deny 0xc4']);
    expect(preamble.filter(([kind]) => kind === EventKind.eventCreate)).toHaveLength(1);
    expect(preamble).not.toContainEqual([EventKind.marker, 'lunch']);
  });
});
