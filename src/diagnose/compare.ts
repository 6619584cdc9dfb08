import { samePerfEvent } from '../arch/perf-generic.ts';
import type { GuestWindow, HostSpan } from './guest-windows/guest-window.ts';
import { type Amount, exactly, isExact, minus, plus } from './ledger/amount.ts';
import type { RunFacts } from './rules/rule.ts';

/**
 * What the guest's count is compared with: the host's count of guest mode, that count computed as both modes − host mode,
 * or, where nothing better exists, a count of both modes or of host mode.
 */
export type Basis = 'G' | 'GH-H' | 'GH' | 'H';

/** The host count a window is compared with. */
export interface Comparison {
  readonly basis: Basis;
  readonly host: HostSpan;
  /** guest − host over the span. */
  readonly difference: Amount;
}

/** True if the host event counts what the guest's counter counts. */
export function sameEvent(
  window: GuestWindow,
  host: Pick<HostSpan, 'event' | 'config'>,
  { arch }: RunFacts,
): boolean {
  if (window.event === undefined) return false;
  if (arch === 'x86') return host.event === window.event;
  return host.event === window.event || samePerfEvent(window.event, host.config);
}

/** True if both leave the same exception levels (privilege levels) out; what is not recorded leaves none out. */
export function sameLevels(window: GuestWindow, span: HostSpan): boolean {
  const none = { user: false, kernel: false };
  const [a, b] = [window.filter ?? none, span.filter ?? none];
  return a.user === b.user && a.kernel === b.kernel;
}

function length({ fromTime, toTime }: HostSpan): number {
  return Number(toTime - fromTime);
}

/** A count of perf stat is placed by a time somebody typed: records of the trace itself come first. */
const isPlaced = ({ placed }: HostSpan): boolean => placed !== undefined;

/** The host spans of the window's event that were on hardware all the time, the longest first. */
function usable(window: GuestWindow, run: RunFacts): HostSpan[] {
  return window.hosts
    .filter(
      (span) =>
        span.notRunningAt === 0 &&
        (span.runningNs === null || span.runningNs === span.enabledNs) &&
        sameEvent(window, span, run) &&
        sameLevels(window, span),
    )
    .sort((a, b) => Number(isPlaced(a)) - Number(isPlaced(b)) || length(b) - length(a));
}

/** Both modes − host mode, where both were read while the guest's count stood at the same two values. */
function computed(both: HostSpan | undefined, host: HostSpan | undefined): HostSpan | undefined {
  if (both === undefined || host === undefined) return undefined;
  const same = isExact(both.guest) && isExact(host.guest) && both.guest.low === host.guest.low;
  return same ? { ...both, modes: 'G', host: both.host - host.host } : undefined;
}

/** The best host count of a window; null when there is none. */
export function compare(window: GuestWindow, run: RunFacts): Comparison | null {
  const spans = usable(window, run);
  const first = (modes: HostSpan['modes']): HostSpan | undefined =>
    spans.find((span) => span.modes === modes);
  const both = first('G+H');
  const hostOnly = first('H');
  const choices: readonly (readonly [Basis, HostSpan | undefined])[] = [
    ['G', first('G')],
    ['GH-H', computed(both, hostOnly)],
    ['GH', both],
    ['H', hostOnly],
  ];
  for (const [basis, host] of choices) {
    if (host === undefined) continue;
    const difference = minus(host.guest, exactly(host.host));
    const edges = host.placed?.edges;
    return { basis, host, difference: edges === undefined ? difference : plus(difference, edges) };
  }
  return null;
}

/** Why a window has no host count to be compared with, for people. */
export function whyNotCompared(window: GuestWindow, run: RunFacts): string {
  const same = window.hosts.filter((span) => sameEvent(window, span, run));
  if (window.statUnused !== undefined && same.length === 0) return window.statUnused;
  if (window.hosts.length === 0) return 'no host event was read twice over this span';
  if (same.length === 0) return 'the host events over this span count other events';
  const levels = same.filter((span) => sameLevels(window, span));
  if (levels.length === 0) {
    return 'guest and host counted different privilege levels';
  }
  const running = levels.filter(
    ({ notRunningAt, runningNs, enabledNs }) =>
      notRunningAt === 0 && (runningNs === null || runningNs === enabledNs),
  );
  if (running.length === 0) return 'the host event was not on hardware all the time';
  return 'which modes the host event counts is not recorded';
}
