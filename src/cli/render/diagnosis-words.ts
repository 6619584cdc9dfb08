import { grouped } from '../../domain/u64.ts';
import {
  type Amount,
  CAUSES,
  type Diagnosis,
  decisiveOverall,
  RECORDINGS,
  type RecordingNeed,
  type Undecided,
} from '../../index.ts';
import { plural } from './text.ts';

/** `-12,345`, or `-20 … 1,000` for an interval; `-` for none. */
export function amountText(amount: Amount | null): string {
  if (amount === null) return '-';
  const { low, high } = amount;
  return low === high ? signed(low) : `${signed(low)} … ${signed(high)}`;
}

function signed(value: bigint): string {
  return value < 0n ? `-${grouped(-value)}` : grouped(value);
}

/** `@12 @15 @18 …`: pastes back. */
export function evidenceText(evidence: readonly number[], most: number): string {
  const all = [...new Set(evidence)].sort((a, b) => a - b);
  const text = all
    .slice(0, most)
    .map((seq) => `@${seq}`)
    .join(' ');
  return all.length > most ? `${text} …` : text;
}

/** `98.7 %` where both amounts are exact, or the interval's ends; empty where a share says nothing. */
export function shareText(part: Amount | null, whole: Amount | null): string {
  if (part === null || whole === null || whole.low !== whole.high || whole.low === 0n) return '';
  const of = (value: bigint): string => ((100 * Number(value)) / Number(whole.low)).toFixed(1);
  const [a, b] = [of(part.low), of(part.high)];
  if (a === b) return `${a} %`;
  const ends = [a, b].sort((x, y) => Number(x) - Number(y));
  return `${ends[0]} … ${ends[1]} %`;
}

/** What would have to be recorded, and how. */
export function missingText(missing: readonly RecordingNeed[]): string {
  return missing.map((need) => `${RECORDINGS[need].text} (${RECORDINGS[need].how})`).join('; ');
}

/** What holds for the whole recording, then one line that says how the comparison came out. */
export function verdictLine(diagnosis: Pick<Diagnosis, 'windows' | 'overall'>): string {
  const whole = decisiveOverall(diagnosis).map(({ code, grade }) => {
    const { title } = CAUSES[code];
    return `${title[0]!.toUpperCase()}${title.slice(1)} (${grade} ${code}).`;
  });
  return [...whole, windowsLine(diagnosis)].join(' ');
}

/** A cause that fits and cannot be decided, with the recording that would decide. */
export function undecidedText({ code, text, missing }: Undecided): string {
  return `undecidable ${code}: ${text.replace(/\.$/, '')}; missing: ${missingText(missing)}`;
}

/** Why nothing could be compared where there is no trace and no pair of perf stat outputs; undefined where there is one. */
export function nothingLine({
  ruleSet,
  reports,
  statistics,
}: Pick<Diagnosis, 'ruleSet' | 'reports' | 'statistics'>): string | undefined {
  if (ruleSet !== null || statistics.length > 0) return undefined;
  const [first] = reports;
  if (first === undefined) {
    return 'Nothing to compare: the recording names no vCPU, and holds no count of perf stat.';
  }
  const other = first.role === 'host' ? 'guest' : 'host';
  const names = reports.map(({ name }) => name).join(', ');
  return `Nothing to compare: only counts of the ${first.role} are given (${names}). Add the ${other}'s perf stat as ${other}:FILE, another file than ${first.role === 'host' ? "the host's" : "the guest's"}.`;
}

/** Why windows have no host count beside them, the most frequent reason first; undefined where all have one. */
export function notComparedLine({ windows }: Pick<Diagnosis, 'windows'>): string | undefined {
  const reasons = new Map<string, number>();
  for (const { notCompared } of windows) {
    if (notCompared !== '') reasons.set(notCompared, (reasons.get(notCompared) ?? 0) + 1);
  }
  if (reasons.size === 0) return undefined;
  const parts = [...reasons]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, n]) => `${plural(n, 'window')}: ${reason}`);
  const none = windows.every(({ host }) => host === null);
  const how = none ? ` To compare counts, ${RECORDINGS['host-counts'].how}.` : '';
  return `Not compared: ${parts.join('; ')}.${how}`;
}

function windowsLine({ windows }: Pick<Diagnosis, 'windows'>): string {
  const count = (verdict: Diagnosis['windows'][number]['verdict']): number =>
    windows.filter((window) => window.verdict === verdict).length;
  const total = windows.length;
  const [differs, impaired, open, agrees] = [
    count('differs'),
    count('impaired'),
    count('open'),
    count('agrees'),
  ];
  if (total === 0) return 'Nothing can be said of counts: no window to compare.';
  const of = `of ${plural(total, 'window')}`;
  const same: string[] = [];
  if (agrees > 0) same.push(`${grouped(agrees)} ${agrees === 1 ? 'agrees' : 'agree'} exactly`);
  if (open > 0) same.push(`${grouped(open)} within ${open === 1 ? 'its' : 'their'} bounds`);
  const rest =
    same.length > 0
      ? same.join(', ')
      : differs > 0
        ? 'none agrees'
        : 'none could be compared with a host count of guest mode (:G)';
  if (differs > 0) {
    const verb = differs === 1 ? 'differs beyond its error' : 'differ beyond their error';
    const more = impaired > 0 ? `${grouped(impaired)} more did not count as programmed; ` : '';
    return `${grouped(differs)} ${of} ${verb}; ${more}${rest}.`;
  }
  if (impaired > 0) return `${grouped(impaired)} ${of} did not count as programmed; ${rest}.`;
  const suspect = count('suspect');
  if (suspect > 0) {
    const show = suspect === 1 ? 'shows' : 'show';
    return `${grouped(suspect)} ${of} ${show} signs of not counting as programmed; ${rest}.`;
  }
  return same.length > 0
    ? `Nothing to explain: ${of.replace('of ', '')}, ${rest}.`
    : `Nothing can be said of counts: ${of.replace('of ', '')}, ${rest}.`;
}
