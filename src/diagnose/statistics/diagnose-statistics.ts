import { CAUSES } from '../causes/catalogue.ts';
import { RECORDINGS } from '../causes/cause.ts';
import type { Grade } from '../ledger/judgement.ts';
import { compareStatistics, type StatRow } from './compare.ts';
import type { StatSide } from './samples.ts';
import { LEFT_OPEN, type OpenCause, type Statement, supportedBy } from './statements.ts';

/** Two outputs of perf stat compared: what their numbers say and what they cannot. */
export interface StatisticsDiagnosis {
  readonly host: StatSide;
  readonly guest: StatSide;
  readonly rows: readonly StatRow[];
  /** Events only one side reports. */
  readonly hostOnly: readonly string[];
  readonly guestOnly: readonly string[];
  /** Whether these are counts of one execution. */
  readonly verdict: {
    readonly code: 'different-run';
    readonly grade: Exclude<Grade, 'excluded'>;
    readonly text: string;
  };
  readonly statements: readonly Statement[];
  /** Causes the numbers neither show nor rule out. */
  readonly open: readonly OpenCause[];
  /** What to do next, in order. */
  readonly toDecide: readonly string[];
}

/** The host's perf stat counted a vCPU thread or the VMM: then it can have seen the guest's run. */
function countsVcpu(side: StatSide): boolean {
  return side.counted !== undefined && /^(?:process|thread) id/.test(side.counted);
}

function verdictOf(host: StatSide, guest: StatSide): StatisticsDiagnosis['verdict'] {
  if (host.counted !== undefined && guest.counted !== undefined && !countsVcpu(host)) {
    const own = /^(?:system wide|CPU\(s\))/.test(host.counted);
    if (!own) {
      return {
        code: 'different-run',
        grade: 'proven',
        text: `host counted '${host.counted}' on the host, guest counted '${guest.counted}' in the guest: two runs on two kernels. Their difference is not a discrepancy of one execution, and nothing follows about the vPMU.`,
      };
    }
  }
  return {
    code: 'different-run',
    grade: countsVcpu(host) ? 'undecidable' : 'consistent',
    text: countsVcpu(host)
      ? `host counted ${host.counted}, which may be the guest's own thread: without times on one clock nothing shows that the two spans are the same.`
      : 'no record shows that both sides counted the same execution: take them for two runs.',
  };
}

/** Compares the totals of a host's and a guest's perf stat. Pure. */
export function diagnoseStatistics(host: StatSide, guest: StatSide): StatisticsDiagnosis {
  const rows = compareStatistics(host, guest);
  const names = (side: StatSide): ReadonlySet<string> =>
    new Set(side.samples.map(({ event }) => event));
  const only = (side: StatSide, other: ReadonlySet<string>): string[] =>
    side.samples.filter(({ event }) => !other.has(event)).map(({ event }) => event);
  const hows = new Set(
    LEFT_OPEN.flatMap(({ missing }) => missing.map((need) => RECORDINGS[need].how)),
  );
  return {
    host,
    guest,
    rows,
    hostOnly: only(host, names(guest)),
    guestOnly: only(guest, names(host)),
    verdict: verdictOf(host, guest),
    statements: supportedBy(rows, host, guest),
    open: LEFT_OPEN,
    toDecide: [
      CAUSES['different-run'].remedy,
      ...hows,
      'run again with :u: a gap that vanishes at user level lies in the kernel paths',
    ],
  };
}
