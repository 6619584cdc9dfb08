import {
  type Amount,
  CAUSES,
  type Diagnosis,
  type Finding,
  type Undecided,
  type WindowDiagnosis,
} from '../../index.ts';

/** What is shown of a diagnosis. */
export interface DiagnosisView {
  /** Every window by itself, also those without a finding, and causes that were ruled out. */
  readonly all: boolean;
}

/** Windows of one counter and event in which the same causes are at work. */
export interface WindowGroup {
  /** Largest difference first. */
  readonly windows: readonly WindowDiagnosis[];
  /** The one shown in full. */
  readonly largest: WindowDiagnosis;
  /** Sums over the windows; null where one of them has none. */
  readonly guest: Amount | null;
  readonly host: bigint | null;
  readonly difference: Amount | null;
  readonly unexplained: Amount | null;
  readonly findings: readonly GroupFinding[];
  readonly undecidable: readonly Undecided[];
}

/** A finding of the largest window, with its amounts of all windows added up. */
export interface GroupFinding {
  readonly finding: Finding;
  readonly total: Amount | null;
}

/** Windows worth a look in groups, the largest difference first. */
export function windowGroups(
  { windows }: Pick<Diagnosis, 'windows'>,
  view: DiagnosisView,
): readonly WindowGroup[] {
  const shown = windows.filter((of) => view.all || isTold(of));
  const byKey = new Map<string, WindowDiagnosis[]>();
  shown.forEach((of, i) => {
    const key = view.all ? `${i}` : keyOf(of, view);
    byKey.set(key, [...(byKey.get(key) ?? []), of]);
  });
  const groups = [...byKey.values()].map((group) => groupOf(group, view));
  return groups.sort(
    (a, b) =>
      compare(distance(b.difference), distance(a.difference)) ||
      b.largest.window.countingNs - a.largest.window.countingNs ||
      a.largest.window.fromSeq - b.largest.window.fromSeq,
  );
}

/** Windows that are shown without -v. */
export function isTold({ verdict }: WindowDiagnosis): boolean {
  return verdict === 'differs' || verdict === 'impaired' || verdict === 'suspect';
}

/** Findings that speak of the difference, not only of the clock: what is shown without -v. */
export function toldFindings(
  { ledger, verdict }: WindowDiagnosis,
  { all }: DiagnosisView,
): readonly Finding[] {
  return ledger.findings.filter(({ amount, code }) => {
    if (all || (amount !== null && (amount.low !== 0n || amount.high !== 0n))) return true;
    const { group } = CAUSES[code];
    if (group === 'backing' || group === 'method' || group === 'registers') return true;
    return verdict === 'differs' && group !== 'state';
  });
}

function keyOf(of: WindowDiagnosis, view: DiagnosisView): string {
  const { window, ledger, verdict, host } = of;
  const causes = toldFindings(of, view).map(
    ({ code, grade, because }) => `${code}=${grade}(${because.map(({ code }) => code).sort()})`,
  );
  const open = ledger.undecidable.map(({ code }) => code);
  return [
    window.vcpu,
    window.counter,
    window.eventName,
    verdict,
    host === null,
    causes.sort().join(),
    open.sort().join(),
  ].join('/');
}

function groupOf(group: readonly WindowDiagnosis[], view: DiagnosisView): WindowGroup {
  const windows = group.toSorted(
    (a, b) =>
      compare(distance(b.ledger.difference), distance(a.ledger.difference)) ||
      b.window.totals.guestNs - a.window.totals.guestNs ||
      a.window.fromSeq - b.window.fromSeq,
  );
  const largest = windows[0]!;
  const hosts = windows.map(({ host }) => host?.host ?? null);
  return {
    windows,
    largest,
    guest: total(windows.map(({ window, host }) => (host === null ? window.guest : host.guest))),
    host: hosts.includes(null) ? null : hosts.reduce((sum, host) => sum! + host!, 0n),
    difference: total(windows.map(({ ledger }) => ledger.difference)),
    unexplained: total(windows.map(({ ledger }) => ledger.unexplained)),
    findings: toldFindings(largest, view).map((finding) => ({
      finding,
      total: total(
        windows.map(({ ledger }) => {
          const same = ledger.findings.filter(({ code }) => code === finding.code);
          return total(same.map(({ amount }) => amount));
        }),
      ),
    })),
    undecidable: largest.ledger.undecidable,
  };
}

/** Sum of amounts; null as soon as one is. */
function total(amounts: readonly (Amount | null)[]): Amount | null {
  let sum: Amount = { low: 0n, high: 0n };
  for (const amount of amounts) {
    if (amount === null) return null;
    sum = { low: sum.low + amount.low, high: sum.high + amount.high };
  }
  return sum;
}

/** Distance from zero of the middle of an amount: for ordering only. */
function distance(amount: Amount | null): bigint {
  if (amount === null) return -1n;
  const sum = amount.low + amount.high;
  return sum < 0n ? -sum : sum;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
