import { describe, expect, it } from 'vitest';
import { isExact } from '../../src/diagnose/ledger/amount.ts';
import type { Finding } from '../../src/diagnose/ledger/judgement.ts';
import type { DiscrepancyCase } from './cases/case.ts';
import { confusionTable } from './cases/confusion.ts';
import { CASES } from './cases/index.ts';
import { type CaseRun, runCase, withLoss, withoutDecisive } from './cases/run-case.ts';

const findingsOf = ({ ledgers }: CaseRun): Finding[] => ledgers.flatMap((l) => [...l.findings]);

const plain = ({ code, grade, amount }: Finding) => ({
  code,
  grade,
  amount:
    amount === null ? null : isExact(amount) ? amount.low : ([amount.low, amount.high] as const),
});

const byCode = (a: { code: string }, b: { code: string }): number => (a.code < b.code ? -1 : 1);

const ownCodes = (of: DiscrepancyCase): readonly string[] =>
  of.own ?? of.expected.filter(({ grade }) => grade === 'proven').map(({ code }) => code);

describe.each(CASES)('$id $title', (of) => {
  it('comes out with its causes, their grades and amounts, and nothing else', () => {
    const run = runCase(of);
    expect(findingsOf(run).map(plain).sort(byCode)).toEqual([...of.expected].sort(byCode));
    if (of.difference !== undefined) {
      expect(run.window?.ledger.difference).toEqual({ low: of.difference, high: of.difference });
    }
    if (of.unexplained !== undefined) {
      expect(run.window?.ledger.unexplained).toEqual({ low: of.unexplained, high: of.unexplained });
    }
    const codes = (of: 'excluded' | 'undecidable') =>
      run.ledgers.flatMap((ledger) => ledger[of].map(({ code }) => code));
    expect(codes('excluded')).toEqual(expect.arrayContaining([...(of.excluded ?? [])]));
    expect(codes('undecidable')).toEqual(expect.arrayContaining([...(of.undecidable ?? [])]));
  });

  it('proves in no other window what is not its own', () => {
    const { diagnosis } = runCase(of);
    const proven = diagnosis.windows.flatMap(({ ledger }) =>
      ledger.findings.filter(({ grade }) => grade === 'proven').map(({ code }) => code),
    );
    const expected = of.expected.map(({ code }) => code);
    expect(proven.filter((code) => !expected.includes(code))).toEqual([]);
  });

  it('rests on records, and every finding has some', () => {
    const { diagnosis } = runCase(of);
    const findings = [...diagnosis.windows.map(({ ledger }) => ledger), diagnosis.overall].flatMap(
      (ledger) => ledger.findings,
    );
    expect(findings.filter(({ evidence }) => evidence.length === 0)).toEqual([]);
  });

  it('is not proven without its decisive records, and says which are missing', () => {
    const drawing = withoutDecisive(of);
    expect(drawing !== of.drawing || of.decisiveRecording !== undefined).toBe(true);
    const run = runCase(of, drawing, of.decisiveRecording);
    const own = ownCodes(of);
    const proven = findingsOf(run).filter(
      ({ code, grade }) => grade === 'proven' && own.includes(code),
    );
    expect(proven.map(({ code }) => code)).toEqual([]);
    const named = [...findingsOf(run), ...run.ledgers.flatMap(({ undecidable }) => undecidable)]
      .filter(({ code }) => own.includes(code))
      .flatMap(({ missing }) => missing);
    expect(named).toEqual(expect.arrayContaining([...of.missing]));
  });

  it('proves nothing by whole numbers where records were lost', () => {
    const { diagnosis } = runCase(of, withLoss(of));
    const lossy = diagnosis.windows.filter(({ window }) => window.happenings.lost.count > 0);
    if (of.counter !== undefined) expect(lossy.length).toBeGreaterThan(0);
    const proven = lossy.flatMap(({ ledger }) =>
      ledger.findings.filter(({ grade, integerProof }) => integerProof && grade === 'proven'),
    );
    expect(proven).toEqual([]);
  });
});

describe('all cases', () => {
  it('are distinct', () => {
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
  });

  it('are what docs/confusion.md says, with no proof of anything that is not the case', async () => {
    const table = confusionTable(CASES);
    expect(table).not.toMatch(/\| p /);
    await expect(table).toMatchFileSnapshot('../../docs/confusion.md');
  });
});
