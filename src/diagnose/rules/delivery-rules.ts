import { EventKind } from '../../domain/event-kind.ts';
import { exactly, isExact } from '../ledger/amount.ts';
import {
  countedByKvm,
  interruptedUnwrapped,
  isCycles,
  narrowWrite,
  passedEnd,
  STORM,
} from './facts.ts';
import { stalePeriodProof } from './period-rules.ts';
import {
  type Compared,
  evidenceOf,
  excluded,
  finding,
  olderThan,
  type Rule,
  undecided,
} from './rule.ts';

/** A second NMI whose handler finds nothing. */
const pmiSpurious: Rule = {
  code: 'pmi-spurious',
  judge({ window, run }) {
    const { interruptTwice, statusEmpty } = window.records;
    // The line of arm64 is a level: told twice it is still one interrupt.
    if (run.arch !== 'x86' || interruptTwice.count === 0) return undefined;
    if (statusEmpty.count === 0) {
      return undecided(
        'pmi-spurious',
        'two NMIs were given at one entry; what the handlers read of the status is not recorded',
        ['register-values'],
        interruptTwice.evidence,
      );
    }
    return finding(
      'pmi-spurious',
      'proven',
      'Two NMIs were given at one entry, and the handler of the second found no overflow status.',
      evidenceOf(interruptTwice, statusEmpty),
      { integerProof: true },
    );
  },
};

/** What kept an interrupt from the guest, if records show it. */
function blocked({
  window,
  run,
}: Compared): { text: string; evidence: readonly number[] } | undefined {
  const { overflow, interrupt } = window.happenings;
  const { interruptMissing, lastInterrupt, lastLvtpc } = window.records;
  if (run.marks.userIrqchip > 0 && overflow.count > 0 && interrupt.count === 0) {
    return {
      text: 'The VMM emulates the interrupt controller: KVM has no local APIC to give the interrupt to.',
      evidence: [run.marks.userIrqchip, ...overflow.evidence],
    };
  }
  if (
    interruptMissing.count > 0 &&
    lastInterrupt > 0 &&
    lastLvtpc > 0 &&
    lastLvtpc < lastInterrupt
  ) {
    return {
      text: 'The first interrupt masked LVTPC and the guest never wrote it again: no interrupt since.',
      evidence: [lastLvtpc, lastInterrupt, ...evidenceOf(overflow, interruptMissing)],
    };
  }
  const off = window.gates.some(({ gate }) => gate.includes('PMCNTEN bit is 0'));
  if (
    run.arch === 'arm64' &&
    interruptMissing.count > 0 &&
    off &&
    olderThan(run, 6, 13) !== false
  ) {
    return {
      text: 'Overflow status and interrupt enable are set, and the line stays low: KVM also asks for the PMCNTEN bit, which the architecture does not.',
      evidence: [...window.records.statusSet.evidence, ...interruptMissing.evidence],
    };
  }
  const stale = stalePeriodProof(window, run);
  return stale === undefined || interrupt.count > 0 ? undefined : stale;
}

/** An overflow without an interrupt. */
const pmiLost: Rule = {
  code: 'pmi-lost',
  judge(compared) {
    const { window, run } = compared;
    const { overflow, interrupt } = window.happenings;
    const { interruptEnable, interruptMissing, wraps } = window.records;
    const due = overflow.count > 0 || interruptMissing.count > 0 || passedEnd(window);
    const told = run.kinds.has(EventKind.interruptAccept) || run.kinds.has(EventKind.irqLevel);
    if (!due) {
      const { statusSet, statusCleared } = window.records;
      return interruptEnable === true && statusSet.count > statusCleared.count && !told
        ? undecided(
            'pmi-lost',
            'The guest set the overflow status of a counter whose interrupt it enabled; interrupts are not recorded.',
            ['interrupts'],
            statusSet.evidence,
          )
        : undefined;
    }
    if (interruptEnable === false)
      return excluded('pmi-lost', 'the guest did not ask for an interrupt');
    const why = blocked(compared);
    if (why !== undefined) {
      const stale = stalePeriodProof(window, run);
      const because = stale === undefined ? [] : [{ code: 'stale-period' as const, ...stale }];
      return finding('pmi-lost', 'proven', why.text, why.evidence, { because });
    }
    if (interruptMissing.count > 0 || (told && wraps > interrupt.count + 1)) {
      return finding(
        'pmi-lost',
        'consistent',
        `${wraps} overflows, ${interrupt.count} interrupts; what blocked the others is not recorded.`,
        evidenceOf(overflow, interruptMissing),
        { missing: ['interrupts', 'register-values'] },
      );
    }
    const last = window.records.overflowCounts.at(-1);
    const came = last === undefined || last.seq > window.records.lastEntry || interrupt.count > 0;
    if (run.kinds.has(EventKind.interruptAccept) && !came && window.records.lastLvtpc === 0) {
      return undecided(
        'pmi-lost',
        'an overflow was followed by an entry without an interrupt; whether LVTPC was masked is not recorded',
        ['lvtpc'],
        overflow.evidence,
      );
    }
    if (interrupt.count > 0) {
      return excluded('pmi-lost', 'an interrupt came with the overflow', interrupt.evidence);
    }
    if (!told && overflow.count > 1) {
      return undecided(
        'pmi-lost',
        `${overflow.count} overflows; interrupts are not recorded`,
        ['interrupts'],
        overflow.evidence,
      );
    }
    return undefined;
  },
};

/** Interrupt after interrupt, each after a write and without a wrap. */
const pmiStorm: Rule = {
  code: 'pmi-storm',
  judge({ window }) {
    const { stormLength, opening } = window.records;
    const narrow = narrowWrite(window);
    if (stormLength < STORM) {
      return interruptedUnwrapped(window)
        ? undecided(
            'pmi-storm',
            `${window.happenings.interrupt.count} interrupts came without a wrap; whether the counter was written after each is not recorded.`,
            ['register-values'],
            window.happenings.interrupt.evidence,
          )
        : undefined;
    }
    return finding(
      'pmi-storm',
      narrow === undefined ? 'consistent' : 'proven',
      `${stormLength} times in a row the counter was written, an interrupt came without a wrap, and it was written again.`,
      [opening.seq, ...window.happenings.interrupt.evidence],
      { missing: narrow === undefined ? ['register-values'] : [] },
    );
  },
};

/** More events an interrupt than this are something else. */
const MOST_ADDED = 16n;
/** A constant needs this many interrupts to be one. */
const ENOUGH = 3;

/** Each interrupt adds a constant number of events. */
const pmiOvercount: Rule = {
  code: 'pmi-overcount',
  judge(compared) {
    const { window, run, difference, basis } = compared;
    const { interrupt, overflow } = window.happenings;
    if (difference === null || !isExact(difference) || basis === 'GH') return undefined;
    if (interrupt.count === 0) {
      const told = run.kinds.has(EventKind.interruptAccept) || run.kinds.has(EventKind.irqLevel);
      const each = overflow.count === 0 ? 0n : difference.low / BigInt(overflow.count);
      return told || each <= 0n || each > MOST_ADDED
        ? undefined
        : undecided(
            'pmi-overcount',
            `The guest counted ${difference.low} more than the host, with ${overflow.count} overflows; the interrupts are not recorded.`,
            ['interrupts'],
            overflow.evidence,
          );
    }
    if (difference.low <= 0n)
      return excluded('pmi-overcount', 'the guest did not count more', interrupt.evidence);
    const n = BigInt(interrupt.count);
    if (difference.low % n !== 0n || difference.low / n > MOST_ADDED) {
      return excluded(
        'pmi-overcount',
        'the excess is no small multiple of the interrupts',
        interrupt.evidence,
      );
    }
    if (countedByKvm(compared) !== undefined) return undefined;
    const proven = interrupt.count >= ENOUGH;
    return finding(
      'pmi-overcount',
      proven ? 'proven' : 'consistent',
      `The guest counted ${difference.low / n} more than the host for each of its ${n} interrupts.`,
      interrupt.evidence,
      {
        amount: exactly(difference.low),
        integerProof: true,
        missing: proven ? [] : ['interrupts'],
      },
    );
  },
};

/** Events between overflow and handler that are more than the usual skid. */
const MUCH = 10_000n;

/** The interrupt came late, the count is right. Cycles always go on until the handler runs. */
const pmiSkid: Rule = {
  code: 'pmi-skid',
  judge({ window, run, difference }) {
    if (isCycles(window, run)) return undefined;
    const { interrupt, overflow } = window.happenings;
    const { readings, wraps, lastInterrupt, overflowCounts } = window.records;
    if (interrupt.count === 0 || wraps === 0) return undefined;
    const again = overflowCounts.some(({ seq }) => seq > lastInterrupt);
    const at = again ? undefined : readings.find(({ seq }) => seq > lastInterrupt);
    if (at === undefined) return undefined;
    if (at.value <= MUCH)
      return excluded('pmi-skid', `the handler found ${at.value} events after the wrap`, [at.seq]);
    if (at.value >> BigInt(window.width - 1) !== 0n) return undefined;
    const text = `The handler found ${at.value} events after the wrap`;
    const evidence = [...overflow.evidence, ...interrupt.evidence, at.seq];
    // Late is one thing; that the count is right is what tells skid from an overcount.
    if (difference === null || !isExact(difference)) {
      return undecided('pmi-skid', text, ['host-counts'], evidence);
    }
    if (difference.low !== 0n) return undefined;
    return finding('pmi-skid', 'proven', `${text}; the count is that of the host.`, evidence);
  },
};

export const DELIVERY_RULES: readonly Rule[] = [
  pmiSpurious,
  pmiLost,
  pmiStorm,
  pmiOvercount,
  pmiSkid,
];
