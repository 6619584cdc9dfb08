import type { GuestWindow } from '../guest-windows/guest-window.ts';
import type { Judgement } from '../ledger/judgement.ts';
import { duration, evidenceOf, excluded, finding, percent, type Rule, share } from './rule.ts';

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
  );
}

/** The exits for PMU accesses as a share of the window. */
const observerCost: Rule = {
  code: 'observer-cost',
  judge({ window }) {
    const { pmuExits, pmuExitNs, guestNs, exitNs } = window.totals;
    const part = share(pmuExitNs, guestNs + exitNs);
    if (pmuExits === 0 || part < WORTH_SAYING) {
      const switches = contextSwitches(window);
      if (switches !== undefined) return switches;
    }
    if (pmuExits === 0) return undefined;
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
