import type { GuestWindow } from '../guest-windows/guest-window.ts';
import { type Amount, exactly, isExact, minus, plus } from '../ledger/amount.ts';
import {
  evenPerExit,
  firstJump,
  hex,
  interruptedUnwrapped,
  narrowWrite,
  powerOfTwo,
  STORM,
} from './facts.ts';
import { evidenceOf, excluded, finding, type Rule, undecided } from './rule.ts';

const CYCLES = 31;
const SW_INCR = 0;
const PMCR_P = 2n;
const PMCR_C = 4n;

/** A read of the low half while the counter held more; undefined: there is none. */
function halfRead({
  records,
}: GuestWindow): { low: number; full: number } | 'no value' | undefined {
  const low = records.readings.find((reading) => reading.low32);
  if (low === undefined && records.lowHalfUntold > 0) return 'no value';
  const full = records.readings.find(({ low32, value }) => !low32 && value >> 32n !== 0n);
  if (low === undefined || full === undefined || low.value >> 32n !== 0n) return undefined;
  return { low: low.seq, full: full.seq };
}

/** Bits above a width were lost or gained. */
const widthTruncation: Rule = {
  code: 'width-truncation',
  judge(compared) {
    const { window, difference } = compared;
    const write = narrowWrite(window);
    const { stormLength, opening } = window.records;
    if (write !== undefined && stormLength >= STORM) {
      return finding(
        'width-truncation',
        'proven',
        `${hex(write.value)} was written in the 32-bit form, which extends it by its sign beyond the ${window.width} bits of the counter; interrupts come without a wrap since.`,
        [write.seq, ...window.happenings.interrupt.evidence],
      );
    }
    if (write !== undefined && interruptedUnwrapped(window)) {
      return undecided(
        'width-truncation',
        `${hex(write.value)} was written in the 32-bit form, and ${window.happenings.interrupt.count} interrupts came without a wrap; whether they made the guest write it again is not recorded.`,
        ['register-values'],
        [write.seq, ...window.happenings.interrupt.evidence],
      );
    }
    const half = halfRead(window);
    if (half === 'no value') {
      return undecided(
        'width-truncation',
        'RDPMC was used with bit 31 of its index, which returns the low 32 bits; what it returned is not recorded.',
        ['rdpmc-values'],
        [window.records.lowHalfUntold],
      );
    }
    if (half !== undefined) {
      return finding(
        'width-truncation',
        'proven',
        'RDPMC with bit 31 of its index returned the low 32 bits of a larger value.',
        [half.low, half.full],
      );
    }
    const off = difference ?? firstJump(window)?.by;
    const k = off === undefined ? undefined : powerOfTwo(off);
    if (off === undefined) return undefined;
    if (k === undefined)
      return excluded('width-truncation', 'the difference is not near a power of two');
    if (evenPerExit(compared)) {
      return excluded('width-truncation', 'the difference grew evenly with the exits');
    }
    const amount = exactly((off.low < 0n ? -1n : 1n) << k);
    const jump = firstJump(window);
    const proven = write !== undefined && jump !== undefined;
    return finding(
      'width-truncation',
      proven ? 'proven' : 'consistent',
      `The guest's number is off by 2^${k}.`,
      [opening.seq, jump?.seq ?? window.toSeq],
      { amount, missing: proven ? [] : ['register-values'] },
    );
  },
};

/** recorded − (written + what was counted since), for a write of a running counter. */
export function liveTwice({
  records,
}: GuestWindow): { seq: number; by: Amount; live: Amount } | undefined {
  const { opening, contradicted } = records;
  const first = contradicted[0];
  const { live, before, write, by } = opening;
  if (first === undefined || live === null || write === null || live.low === 0n) return undefined;
  if (by !== 'counter-write' && by !== 'vmm') return undefined;
  // The replay of arm64 does not take values of the VMM: shift its prediction to what was written.
  const shift = by === 'vmm' && before !== null ? minus(exactly(write.value), before) : exactly(0n);
  const predicted = plus(first.predicted, shift);
  const off = minus({ low: first.recorded, high: first.recorded }, predicted);
  if (off.high < live.low || off.low > live.high) return undefined;
  return { seq: first.seq, by: off, live };
}

/** A running counter was written, and a read after it gives the written value plus what had been counted before. */
const writeWhileRunning: Rule = {
  code: 'write-while-running',
  judge(compared) {
    const { window, difference } = compared;
    const { opening } = window.records;
    if (opening.by !== 'counter-write' && opening.by !== 'vmm') return undefined;
    const twice = liveTwice(window);
    if (twice === undefined) {
      return opening.by === 'counter-write' && opening.wasCounting && window.reads > 0
        ? excluded(
            'write-while-running',
            'reads after the write of the running counter are right',
            [opening.seq],
          )
        : undefined;
    }
    return finding(
      'write-while-running',
      'proven',
      `The counter was written while its event ran; the next read is the written value plus ${twice.live.low} events that had been counted before it.`,
      [opening.seq, twice.seq],
      { amount: difference ?? twice.by, integerProof: true },
    );
  },
};

/** PMCR.P zeroed the cycle counter. */
const resetSideEffect: Rule = {
  code: 'reset-side-effect',
  judge({ window, run }) {
    const { opening } = window.records;
    const value = opening.write?.value ?? 0n;
    if (run.arch !== 'arm64' || opening.by !== 'reset-bit' || window.counter !== CYCLES)
      return undefined;
    if ((value & PMCR_P) === 0n) return undefined;
    if ((value & PMCR_C) !== 0n)
      return excluded('reset-side-effect', 'PMCR.C was set too', [opening.seq]);
    const jump = firstJump(window);
    if (jump === undefined) {
      if (window.reads > 0)
        return excluded('reset-side-effect', 'the cycle counter went on', [opening.seq]);
      return undecided(
        'reset-side-effect',
        'PMCR.P was written without C',
        ['register-values'],
        [opening.seq],
      );
    }
    if (jump.by.high >= 0n) return undefined;
    return finding(
      'reset-side-effect',
      'proven',
      'PMCR.P, which resets the event counters alone, zeroed the cycle counter too.',
      [opening.seq, jump.seq],
      { amount: jump.by },
    );
  },
};

/** The even counter of a CHAIN pair wrapped and its overflow flag is not set. */
const chainSemantics: Rule = {
  code: 'chain-semantics',
  judge({ window, run }) {
    const { chained, statusReads, statusCleared, overflowBits, wraps } = window.records;
    if (run.arch !== 'arm64' || !chained || window.counter % 2 === 1) return undefined;
    const { startValue, endValue } = window;
    const size = 1n << BigInt(overflowBits ?? window.width);
    const around =
      startValue !== null && endValue !== null && endValue.high % size < startValue.low % size;
    if (!around && wraps === 0) return excluded('chain-semantics', 'the even counter did not wrap');
    const last = statusReads.at(-1);
    if (last === undefined) {
      return undecided(
        'chain-semantics',
        'the even counter of a CHAIN pair wrapped',
        ['register-values'],
        [window.toSeq],
      );
    }
    if (last.set || statusCleared.count > 0) {
      return excluded('chain-semantics', 'its overflow flag was set', [last.seq]);
    }
    return finding(
      'chain-semantics',
      'proven',
      'The even counter of the CHAIN pair wrapped, and its bit in PMOVS is 0: the architecture sets it.',
      [last.seq, window.lastRead],
    );
  },
};

/** PMSWINC counted while PMCR.E was 0. */
const swincSemantics: Rule = {
  code: 'swinc-semantics',
  judge({ window, run }) {
    const { incrementsOff } = window.records;
    if (run.arch !== 'arm64' || window.event !== SW_INCR || incrementsOff.count === 0)
      return undefined;
    const jump = firstJump(window);
    const n = BigInt(incrementsOff.count);
    if (jump !== undefined && isExact(jump.by) && jump.by.low === n) {
      return finding(
        'swinc-semantics',
        'proven',
        `PMSWINC was written ${n} times while PMCR.E was 0, and the counter moved by as much.`,
        [...evidenceOf(incrementsOff), jump.seq],
        { amount: exactly(n), integerProof: true },
      );
    }
    if (window.reads > 0) {
      return excluded(
        'swinc-semantics',
        'increments with PMCR.E = 0 did not count',
        incrementsOff.evidence,
      );
    }
    return undecided(
      'swinc-semantics',
      'PMSWINC was written while PMCR.E was 0',
      ['register-values'],
      incrementsOff.evidence,
    );
  },
};

export const VALUE_RULES: readonly Rule[] = [
  widthTruncation,
  writeWhileRunning,
  resetSideEffect,
  chainSemantics,
  swincSemantics,
];
