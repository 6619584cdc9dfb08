import { sameEvent } from '../compare.ts';
import type { HostSpan } from '../guest-windows/guest-window.ts';
import { isExact } from '../ledger/amount.ts';
import type { Judgement } from '../ledger/judgement.ts';
import {
  type Compared,
  excluded,
  finding,
  olderThan,
  percent,
  type Rule,
  undecided,
} from './rule.ts';

/** The host's count of the guest in user mode over the compared span, where it is just what the guest lacks. */
function userPart({ window, host, difference, run }: Compared): HostSpan | undefined {
  if (difference === null || host === null || !isExact(difference)) return undefined;
  return window.hosts.find(
    (span) =>
      span.modes === 'G' &&
      span.filter?.kernel === true &&
      !span.filter.user &&
      sameEvent(window, span, run) &&
      isExact(span.guest) &&
      isExact(host.guest) &&
      span.guest.low === host.guest.low &&
      span.host > 0n &&
      span.host === -difference.low,
  );
}

/** A kernel with the fault, a new event that had its counter all the time, and the guest counts less: was it restored? */
function restoreUnseen({ window, run, difference, basis }: Compared): Judgement | undefined {
  if (olderThan(run, 6, 3) !== true || difference === null || difference.high >= 0n)
    return undefined;
  if (basis !== 'G' && basis !== 'GH-H') return undefined;
  const { created, placementRefused, errorState, stoodStill } = window.happenings;
  if (created.count === 0 || window.gates.some(({ guestNs }) => guestNs > 0)) return undefined;
  if (placementRefused.count + errorState.count + stoodStill.count > 0) return undefined;
  return undecided(
    'migration-gap',
    'The guest counts less than the host from the creation of its event on, as after a restore on this kernel; saves and restores are not recorded.',
    ['vmm-marks'],
    created.evidence,
  );
}

/** Bit U of a type register: EL0 is not counted. */
const TYPE_U = 1n << 30n;

/** EL0 is not counted after a restore until the thread is switched. */
export const migrationGap: Rule = {
  code: 'migration-gap',
  judge(compared) {
    const { window, run, difference, host } = compared;
    const { restoredAt, switchedAfterRestore, selector } = window.records;
    if (run.arch !== 'arm64' || restoredAt > window.toSeq) return undefined;
    if (selector !== null && (selector.value & TYPE_U) !== 0n) return undefined;
    if (restoredAt === 0) return restoreUnseen(compared);
    if (olderThan(run, 6, 3) === false)
      return excluded('migration-gap', 'the host kernel counts from the first load on', [
        restoredAt,
      ]);
    if (difference === null || host === null || difference.high >= 0n) return undefined;
    const evidence = [
      restoredAt,
      ...(switchedAfterRestore > 0 ? [switchedAfterRestore] : []),
      host.toSeq,
    ];
    const user = userPart(compared);
    if (user !== undefined && run.kernel !== undefined) {
      return finding(
        'migration-gap',
        'proven',
        `From the restore on the guest lacks ${user.host}, which is all the host counted of it in user mode: EL0 is not counted until the thread is switched.`,
        [...evidence, user.toSeq],
        { amount: difference, integerProof: true },
      );
    }
    return finding(
      'migration-gap',
      'consistent',
      `The guest counted ${percent(Number(-difference.high) / Math.max(1, Number(host.host)))} less than the host from the restore on${switchedAfterRestore > 0 ? ', before the thread was switched' : ''}: user mode is not counted until then.`,
      evidence,
      { amount: difference, missing: ['host-counts'] },
    );
  },
};
