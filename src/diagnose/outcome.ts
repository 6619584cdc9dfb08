import { CAUSES } from './causes/catalogue.ts';
import type { Diagnosis } from './diagnose-log.ts';
import type { Finding } from './ledger/judgement.ts';

/** What a diagnosis comes to as a whole: guest and host count the same, they do not, or it cannot be told. */
export type Outcome = 'same' | 'differs' | 'inconclusive';

/** A cause of the whole recording that keeps counters from counting. A guest that multiplexes says so itself. */
function impairs({ code }: Finding): boolean {
  return CAUSES[code].group === 'backing' && code !== 'multiplexed';
}

/** A cause of the whole recording for which guest and host may not be compared at all. */
function forbids({ code, grade }: Finding): boolean {
  return grade === 'proven' && CAUSES[code].group === 'scope';
}

/** The causes of the whole recording that a verdict has to name. */
export function decisiveOverall({ overall }: Pick<Diagnosis, 'overall'>): readonly Finding[] {
  return overall.findings.filter((finding) => impairs(finding) || forbids(finding));
}

/**
 * `differs`: counts differ beyond their bounds, are impossible, or something is proven to have kept a counter from counting;
 * `inconclusive`: that is only consistent with what is recorded, or nothing can be compared.
 */
export function outcomeOf(diagnosis: Diagnosis): Outcome {
  const { windows, statistics } = diagnosis;
  const whole = decisiveOverall(diagnosis);
  const differs = windows.some(
    ({ verdict, impossible }) =>
      verdict === 'differs' || verdict === 'impaired' || impossible.length > 0,
  );
  if (differs || whole.some((finding) => impairs(finding) && finding.grade === 'proven')) {
    return 'differs';
  }
  if (whole.length > 0 || windows.some(({ verdict }) => verdict === 'suspect')) {
    return 'inconclusive';
  }
  if (windows.some(({ verdict }) => verdict === 'agrees' || verdict === 'open')) return 'same';
  const equal = statistics.some(({ rows }) => rows.every(({ apart }) => apart === 'equal'));
  return equal ? 'same' : 'inconclusive';
}
