import type { GuestWindow, ReadInterval } from '../guest-windows/guest-window.ts';
import { isExact } from '../ledger/amount.ts';
import { duration, excluded, finding, olderThan, type Rule, undecided } from './rule.ts';

/** No core counts more of anything in a nanosecond of guest time. */
const MOST_PER_NS = 10;

/** Read intervals in which more was counted than the guest's own time holds. */
function beyondGuest(window: GuestWindow): ReadInterval[] {
  return window.intervals.filter(
    ({ events, enabled }) => events > BigInt(Math.ceil(MOST_PER_NS * enabled.ns)),
  );
}

/** Before 5.2 an arm64 host without VHE counted its own EL1 and EL0 in the guest's counter. */
const elFilterOverlap: Rule = {
  code: 'el-filter-overlap',
  judge(compared) {
    const { window, run } = compared;
    if (run.arch !== 'arm64') return undefined;
    const fixed = olderThan(run, 5, 2) === false;
    if (run.vhe === true || fixed) {
      return excluded(
        'el-filter-overlap',
        fixed ? 'the kernel honours exclude_host' : 'the host runs at EL2',
      );
    }
    const beyond = beyondGuest(window);
    if (beyond.length === 0) return undefined;
    if (window.filter?.kernel === true && window.filter.user) {
      return excluded('el-filter-overlap', 'the counter leaves EL1 and EL0 out');
    }
    const low = beyond.reduce(
      (sum, { events, enabled }) => sum + events - BigInt(Math.ceil(MOST_PER_NS * enabled.ns)),
      0n,
    );
    const high = beyond.reduce((sum, { events }) => sum + events, 0n);
    const evidence = beyond.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
    const text = `Between reads it counted at least ${low} more than the guest's time there holds: the host's own work at EL1 is in it.`;
    const told = run.vhe === false && run.kernel !== undefined;
    if (!told) {
      return undecided(
        'el-filter-overlap',
        text,
        [
          ...(run.vhe === undefined ? (['vhe'] as const) : []),
          ...(run.kernel === undefined ? (['host-kernel'] as const) : []),
        ],
        evidence,
      );
    }
    return finding('el-filter-overlap', 'proven', text, [...new Set(evidence)], {
      amount: compared.host === null ? { low, high } : null,
    });
  },
};

/** One read interval with far more in it than the others, which agree; undefined when there is none. */
function outlier(intervals: readonly ReadInterval[]): ReadInterval | undefined {
  if (intervals.length < 4) return undefined;
  const rate = ({ events, enabled }: ReadInterval): number =>
    enabled.ns === 0 ? 0 : Number(events) / enabled.ns;
  const sorted = [...intervals].sort((a, b) => rate(b) - rate(a));
  const [top, second] = sorted;
  const last = sorted.at(-1)!;
  const others = rate(second!);
  return others > 0 && rate(last) > 0.9 * others && rate(top!) > 2 * others ? top : undefined;
}

/** Firmware in SMM was counted. */
const smmPollution: Rule = {
  code: 'smm-pollution',
  judge(compared) {
    const { window, run } = compared;
    if (run.arch !== 'x86') return undefined;
    const { smi } = window;
    if (smi.length === 0) {
      const excess = outlier(window.intervals);
      return excess === undefined
        ? undefined
        : undecided(
            'smm-pollution',
            `Between two reads it counted ${excess.events}, more than twice the rate of all others: an SMI would do that.`,
            ['smi-count'],
            [excess.fromSeq, excess.toSeq],
          );
    }
    const hit = smi.filter(({ smis }) => smis > 0);
    const quiet = smi.filter(({ smis, guestNs }) => smis === 0 && guestNs > 0);
    const evidence = [...new Set(hit.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]))];
    if (hit.length === 0) return excluded('smm-pollution', 'MSR_SMI_COUNT did not move');
    const smis = hit.reduce((sum, interval) => sum + interval.smis, 0);
    const counted = `${smis} SMI ${smis === 1 ? 'was' : 'were'} taken while it counted`;
    if (quiet.length === 0) {
      return finding('smm-pollution', 'consistent', `${counted}.`, evidence, {
        missing: ['smi-count'],
      });
    }
    // What the guest counts in such an interval by itself, at the lowest and the highest rate of the others.
    const rates = quiet.map(({ events, guestNs }) => Number(events) / guestNs);
    const own = (rate: number): bigint =>
      BigInt(Math.round(hit.reduce((sum, { guestNs }) => sum + guestNs, 0) * rate));
    const events = hit.reduce((sum, interval) => sum + interval.events, 0n);
    const amount = {
      low: events - own(Math.max(...rates)),
      high: events - own(Math.min(...rates)),
    };
    if (amount.low <= 0n) {
      return excluded('smm-pollution', `${counted}, and counted no more than the others`, evidence);
    }
    const excess = isExact(amount) ? `${amount.low}` : `${amount.low} to ${amount.high}`;
    return finding(
      'smm-pollution',
      'proven',
      `${counted}, and only there it counted ${excess} more than in ${duration(hit[0]!.guestNs)} of guest time without one.`,
      evidence,
      { amount: compared.host === null ? amount : null },
    );
  },
};

/** Causes that put counts of others into the guest's counter. */
export const POLLUTION_RULES: readonly Rule[] = [elFilterOverlap, smmPollution];
