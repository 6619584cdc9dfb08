import type { EventKind } from '../../domain/event-kind.ts';
import type { CauseCode } from '../causes/catalogue.ts';
import type { RecordingNeed } from '../causes/cause.ts';
import type { Basis } from '../compare.ts';
import type { GuestWindow, Happening, HostSpan } from '../guest-windows/guest-window.ts';
import type { HostEventRecord } from '../guest-windows/host-inventory.ts';
import type { Marks } from '../guest-windows/marks.ts';
import type { Series } from '../guest-windows/series.ts';
import type { Amount } from '../ledger/amount.ts';
import type { Exclusion, Finding, Judgement, Reason, Undecided } from '../ledger/judgement.ts';

/** What holds for the whole log. */
export interface RunFacts {
  readonly arch: 'arm64' | 'x86';
  /** Kernel of the host, as major and minor; undefined when not known. */
  readonly kernel: readonly [major: number, minor: number] | undefined;
  readonly kinds: ReadonlySet<EventKind>;
  readonly ruleSet: string;
  /** Vendor of an x86 host. */
  readonly vendor: 'intel' | 'amd' | undefined;
  /** The replay's rules are those of a mediated vPMU. */
  readonly mediated: boolean;
  /** Whether the (arm64) host runs with VHE, and its CPU model; undefined when not told. */
  readonly vhe: boolean | undefined;
  readonly cpuModel: string | undefined;
  /** General counters of a CPU of the host, where the recording tells. */
  readonly hardwareCounters: number | undefined;
  /** What marks tell. */
  readonly marks: Marks;
}

/** One window with what it is compared with. */
export interface Compared {
  readonly window: GuestWindow;
  /** The host count over (a part of) the window it is compared with; null: there is none. */
  readonly host: HostSpan | null;
  /** Which modes that count is of. */
  readonly basis: Basis | null;
  /** guest − host over that part; null without a host count. */
  readonly difference: Amount | null;
  readonly run: RunFacts;
  /** The other measurements of the same event; null: there are none. */
  readonly series: Series | null;
  /** Every event of the host the log shows. */
  readonly hostEvents: readonly HostEventRecord[];
}

/**
 * One cause looked for in one window: a judgement, or undefined when nothing in the window speaks of it. Pure. `code` is
 * the only cause it judges.
 */
export interface Rule {
  readonly code: CauseCode;
  judge(compared: Compared): Judgement | undefined;
}

/** Shorthands for the four grades. */
export function finding(
  code: CauseCode,
  grade: Finding['grade'],
  text: string,
  evidence: readonly number[],
  more: {
    amount?: Amount | null;
    integerProof?: boolean;
    because?: readonly Reason[];
    missing?: readonly RecordingNeed[];
  } = {},
): Finding {
  return {
    grade,
    code,
    text,
    evidence,
    amount: more.amount ?? null,
    integerProof: more.integerProof ?? false,
    because: more.because ?? [],
    missing: more.missing ?? [],
  };
}

export function excluded(
  code: CauseCode,
  text: string,
  evidence: readonly number[] = [],
): Exclusion {
  return { grade: 'excluded', code, text, evidence };
}

export function undecided(
  code: CauseCode,
  text: string,
  missing: readonly RecordingNeed[],
  evidence: readonly number[] = [],
): Undecided {
  return { grade: 'undecidable', code, text, missing, evidence };
}

/** Records of several happenings, in order. */
export function evidenceOf(...happenings: readonly Happening[]): number[] {
  return [...new Set(happenings.flatMap(({ evidence }) => evidence))].sort((a, b) => a - b);
}

/** Share of `part` in `whole`, 0 to 1. */
export function share(part: number, whole: number): number {
  return whole <= 0 ? 0 : part / whole;
}

/** `12.3 %`. */
export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** A length of time for a sentence. */
export function duration(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
  return `${(ns / 1e3).toFixed(1)} us`;
}

/** Guest time in which all gates of the counter were open, whether or not an event counted, ns. */
export function openNs(window: GuestWindow): number {
  return window.gates
    .filter(({ gate }) => !/ is 0| not known/.test(gate))
    .reduce((sum, { guestNs }) => sum + guestNs, window.countingNs);
}

/** True if the host's kernel is known and older than this. */
export function olderThan(run: RunFacts, major: number, minor: number): boolean | undefined {
  if (run.kernel === undefined) return undefined;
  const [a, b] = run.kernel;
  return a < major || (a === major && b < minor);
}
