import { describe, expect, it } from 'vitest';
import { CAUSE_CODES } from '../../src/diagnose/causes/catalogue.ts';
import { isExact, minus, plus, ZERO } from '../../src/diagnose/ledger/amount.ts';
import type { Finding } from '../../src/diagnose/ledger/judgement.ts';
import type { DiscrepancyCase } from './cases/case.ts';
import { COLLECTION, REALLY_THERE } from './cases/collection.ts';
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

/** Causes that are never a finding, each with the reason. */
const NEVER_FOUND = {
  'unobserved-access': 'it is by definition undecidable',
  unexplained: 'it is the remainder of a ledger',
} as const;

/** Cases in which nothing can be named as missing; why is in `nothingToName`. */
const NOTHING_TO_NAME: readonly string[] = ['F04', 'C24', 'T02', 'N02'];

/** Causes whose proof is an equality of whole numbers, by the catalogue's own words. */
const EQUALITIES: ReadonlySet<string> = new Set([
  'vmentry-overcount',
  'emulated-leak',
  'emulated-uncounted',
  'emulated-counted',
  'emulated-overflow',
  'write-while-running',
  'swinc-semantics',
  'pmi-spurious',
  'pmi-overcount',
  'migration-stale',
  'migration-gap',
]);

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

  it('proves what the collection keeps it under, and no more', () => {
    const known = COLLECTION[of.id];
    expect(known).toBeDefined();
    const proven = of.expected.filter(({ grade }) => grade === 'proven').map(({ code }) => code);
    const allowed = [...known!, ...(REALLY_THERE[of.id] ?? [])];
    expect(proven.filter((code) => !allowed.includes(code))).toEqual([]);
    for (const code of REALLY_THERE[of.id] ?? []) expect(proven).toContain(code);
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

  it('loses its grade without its decisive records, and says which are missing', () => {
    const drawing = withoutDecisive(of);
    const { decisiveRecording, decisiveGuest } = of;
    const facts = decisiveRecording ?? decisiveGuest;
    expect(drawing !== of.drawing || facts !== undefined).toBe(true);
    const run = runCase(of, drawing, decisiveRecording, decisiveGuest);
    const own = ownCodes(of);
    // Every code the case is about was found before, or is what stays undecided (B11).
    const before = of.expected.map(({ code }) => code);
    for (const code of own) expect([...before, ...(of.undecidable ?? [])]).toContain(code);
    const kept = findingsOf(run).filter(
      ({ code, grade }) =>
        own.includes(code) &&
        of.expected.some((cause) => cause.code === code && cause.grade === grade),
    );
    expect(kept.map(({ code }) => code)).toEqual([]);
    const named = [...findingsOf(run), ...run.ledgers.flatMap(({ undecidable }) => undecidable)]
      .filter(({ code }) => own.includes(code))
      .flatMap(({ missing }) => missing);
    expect(named).toEqual(expect.arrayContaining([...of.missing]));
    expect(of.missing.length > 0 || NOTHING_TO_NAME.includes(of.id)).toBe(true);
    expect(of.nothingToName !== undefined).toBe(of.missing.length === 0);
  });

  it('adds up in every window: the parts and the remainder are the difference', () => {
    for (const { ledger } of runCase(of).diagnosis.windows) {
      const { difference, findings, unexplained } = ledger;
      expect(unexplained === null).toBe(difference === null);
      if (difference === null) continue;
      const sum = findings.reduce((total, { amount }) => plus(total, amount ?? ZERO), ZERO);
      expect(minus(difference, sum)).toEqual(unexplained);
    }
  });

  it('names a recording for whatever it leaves undecided', () => {
    for (const run of [runCase(of), runCase(of, withoutDecisive(of), of.decisiveRecording)]) {
      const ledgers = [...run.diagnosis.windows.map(({ ledger }) => ledger), run.diagnosis.overall];
      for (const { undecidable, findings } of ledgers) {
        for (const { missing, code } of undecidable) {
          expect({ code, missing: missing.length > 0 }).toEqual({ code, missing: true });
        }
        for (const { missing, code, grade } of findings) {
          if (grade === 'consistent')
            expect({ code, missing: missing.length > 0 }).toEqual({ code, missing: true });
        }
      }
    }
  });

  it('proves nothing by whole numbers where records were lost', () => {
    const { diagnosis, window } = runCase(of, withLoss(of));
    const lossy = diagnosis.windows.filter(({ window }) => window.happenings.lost.count > 0);
    // The loss is inside of the very window the case is about.
    if (of.counter !== undefined) expect(window?.window.happenings.lost.count).toBeGreaterThan(0);
    const exact = [...lossy.map(({ ledger }) => ledger), diagnosis.overall].flatMap((ledger) =>
      ledger.findings.filter(({ code, integerProof }) => integerProof || EQUALITIES.has(code)),
    );
    expect(exact.filter(({ grade }) => grade === 'proven')).toEqual([]);
    // And what loses its proof says that a span without losses would bring it back.
    for (const { missing } of exact) expect(missing).toContain('lossless');
  });

  it('marks proofs that rest on whole numbers as such', () => {
    for (const { code, grade, integerProof } of findingsOf(runCase(of))) {
      if (grade === 'proven' && EQUALITIES.has(code))
        expect({ code, integerProof }).toEqual({ code, integerProof: true });
    }
  });
});

describe('all cases', () => {
  it('expect every cause of the catalogue', () => {
    const expected = new Set(CASES.flatMap((of) => of.expected.map(({ code }) => code)));
    const without = CAUSE_CODES.filter((code) => !expected.has(code));
    expect(without).toEqual(Object.keys(NEVER_FOUND));
    // What is no finding is there all the same, as its reason says.
    expect(CASES.some(({ undecidable }) => undecidable?.includes('unobserved-access'))).toBe(true);
    expect(CASES.some(({ unexplained }) => (unexplained ?? 0n) !== 0n)).toBe(true);
  });

  it('are distinct', () => {
    expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
    expect(CASES.map(({ id }) => id).toSorted()).toEqual(Object.keys(COLLECTION).toSorted());
  });

  it('are what docs/confusion.md says, with no proof of anything that is not the case', async () => {
    const table = confusionTable(CASES);
    expect(table).not.toMatch(/\| p /);
    await expect(table).toMatchFileSnapshot('../../docs/confusion.md');
  });
});
