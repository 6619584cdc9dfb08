import type { GuestWindow } from '../guest-windows/guest-window.ts';
import type { Judgement } from '../ledger/judgement.ts';
import {
  duration,
  evidenceOf,
  excluded,
  finding,
  percent,
  type Rule,
  type RunFacts,
  share,
  undecided,
} from './rule.ts';

/** Exits worth asking what they were for: a share of the running time, and how many. */
const MOSTLY_EXITS = 0.05;
const MANY_EXITS = 32;
/** Below this share of the window the cost of measuring is not worth a line. */
const WORTH_SAYING = 0.01;

/** With the mediated vPMU exits put and load the guest's PMU context. */
function contextSwitches({ happenings, totals }: GuestWindow): Judgement | undefined {
  const { contextLoad, contextPut } = happenings;
  const part = share(totals.exitNs, totals.guestNs + totals.exitNs);
  if (contextLoad.count === 0 || totals.exits === 0 || part < WORTH_SAYING) return undefined;
  if (contextLoad.count * 2 < totals.exits) return undefined;
  return finding(
    'observer-cost',
    'consistent',
    `${contextLoad.count} of ${totals.exits} exits put and loaded the guest's PMU context; exits took ${percent(part)} of the running time, how much of it for the PMU is not recorded.`,
    evidenceOf(contextPut, contextLoad),
    { missing: ['context-times'] },
  );
}

/** Exits that may be for the PMU, or for its context: which, the recording does not tell. */
function untold({ totals, happenings }: GuestWindow, run: RunFacts): Judgement | undefined {
  const { untoldExits, exits, exitNs, guestNs } = totals;
  if (share(exitNs, guestNs + exitNs) < MOSTLY_EXITS || exits < MANY_EXITS) return undefined;
  if (untoldExits * 2 > exits) {
    return undecided(
      'observer-cost',
      `${untoldExits} of ${exits} exits are for register accesses; which registers is not recorded.`,
      ['register-values'],
      happenings.exited.evidence,
    );
  }
  if (!run.mediated || happenings.contextLoad.count > 0) return undefined;
  return undecided(
    'observer-cost',
    `${exits} exits took ${percent(share(exitNs, guestNs + exitNs))} of the running time; whether they put and loaded the guest's PMU context is not recorded.`,
    ['guest-context'],
    happenings.exited.evidence,
  );
}

/** The exits for PMU accesses as a share of the window. */
const observerCost: Rule = {
  code: 'observer-cost',
  judge({ window, run }) {
    const { pmuExits, pmuExitNs, guestNs, exitNs } = window.totals;
    const part = share(pmuExitNs, guestNs + exitNs);
    if (pmuExits === 0 || part < WORTH_SAYING) {
      const switches = contextSwitches(window);
      const open = switches ?? untold(window, run);
      if (open !== undefined || pmuExits === 0) return open;
    }
    if (part < WORTH_SAYING) {
      return excluded('observer-cost', `PMU accesses take ${percent(part)} of the running time`);
    }
    return finding(
      'observer-cost',
      'proven',
      `${pmuExits} exits for PMU accesses took ${duration(pmuExitNs)}, ${percent(part)} of the running time.`,
      [window.fromSeq, window.toSeq],
    );
  },
};

export const STATE_RULES: readonly Rule[] = [observerCost];
