import { EventKind } from '../../domain/event-kind.ts';
import type { GuestWindow } from '../guest-windows/guest-window.ts';
import { isFixed, overflowSize, passedEnd } from './facts.ts';
import { excluded, finding, olderThan, type Rule, type RunFacts, undecided } from './rule.ts';

/** Why the event behind a counter overflows at another distance than the counter; undefined: nothing shows it. */
export function stalePeriodProof(
  window: GuestWindow,
  run: RunFacts,
): { readonly text: string; readonly evidence: readonly number[] } | undefined {
  const { opening, period, backing, interruptEnable, statusReads } = window.records;
  if (interruptEnable === false || period === null || backing === null) return undefined;
  if (window.happenings.overflow.count > 0 || !run.kinds.has(EventKind.eventCreate))
    return undefined;
  if (!passedEnd(window)) return undefined;
  const status = statusReads.at(-1);
  if (status?.set === true) return undefined;
  const end = window.lastRead > 0 ? window.lastRead : window.toSeq;
  if (period.value === 0n) {
    return {
      text: 'The backing event was made with sample period 0, which never overflows.',
      evidence: [period.seq, end, ...(status === undefined ? [] : [status.seq])],
    };
  }
  if (opening.by !== 'counter-write' || period.seq >= opening.seq) return undefined;
  if (!run.kinds.has(EventKind.eventOverflow) && !run.kinds.has(EventKind.eventPeriod))
    return undefined;
  const start = window.startValue?.low ?? 0n;
  const wanted = overflowSize(window) - (start % overflowSize(window));
  if (period.value === wanted) return undefined;
  return {
    text: `The counter was written to overflow after ${wanted} events; its event kept the period ${period.value}.`,
    evidence: [period.seq, opening.seq, end],
  };
}

/** The sample period is not the distance to the counter's end. */
const stalePeriod: Rule = {
  code: 'stale-period',
  judge({ window, run }) {
    if (window.records.interruptEnable === false || !passedEnd(window)) return undefined;
    const { overflow } = window.happenings;
    if (overflow.count > 0) {
      return excluded(
        'stale-period',
        'its event overflowed where the counter did',
        overflow.evidence,
      );
    }
    const proof = stalePeriodProof(window, run);
    if (proof !== undefined) return finding('stale-period', 'proven', proof.text, proof.evidence);
    if (run.kinds.has(EventKind.eventOverflow) && run.kinds.has(EventKind.eventCreate))
      return undefined;
    return undecided(
      'stale-period',
      'the counter passed its end, and no overflow of its event is recorded',
      ['overflows', 'backing-events'],
      [window.toSeq],
    );
  },
};

/** Overflows this many times at the first distance are no accident. */
const REPEATS = 4;
/** A distance below this part of the counter's size is not its size. */
const FAR_BELOW = 16n;

/** The event overflows again and again at its first distance. */
const periodNotReset: Rule = {
  code: 'period-not-reset',
  judge({ window, run }) {
    const { overflowCounts, wraps } = window.records;
    if (overflowCounts.length === 0) {
      const old = run.arch === 'arm64' && olderThan(run, 5, 4) !== false;
      return old && passedEnd(window) && !run.kinds.has(EventKind.eventOverflow)
        ? undecided('period-not-reset', 'the counter passed its end', ['overflows'], [window.toSeq])
        : undefined;
    }
    const { overflow, interrupt } = window.happenings;
    if (overflow.count < REPEATS || wraps !== 1) {
      return excluded('period-not-reset', 'one overflow for one wrap', overflow.evidence);
    }
    const distances = overflowCounts
      .slice(1)
      .map(({ count }, i) => count - overflowCounts[i]!.count);
    const first = distances[0] ?? 0n;
    const even = distances.every(
      (d) => d > 0n && 100n * (d > first ? d - first : first - d) <= first,
    );
    if (!even || first * FAR_BELOW > overflowSize(window)) return undefined;
    return finding(
      'period-not-reset',
      'proven',
      `The backing event overflowed ${overflow.count} times, every ${first} events, for ${wraps} wrap of the counter and ${interrupt.count} interrupts of the guest.`,
      overflow.evidence,
    );
  },
};

/** Guest PEBS on another hardware counter, or with bits KVM does not keep. */
const pebsSuppressed: Rule = {
  code: 'pebs-suppressed',
  judge({ window, run }) {
    const { pebs, hardwareIndex, readBack, selector } = window.records;
    if (pebs === null) return undefined;
    const { overflow } = window.happenings;
    if (readBack !== null && (readBack.written & ~readBack.read) >> 32n !== 0n) {
      return finding(
        'pebs-suppressed',
        'proven',
        `PEBS is on, and the adaptive bits 0x${((readBack.written & ~readBack.read) >> 32n).toString(16)} of the upper half did not stay in the control register.`,
        [pebs.seq, readBack.writtenSeq, readBack.seq],
      );
    }
    if (
      readBack === null &&
      selector !== null &&
      isFixed(window, run) &&
      selector.value >> 32n !== 0n
    ) {
      return undecided(
        'pebs-suppressed',
        'adaptive PEBS was asked for; what KVM kept of it is not recorded',
        ['register-values'],
        [pebs.seq, selector.seq],
      );
    }
    if (overflow.count === 0) return undefined;
    if (hardwareIndex === null) {
      return undecided(
        'pebs-suppressed',
        'PEBS is on and the event overflows; which hardware counter it is on is not recorded',
        ['placements'],
        [pebs.seq],
      );
    }
    if (hardwareIndex.index === window.counter) {
      return excluded('pebs-suppressed', 'the hardware counter has the index the guest uses', [
        hardwareIndex.seq,
      ]);
    }
    return finding(
      'pebs-suppressed',
      'proven',
      `PEBS is on for counter ${window.counter}, and its event is on hardware counter ${hardwareIndex.index}: KVM switches PEBS off for such entries.`,
      [pebs.seq, hardwareIndex.seq, ...overflow.evidence],
    );
  },
};

export const PERIOD_RULES: readonly Rule[] = [stalePeriod, periodNotReset, pebsSuppressed];
