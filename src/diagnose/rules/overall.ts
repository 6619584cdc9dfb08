import type { CauseCode } from '../causes/catalogue.ts';
import type { GuestWindow } from '../guest-windows/guest-window.ts';
import type { Observed } from '../guest-windows/observed.ts';
import type { Judgement } from '../ledger/judgement.ts';
import type { Instants } from '../statistics/report-instants.ts';
import type { StatSide } from '../statistics/samples.ts';
import type { RunFacts } from './rule.ts';

/** The recording as a whole: for causes that have no window because nothing ever counted. */
export interface WholeLog {
  readonly run: RunFacts;
  readonly windows: readonly GuestWindow[];
  readonly observed: Observed;
  /** Totals of perf stat of either side. */
  readonly reports: readonly Report[];
}

/** What a perf stat reported, and when: on the trace's clock, null where nobody placed it there. */
export interface Report extends StatSide {
  readonly span: { readonly from: bigint; readonly to: bigint } | null;
  /** A guest's moments looked up in the trace; null where that cannot be done. */
  readonly instants: Instants | null;
}

/** One cause looked for in the recording as a whole; like Rule, but for no window. */
export interface OverallRule {
  readonly code: CauseCode;
  judge(log: WholeLog): Judgement | undefined;
}
