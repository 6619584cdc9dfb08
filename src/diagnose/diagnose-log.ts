import { RELATIVE_CLOCK } from '../domain/log-facts.ts';
import type { ReplayChoices, ReplayLog } from '../replay/replay-log.ts';
import type { ReplayConfig } from '../replay/replayer.ts';
import type { RuleSetChoice } from '../replay/vm-facts.ts';
import { CAUSES } from './causes/catalogue.ts';
import type { CauseGroup } from './causes/cause.ts';
import { type Basis, compare, whyNotCompared } from './compare.ts';
import { type Impossible, impossibleValues } from './guard.ts';
import type { GuestWindow, HostSpan } from './guest-windows/guest-window.ts';
import { guestWindows } from './guest-windows/guest-windows.ts';
import type { HostEventRecord } from './guest-windows/host-inventory.ts';
import { readMarks } from './guest-windows/marks.ts';
import { type Series, seriesOf } from './guest-windows/series.ts';
import { holdsZero, isExact } from './ledger/amount.ts';
import { type Ledger, makeLedger } from './ledger/ledger.ts';
import type { Report, WholeLog } from './rules/overall.ts';
import type { Compared, RunFacts } from './rules/rule.ts';
import { OVERALL_RULES, RULES } from './rules/rules.ts';
import { diagnoseStatistics, type StatisticsDiagnosis } from './statistics/diagnose-statistics.ts';
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
  /** Outputs of perf stat of both sides, pair by pair, where the log holds no trace to place them in. */
  readonly statistics: readonly StatisticsDiagnosis[];
}

function kernelOf(release: string | undefined): RunFacts['kernel'] {
  const match = /^(\d+)\.(\d+)/.exec(release ?? '');
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
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
  const ledger = makeLedger(difference, judgements, { lostAt });
  const notCompared = comparison === null ? whyNotCompared(window, run) : '';
  return { window, host, basis, notCompared, ledger, verdict: verdictOf(ledger), impossible };
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
  return makeLedger(null, judgements, { lostAt: whole.observed.lost.evidence });
}

/** The totals of host and guest, each host's with each guest's. */
function statisticsOf(sides: readonly StatSide[]): StatisticsDiagnosis[] {
  const of = (role: StatSide['role']): StatSide[] => sides.filter((side) => side.role === role);
  return of('host').flatMap((host) => of('guest').map((guest) => diagnoseStatistics(host, guest)));
}

/** The reports with their times, where those are on the trace's clock. */
function placed(log: ReplayLog, sides: readonly StatSide[]): Report[] {
  const clocks = new Map(log.imports().map(({ source, facts }) => [source, facts.clock]));
  return sides.map((side) => {
    const to = log.timeOf(side.samples[0]!.seq);
    const known =
      clocks.get(side.source) !== RELATIVE_CLOCK && to !== undefined && side.elapsed > 0n;
    return { ...side, span: known ? { from: to - side.elapsed, to } : null };
  });
}

/** Counters of one CPU: AMD's core extension has six; an Intel guest's own leaf does not tell the host's. */
function hardwareCounters(config: ReplayConfig): number | undefined {
  if (config.arch !== 'x86' || config.facts.vendor !== 'amd') return undefined;
  return config.facts.shape.perfctrCore === false ? 4 : (config.facts.shape.gpCounters ?? 6);
}

/** Replays a log, cuts it into windows and explains each. */
export function diagnoseLog(
  log: ReplayLog,
  choices: ReplayChoices = {},
  progress?: (events: number) => void,
): Diagnosis {
  const reports = statSides(log);
  const statistics = statisticsOf(reports);
  if (log.vcpus().length === 0) {
    const overall = makeLedger(null, [], { lostAt: [] });
    return { ruleSet: null, windows: [], droppedWindows: 0, overall, statistics };
  }
  const { windows, dropped, prepared, observed } = guestWindows(log, choices, progress);
  const { config, ruleSet } = prepared;
  const told = log.imports().flatMap(({ facts }) => (facts.role === 'host' ? [facts] : []));
  const run: RunFacts = {
    arch: config.arch,
    kernel: kernelOf(told.find(({ kernelRelease }) => kernelRelease !== undefined)?.kernelRelease),
    kinds: config.recordedKinds,
    ruleSet: ruleSet.name,
    vendor: config.arch === 'x86' ? config.facts.vendor : undefined,
    mediated: config.arch === 'x86' && config.rules.ownership === 'mediated',
    hardwareCounters: hardwareCounters(config),
    vhe: told.find(({ vhe }) => vhe !== undefined)?.vhe,
    cpuModel: told.find(({ cpuModel }) => cpuModel !== undefined)?.cpuModel,
    marks: readMarks(log),
  };
  const series = seriesOf(windows);
  return {
    ruleSet,
    windows: windows.map((window) =>
      diagnoseWindow(window, run, observed.hostEvents, series.get(window) ?? null),
    ),
    droppedWindows: dropped,
    overall: diagnoseOverall({ run, windows, observed, reports: placed(log, reports) }),
    statistics,
  };
}
