import { exactly, isExact } from '../ledger/amount.ts';
import type { Judgement } from '../ledger/judgement.ts';
import { againstProgram, countedByKvm, countsEmulated, firstJump, INSTRUCTIONS } from './facts.ts';
import {
  type Compared,
  evidenceOf,
  excluded,
  finding,
  olderThan,
  type Rule,
  undecided,
} from './rule.ts';

const DENIED = /^denied by the event filter/;

/** A filtered counter holds just the instructions KVM emulated. */
const emulatedLeak: Rule = {
  code: 'emulated-leak',
  judge({ window, run }) {
    const { filter } = run.marks;
    const { emulatedOn } = window.records;
    const { guest } = window;
    const denied =
      filter !== null && window.event !== undefined
        ? filter.events.includes(BigInt(window.event)) === filter.deny
        : window.gates.some(({ gate }) => DENIED.test(gate));
    if (!denied || !countsEmulated(window, run)) return undefined;
    if (guest === null || !isExact(guest)) return undefined;
    if (guest.low === 0n) return excluded('emulated-leak', 'the filtered counter stood still');
    if (guest.low !== BigInt(emulatedOn.count)) {
      return excluded(
        'emulated-leak',
        `it moved by ${guest.low}, and ${emulatedOn.count} instructions were emulated`,
        emulatedOn.evidence,
      );
    }
    return finding(
      'emulated-leak',
      'proven',
      `The filtered counter moved by ${guest.low}: the ${emulatedOn.count} exits whose instruction KVM emulated while it was on.`,
      evidenceOf(emulatedOn),
      { amount: guest, integerProof: true },
    );
  },
};

/** The gap to what the rules expect is the number of emulated instructions. */
const emulatedUncounted: Rule = {
  code: 'emulated-uncounted',
  judge(compared) {
    const { window, run, difference } = compared;
    const { emulatedOn } = window.records;
    if (emulatedOn.count === 0 || !countsEmulated(window, run)) return undefined;
    const older = olderThan(run, 5, 17);
    if (older === false) return excluded('emulated-uncounted', 'the host kernel counts them');
    const jump = firstJump(window);
    const n = BigInt(emulatedOn.count);
    // Where the events are only bounded from below, the least the rules allow is the number of events plus n.
    const gap = jump !== undefined && jump.by.high === -n;
    const alike =
      older === true && difference !== null && isExact(difference) && difference.low === 0n;
    if (!gap && !alike) {
      const unread = older === true && window.reads === 0;
      return unread
        ? undecided(
            'emulated-uncounted',
            `KVM emulated ${n} instructions while the counter was on, and this kernel does not count them; no read of the counter is recorded.`,
            ['register-values'],
            emulatedOn.evidence,
          )
        : undefined;
    }
    const evidence = [...evidenceOf(emulatedOn), ...(gap ? [jump.seq] : [])];
    return finding(
      'emulated-uncounted',
      older === true ? 'proven' : 'consistent',
      `KVM emulated ${n} instructions while the counter was on, and it lacks just as many.`,
      evidence,
      {
        amount: againstProgram(compared, exactly(-n)),
        integerProof: true,
        missing: older === true ? [] : ['host-kernel'],
      },
    );
  },
};

/** The excess is no more than the exits whose reason is not recorded. */
function reasonsUntold({ window, run, basis, host, difference }: Compared): Judgement | undefined {
  if (difference === null || host === null || difference.low <= 0n) return undefined;
  if (basis !== 'G' && basis !== 'GH-H') return undefined;
  if (run.arch !== 'x86' || window.event !== INSTRUCTIONS) return undefined;
  if (olderThan(run, 5, 17) === true) return undefined;
  const { exits, namedExits, emulatedExits } = host.totals ?? window.totals;
  const most = emulatedExits + exits - namedExits;
  if (exits === namedExits || difference.high > BigInt(most)) return undefined;
  return undecided(
    'emulated-counted',
    `The guest counts ${difference.low} more than the host's guest mode, in ${exits} exits; why the guest left in ${exits - namedExits} of them is not recorded.`,
    ['entries', 'emulations'],
    [host.fromSeq, host.toSeq],
  );
}

/** The guest has more than the host's guest mode: what KVM emulated and counted itself. */
const emulatedCounted: Rule = {
  code: 'emulated-counted',
  judge(compared) {
    const { window, run, host, difference } = compared;
    const counted = countedByKvm(compared);
    if (host === null || difference === null) return undefined;
    if (counted === undefined) return reasonsUntold(compared);
    const { exits, all } = counted;
    const told = run.kernel !== undefined;
    const proven = all && told;
    const how = all ? 'just as many' : `${difference.low}, about as many,`;
    return finding(
      'emulated-counted',
      proven ? 'proven' : 'consistent',
      `KVM emulated the instruction of ${exits} exits in the span, and the guest has ${how} beyond the host's count of guest mode: KVM adds them to the guest's counter, no host event sees them.`,
      [host.fromSeq, host.toSeq, ...window.records.emulatedOn.evidence],
      {
        amount: difference,
        integerProof: true,
        missing: proven ? [] : told ? ['emulations'] : ['host-kernel'],
      },
    );
  },
};

/** A wrap made by an emulated instruction came twice. */
const emulatedOverflow: Rule = {
  code: 'emulated-overflow',
  judge({ window, run }) {
    const { emulatedOn, interruptTwice, wraps } = window.records;
    if (interruptTwice.count === 0 || wraps > 1) return undefined;
    if (!countsEmulated(window, run)) return undefined;
    if (olderThan(run, 5, 17) === true)
      return excluded('emulated-overflow', 'the host kernel does not count emulated instructions');
    if (olderThan(run, 6, 8) === false)
      return excluded('emulated-overflow', 'the host kernel has the fix');
    if (emulatedOn.count === 0) {
      return window.totals.namedExits > 0
        ? excluded('emulated-overflow', 'no instruction was emulated while it was on')
        : undecided(
            'emulated-overflow',
            'Two interrupts were given for one wrap; whether KVM emulated an instruction before them is not recorded.',
            ['entries'],
            interruptTwice.evidence,
          );
    }
    return finding(
      'emulated-overflow',
      run.kernel === undefined ? 'consistent' : 'proven',
      'Two interrupts were given for one wrap, with an instruction KVM emulated before.',
      evidenceOf(emulatedOn, interruptTwice),
      { integerProof: true, missing: run.kernel === undefined ? ['host-kernel'] : [] },
    );
  },
};

export const EMULATED_RULES: readonly Rule[] = [
  emulatedLeak,
  emulatedUncounted,
  emulatedCounted,
  emulatedOverflow,
];
