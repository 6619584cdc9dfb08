import type { StatSample, StatSide } from './samples.ts';

/** From how many standard deviations on a difference of two means is taken for real. */
export const SIGMA_LIMIT = 3;

/** How far apart the two numbers of one event are. */
export type Apart =
  /** At least SIGMA_LIMIT deviations of the two means. */
  | 'beyond-noise'
  | 'within-noise'
  | 'equal'
  /** No spread is known: one run on some side. */
  | 'one-sample'
  /** Not counted or not supported on some side. */
  | 'no-count';

/** One event that both sides report. */
export interface StatRow {
  /** Event name without the way it was printed. */
  readonly event: string;
  readonly unit: 'ns' | 'events';
  readonly host: StatSample;
  readonly guest: StatSample;
  /** guest − host; null where a side has no count. */
  readonly difference: bigint | null;
  /** guest / host, for reading; null where host is 0 or a side has no count. */
  readonly ratio: number | null;
  /** Difference in standard deviations of the two means; null where no spread is known or it is 0. */
  readonly sigma: number | null;
  readonly apart: Apart;
}

/** True for perf's software clocks: their count is ns. */
function isClock(event: string): boolean {
  return /^(?:task|cpu)-clock\b/.test(event);
}

/** Relative deviation of a mean, as a fraction. */
function relative(sample: StatSample): number | null {
  return sample.spread === null ? null : sample.spread / 10_000;
}

function rowOf(host: StatSample, guest: StatSample): StatRow {
  const base = {
    event: host.event,
    unit: isClock(host.event) ? ('ns' as const) : ('events' as const),
    host,
    guest,
  };
  if (host.state !== 'counted' || guest.state !== 'counted') {
    return { ...base, difference: null, ratio: null, sigma: null, apart: 'no-count' };
  }
  const difference = guest.value - host.value;
  // For reading and for a threshold, not for arithmetic: doubles are enough.
  const [h, g] = [Number(host.value), Number(guest.value)];
  const ratio = host.value === 0n ? null : g / h;
  const [dh, dg] = [relative(host), relative(guest)];
  const spread = dh === null || dg === null ? null : Math.hypot(h * dh, g * dg);
  const sigma = spread === null || spread === 0 ? null : Math.abs(Number(difference)) / spread;
  let apart: Apart;
  if (difference === 0n) apart = 'equal';
  else if (spread === null) apart = 'one-sample';
  else apart = sigma === null || sigma >= SIGMA_LIMIT ? 'beyond-noise' : 'within-noise';
  return { ...base, difference, ratio, sigma, apart };
}

/** Events that both sides report, in the order of the host's. */
export function compareStatistics(host: StatSide, guest: StatSide): StatRow[] {
  const byEvent = new Map(guest.samples.map((sample) => [sample.event, sample]));
  return host.samples.flatMap((sample) => {
    const other = byEvent.get(sample.event);
    return other === undefined ? [] : [rowOf(sample, other)];
  });
}
