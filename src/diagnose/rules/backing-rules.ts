import { EventKind } from '../../domain/event-kind.ts';
import type { GuestWindow } from '../guest-windows/guest-window.ts';
import type { Reason } from '../ledger/judgement.ts';
import { notOnHardware, refusedNs, standsStill } from './backing-facts.ts';
import { SHARING_RULES } from './backing-sharing-rules.ts';
import { deniedByMark } from './facts.ts';
import {
  type Compared,
  duration,
  excluded,
  finding,
  percent,
  type Rule,
  share,
  undecided,
} from './rule.ts';

/** What the counter shows although its event counted nothing: what KVM itself counts of emulated instructions. */
function emulatedText({ atRead }: GuestWindow): string {
  if (atRead === null || atRead.events === null || atRead.events === 0n) return '';
  const { emulatedExits } = atRead.enabled;
  return atRead.events <= BigInt(emulatedExits)
    ? ` Its ${atRead.events} are instructions KVM emulated and counted itself (${emulatedExits} such exits): a lower bound.`
    : '';
}

function contention({ window }: Compared): Reason[] {
  const evidence = notOnHardware(window);
  if (evidence.length === 0) return [];
  const { count } = window.happenings.placementRefused;
  return [
    {
      code: 'counter-contention',
      text:
        count > 0
          ? `the PMU driver refused a counter ${count === 1 ? 'once' : `${count} times`}`
          : 'it got no hardware counter',
      evidence,
    },
  ];
}

/** More counters are wanted than there are. */
const counterContention: Rule = {
  code: 'counter-contention',
  judge(compared) {
    const { window, run } = compared;
    const evidence = notOnHardware(window);
    if (evidence.length === 0) {
      if (run.kinds.has(EventKind.hwAdd)) {
        return excluded('counter-contention', 'no placement was refused');
      }
      return standsStill(window, run)
        ? undecided(
            'counter-contention',
            'The counter stands still with open gates; what else holds counters of the CPU is not recorded.',
            ['host-events', 'placements'],
          )
        : undefined;
    }
    if (refusedNs(window) === 0) {
      return excluded(
        'counter-contention',
        'it lacked a counter only while its gates were closed',
        evidence,
      );
    }
    const { competitors, happenings } = window;
    const { hardwareCounters } = run;
    const pinned = competitors?.pinned ?? [];
    const wanted = competitors?.wanted ?? 1;
    const watchdog = run.marks.nmiWatchdog > 0 ? 1 : 0;
    if (
      pinned.length + watchdog > 0 &&
      hardwareCounters !== undefined &&
      pinned.length + watchdog + wanted > hardwareCounters
    ) {
      return finding(
        'counter-contention',
        'proven',
        `${pinned.length} events${watchdog > 0 ? ' and the NMI watchdog' : ''} are pinned to CPU ${competitors?.pcpu} and go first; with the ${wanted} ${wanted === 1 ? 'counter' : 'counters'} the guest enabled they are more than its ${hardwareCounters}.`,
        [...(watchdog > 0 ? [run.marks.nmiWatchdog] : []), ...pinned, ...evidence],
      );
    }
    if (happenings.placementRefused.count > 0) {
      return finding(
        'counter-contention',
        'proven',
        `The PMU driver had no free counter for its event ${happenings.placementRefused.count === 1 ? 'once' : `${happenings.placementRefused.count} times`}: others held them all.`,
        happenings.placementRefused.evidence,
      );
    }
    return finding(
      'counter-contention',
      'consistent',
      'Its event got no hardware counter; what holds them is not recorded.',
      evidence,
      { missing: ['host-events'] },
    );
  },
};

/** The backing event is in ERROR while its gates are open. */
const pinnedError: Rule = {
  code: 'pinned-error',
  judge(compared) {
    const { window, run, difference, basis } = compared;
    const evidence = notOnHardware(window);
    const ns = refusedNs(window);
    if (evidence.length === 0) {
      const { placed, ran, inactiveState } = window.happenings;
      if (placed.count + ran.count + inactiveState.count > 0) {
        return excluded('pinned-error', 'no placement was refused, no record shows ERROR');
      }
      const guestMode = basis === 'G' || basis === 'GH-H';
      // A counter that went back, was never let count, or is filtered lacks its counts for another reason.
      const elsewhere =
        window.enabled.ns === 0 ||
        deniedByMark(window, run) === true ||
        (window.guest !== null && window.guest.low < 0n);
      const short = guestMode && !elsewhere && difference !== null && difference.high < 0n;
      if (short || standsStill(window, run)) {
        return undecided(
          'pinned-error',
          'The guest counts less than it should with open gates, and no record tells the state of the backing event.',
          ['backing-events', 'placements'],
          window.atRead === null ? [] : [window.atRead.seq],
        );
      }
      return run.kinds.has(EventKind.hwAdd) || run.kinds.has(EventKind.eventRead)
        ? excluded('pinned-error', 'no placement was refused, no record shows ERROR')
        : undefined;
    }
    if (ns === 0) {
      return excluded(
        'pinned-error',
        'it had no counter, but not while the guest ran with open gates',
        evidence,
      );
    }
    const counting = window.countingNs - window.stillNs;
    const enabled = ns + counting;
    // Where it never ran, all of the difference is this; where it did, how much is not known from here.
    const whole = counting === 0;
    return finding(
      'pinned-error',
      'proven',
      `Not on hardware for ${duration(ns)} of the ${duration(enabled)} its gates were open (${percent(share(ns, enabled))}). The guest cannot see that: its own perf goes on to report 100 % running.${emulatedText(window)}`,
      evidence,
      { amount: whole ? difference : null, because: contention(compared) },
    );
  },
};

/** Host perf refused to create the event. */
const createFailed: Rule = {
  code: 'create-failed',
  judge({ window, run, difference }) {
    const { createFailed: failed, created } = window.happenings;
    if (failed.count > 0) {
      return finding(
        'create-failed',
        'proven',
        `Host perf refused to create the backing event${failed.count === 1 ? '' : ` ${failed.count} times`}: nothing counts behind this counter.`,
        failed.evidence,
        { amount: window.countingNs === 0 ? difference : null },
      );
    }
    if (run.kinds.has(EventKind.eventCreate) && (created.count > 0 || !standsStill(window, run))) {
      return excluded('create-failed', 'no creation failed');
    }
    return standsStill(window, run)
      ? undecided(
          'create-failed',
          'The counter stands still with open gates, and no record tells whether it has a backing event.',
          ['backing-events'],
          window.atRead === null ? [] : [window.atRead.seq],
        )
      : undefined;
  },
};

export const BACKING_RULES: readonly Rule[] = [
  counterContention,
  pinnedError,
  createFailed,
  ...SHARING_RULES,
];
