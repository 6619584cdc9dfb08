import { CAUSES, type CauseCode } from '../causes/catalogue.ts';
import { CAUSE_GROUPS, type RecordingNeed } from '../causes/cause.ts';
import { type Amount, magnitude, minus, plus, ZERO } from './amount.ts';
import {
  type Exclusion,
  type Finding,
  isFinding,
  type Judgement,
  type Undecided,
} from './judgement.ts';

/** A difference taken apart: findings and remainder always add up to it. */
export interface Ledger {
  /** guest − host; null when there is nothing to compare with. */
  readonly difference: Amount | null;
  /** Largest amount first, causes that move no counts last. */
  readonly findings: readonly Finding[];
  /** difference − the amounts of all findings. */
  readonly unexplained: Amount | null;
  readonly excluded: readonly Exclusion[];
  readonly undecidable: readonly Undecided[];
}

/** What holds for the whole window and weakens proofs. */
export interface LedgerLimits {
  /** Lost-record events inside the window. */
  readonly lostAt: readonly number[];
  /** False for the recording as a whole: its causes are of no one counter, and none waits for another. */
  readonly staged?: boolean;
}

/** Causes that say where time went: what is undecided about counts does not put them in doubt. */
const ABOUT_TIME: ReadonlySet<CauseCode> = new Set([
  'host-steal',
  'halt-poll',
  'observer-cost',
  'event-churn',
]);

function stageOf(code: CauseCode): number {
  return CAUSE_GROUPS.findIndex(({ key }) => key === CAUSES[code].group);
}

/**
 * Puts judgements of one window together. A proof that rests on an equality of whole numbers becomes `consistent` where
 * records were lost; and no cause of a count is proven while one of an earlier stage is undecided for the same window.
 */
export function makeLedger(
  difference: Amount | null,
  judgements: readonly Judgement[],
  limits: LedgerLimits,
): Ledger {
  const undecidable = judgements.filter((j): j is Undecided => j.grade === 'undecidable');
  const open = Math.min(...undecidable.map(({ code }) => stageOf(code)));
  const findings = judgements.filter(isFinding).map((finding): Finding => {
    if (finding.grade !== 'proven') return finding;
    const lossy = finding.integerProof && limits.lostAt.length > 0;
    const early =
      limits.staged !== false && !ABOUT_TIME.has(finding.code) && stageOf(finding.code) > open;
    if (!lossy && !early) return finding;
    // What would bring the proof back: records without losses, or what decides the earlier stage.
    const undecided = early ? undecidable.filter(({ code }) => stageOf(code) === open) : [];
    const missing = new Set<RecordingNeed>([
      ...finding.missing,
      ...(lossy ? (['lossless'] as const) : []),
      ...undecided.flatMap(({ missing }) => missing),
    ]);
    return { ...finding, grade: 'consistent', missing: [...missing] };
  });
  const size = ({ amount }: Finding): bigint => (amount === null ? -1n : magnitude(amount));
  findings.sort((a, b) => {
    const by = size(b) - size(a);
    return by > 0n ? 1 : by < 0n ? -1 : stageOf(a.code) - stageOf(b.code);
  });
  const explained = findings.reduce((sum, { amount }) => plus(sum, amount ?? ZERO), ZERO);
  return {
    difference,
    findings,
    unexplained: difference === null ? null : minus(difference, explained),
    excluded: judgements.filter((j): j is Exclusion => j.grade === 'excluded'),
    undecidable,
  };
}
