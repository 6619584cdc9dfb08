import { RELATIVE_CLOCK } from '../domain/log-facts.ts';
import type { ReplayChoices, ReplayLog } from '../replay/replay-log.ts';
import type { RuleSetChoice } from '../replay/vm-facts.ts';
import { CAUSES } from './causes/catalogue.ts';
import type { CauseGroup } from './causes/cause.ts';
import { type Basis, compare, whyNotCompared } from './compare.ts';
import { type Impossible, impossibleValues } from './guard.ts';
import type { GuestWindow, HostSpan } from './guest-windows/guest-window.ts';
import { guestWindows } from './guest-windows/guest-windows.ts';
import type { HostEventRecord } from './guest-windows/host-inventory.ts';
import { type Series, seriesOf } from './guest-windows/series.ts';
import { type Amount, holdsZero, isExact } from './ledger/amount.ts';
import { isFinding, type Judgement } from './ledger/judgement.ts';
import { type Ledger, makeLedger } from './ledger/ledger.ts';
import type { Report, WholeLog } from './rules/overall.ts';
import type { Compared, RunFacts } from './rules/rule.ts';
import { OVERALL_RULES, RULES } from './rules/rules.ts';
import { runFacts } from './run-facts.ts';
import { withPlacedStat } from './stat-spans.ts';
import { diagnoseStatistics, type StatisticsDiagnosis } from './statistics/diagnose-statistics.ts';
import { reportInstants } from './statistics/report-instants.ts';
import { type StatSide, statSides } from './statistics/samples.ts';

/** One window taken apart. */
export interface WindowDiagnosis {
  readonly window: GuestWindow;
  /** The host's count it is compared with, and what that counts; null: none. */
  readonly host: HostSpan | null;
  readonly basis: Basis | null;
  /** Why it is compared with none, for people; '' when it is. */
  readonly notCompared: string;
  readonly ledger: Ledger;
  readonly verdict: Verdict;
  /** A refused (#GP) control write: every value after it is suspect until the next one succeeds. Null: none. */
  readonly suspectSince: number | null;
  /** Values of it that cannot be, whatever they are compared with. */
  readonly impossible: readonly Impossible[];
}

/** What a window comes to. */
export type Verdict =
  /** Guest and host counted the same. */
  | 'agrees'
  /** They differ beyond the bounds of both. */
  | 'differs'
  /** The bounds hold both answers. */
  | 'open'
  /** No host count of guest mode over it, and nothing that kept the counter from counting. */
  | 'not-compared'
  /** No host count, but something is proven to have kept it from counting. */
  | 'impaired'
  /** As impaired, but the cause is only consistent with what is recorded. */
  | 'suspect';

/** Why the counts of a log's guest and host differ. */
export interface Diagnosis {
  /** Null for a log that holds counts of perf stat alone. */
  readonly ruleSet: RuleSetChoice | null;
  /** Windows in log order. */
  readonly windows: readonly WindowDiagnosis[];
  readonly droppedWindows: number;
  /** What holds for the recording as a whole: causes that keep a counter from ever counting have no window. */
  readonly overall: Ledger;
  /** The perf stat outputs the log holds, of either side. */
  readonly reports: readonly { readonly role: StatSide['role']; readonly name: string }[];
  /** Outputs of perf stat of both sides, pair by pair, where the log holds no trace to place them in. */
  readonly statistics: readonly StatisticsDiagnosis[];
}

/** Takes one window apart under every rule. */
export function diagnoseWindow(
  window: GuestWindow,
  run: RunFacts,
  hostEvents: readonly HostEventRecord[] = [],
  series: Series | null = null,
): WindowDiagnosis {
  const impossible = impossibleValues(window, run);
  const comparison = compare(window, run);
  const host = comparison?.host ?? null;
  const basis = comparison?.basis ?? null;
  const difference = comparison?.difference ?? null;
  const compared: Compared = { window, host, basis, difference, run, series, hostEvents };
  const judgements = RULES.flatMap((rule) => {
    const judgement = rule.judge(compared);
    return judgement === undefined ? [] : [judgement];
  });
  const lostAt = window.happenings.lost.evidence;
  const ledger = makeLedger(difference, withPlacedEdges(judgements, host, difference), { lostAt });
  const notCompared = comparison === null ? whyNotCompared(window, run) : '';
  return {
    window,
    host,
    basis,
    notCompared,
    ledger,
    verdict: verdictOf(ledger),
    suspectSince: window.records.refusedControl?.seq ?? null,
    impossible,
  };
}

/**
 * A placed count of perf stat proves no equality of whole numbers: its edges are where somebody said. And a cause that
 * makes the whole difference claims what is uncertain at the edges with it, so that no counts are claimed twice.
 */
function withPlacedEdges(
  judgements: readonly Judgement[],
  host: HostSpan | null,
  difference: Amount | null,
): readonly Judgement[] {
  if (host?.placed === undefined) return judgements;
  const isEdges = ({ code }: Judgement): boolean => code === 'edge-window';
  const whole = judgements.some(
    (judgement) => isFinding(judgement) && !isEdges(judgement) && judgement.amount === difference,
  );
  return judgements.map((judgement) => {
    if (!isFinding(judgement)) return judgement;
    if (isEdges(judgement)) return whole ? { ...judgement, amount: null } : judgement;
    if (judgement.grade !== 'proven' || !judgement.integerProof || judgement.amount === null)
      return judgement;
    const missing = [...new Set([...judgement.missing, 'host-counts' as const])];
    return { ...judgement, grade: 'consistent', missing };
  });
}

/** Stages whose findings mean that the counter did not count what it should. */
const IMPAIRING: ReadonlySet<CauseGroup> = new Set(['backing', 'registers']);

function verdictOf({ difference, findings }: Ledger): Verdict {
  const causes = findings.filter(({ code }) => IMPAIRING.has(CAUSES[code].group));
  if (difference === null) {
    if (causes.some(({ grade }) => grade === 'proven')) return 'impaired';
    return causes.length > 0 ? 'suspect' : 'not-compared';
  }
  if (!holdsZero(difference)) return 'differs';
  return isExact(difference) ? 'agrees' : 'open';
}

/** Looks for causes of the recording as a whole. */
function diagnoseOverall(whole: WholeLog): Ledger {
  const judgements = OVERALL_RULES.flatMap((rule) => {
    const judgement = rule.judge(whole);
    return judgement === undefined ? [] : [judgement];
  });
  return makeLedger(null, judgements, { lostAt: whole.observed.lost.evidence, staged: false });
}

/** The totals of host and guest, each host's with each guest's. */
function statisticsOf(sides: readonly StatSide[]): StatisticsDiagnosis[] {
  const of = (role: StatSide['role']): StatSide[] => sides.filter((side) => side.role === role);
  return of('host').flatMap((host) => of('guest').map((guest) => diagnoseStatistics(host, guest)));
}

/** The reports with their times, where those are on the trace's clock. */
function placed(log: ReplayLog, sides: readonly StatSide[]): Report[] {
  const clocks = new Map(log.imports().map(({ source, facts }) => [source, facts.clock]));
  const known = (source: number): boolean => clocks.get(source) !== RELATIVE_CLOCK;
  const guests = sides.filter(({ role, source }) => role === 'guest' && known(source));
  const instants = reportInstants(log, new Set(guests.map(({ source }) => source)));
  return sides.map((side) => {
    const to = log.timeOf(side.samples[0]!.seq);
    const timed = known(side.source) && to !== undefined && side.elapsed > 0n;
    return {
      ...side,
      span: timed ? { from: to - side.elapsed, to } : null,
      instants: instants.get(side.source) ?? null,
    };
  });
}

/** Replays a log, cuts it into windows and explains each. */
export function diagnoseLog(
  log: ReplayLog,
  choices: ReplayChoices = {},
  progress?: (events: number) => void,
): Diagnosis {
  const reports = statSides(log);
  const statistics = statisticsOf(reports);
  const told = reports.map(({ role, name }) => ({ role, name }));
  if (log.vcpus().length === 0) {
    const overall = makeLedger(null, [], { lostAt: [] });
    return { ruleSet: null, windows: [], droppedWindows: 0, overall, reports: told, statistics };
  }
  const { windows: all, dropped, prepared, observed } = guestWindows(log, choices, progress);
  const run = runFacts(log, prepared);
  const used = all.filter((window) => window.used);
  const windows = withPlacedStat(log, prepared, used, run);
  const series = seriesOf(windows);
  return {
    ruleSet: prepared.ruleSet,
    windows: windows.map((window) =>
      diagnoseWindow(window, run, observed.hostEvents, series.get(window) ?? null),
    ),
    droppedWindows: dropped,
    overall: diagnoseOverall({ run, windows, observed, reports: placed(log, reports) }),
    reports: told,
    statistics,
  };
}
