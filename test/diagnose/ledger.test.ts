import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAUSE_CODES, CAUSES } from '../../src/diagnose/causes/catalogue.ts';
import { exactly, isExact, minus, plus, ZERO } from '../../src/diagnose/ledger/amount.ts';
import type { Finding, Judgement } from '../../src/diagnose/ledger/judgement.ts';
import { makeLedger } from '../../src/diagnose/ledger/ledger.ts';

const finding = (
  code: Finding['code'],
  low: bigint | null,
  more: Partial<Finding> = {},
): Finding => ({
  grade: 'proven',
  code,
  amount: low === null ? null : exactly(low),
  integerProof: false,
  text: 'seen',
  evidence: [1],
  because: [],
  missing: [],
  ...more,
});

const NONE = { lostAt: [] };

describe('a ledger', () => {
  it('adds up: findings and remainder are the difference', () => {
    const amount = fc
      .tuple(fc.bigInt({ min: -(1n << 70n), max: 1n << 70n }), fc.bigInt({ min: 0n, max: 1000n }))
      .map(([low, span]) => ({ low, high: low + span }));
    const some = fc.array(
      fc.record({ code: fc.constantFrom(...CAUSE_CODES), amount: fc.option(amount) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(amount, some, (difference, parts) => {
        const ledger = makeLedger(
          difference,
          parts.map((part) => finding(part.code, 0n, part)),
          NONE,
        );
        const sum = ledger.findings.reduce((total, f) => plus(total, f.amount ?? ZERO), ZERO);
        const whole = plus(sum, ledger.unexplained!);
        // The difference is one of the sums, and the only one where everything is exact.
        expect(whole.low <= difference.low && difference.high <= whole.high).toBe(true);
        expect(minus(difference, sum)).toEqual(ledger.unexplained);
        if (isExact(difference) && isExact(sum)) expect(whole).toEqual(difference);
        expect(ledger.findings).toHaveLength(parts.length);
      }),
    );
  });

  it('puts the largest part first and what moves no counts last', () => {
    const { findings } = makeLedger(
      exactly(-100n),
      [finding('pmi-skid', null), finding('hv-excluded', -10n), finding('pinned-error', -90n)],
      NONE,
    );
    expect(findings.map(({ code }) => code)).toEqual(['pinned-error', 'hv-excluded', 'pmi-skid']);
  });

  it('does not call an equality of whole numbers proven where records were lost', () => {
    const leak = finding('emulated-leak', 25n, { integerProof: true });
    expect(makeLedger(exactly(25n), [leak], NONE).findings[0]?.grade).toBe('proven');
    expect(makeLedger(exactly(25n), [leak], { lostAt: [7] }).findings[0]?.grade).toBe('consistent');
    expect(makeLedger(exactly(25n), [leak], { lostAt: [7] }).findings[0]?.missing).toEqual([
      'lossless',
    ]);
  });

  it('calls no later stage proven while an earlier one is undecided', () => {
    const open: Judgement = {
      grade: 'undecidable',
      code: 'host-only-scope',
      text: 'exclude bits not recorded',
      missing: ['host-attr'],
      evidence: [],
    };
    const grades = (code: Finding['code']): string | undefined =>
      makeLedger(exactly(5n), [finding(code, 5n), open], NONE).findings[0]?.grade;
    for (const code of CAUSE_CODES) {
      const aboutTime = ['observer-cost', 'event-churn'].includes(code);
      const early = ['method', 'scope'].includes(CAUSES[code].group) || aboutTime;
      expect(grades(code), code).toBe(early ? 'proven' : 'consistent');
    }
    // Also where it moves no counts, and what would decide the earlier stage is named; not for the whole recording.
    const [late] = makeLedger(null, [finding('pinned-error', null), open], NONE).findings;
    expect(late).toMatchObject({ grade: 'consistent', missing: ['host-attr'] });
    const whole = makeLedger(null, [finding('pmu-absent', null), open], { ...NONE, staged: false });
    expect(whole.findings[0]?.grade).toBe('proven');
  });

  it('has no remainder without a difference', () => {
    expect(makeLedger(null, [finding('host-steal', null)], NONE)).toMatchObject({
      difference: null,
      unexplained: null,
    });
  });
});
