import { FIXED_BASE } from '../../arch/x86-bits.ts';
import type { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import type { FieldVisitor } from '../fields.ts';
import type { X86RecordedPerf } from './recorded-perf-x86.ts';
import { X86_COUNTER_NUMBERS } from './x86-limits.ts';

/** The value perf writes for its longest period, 2^47 − 1 (semantics B.6). */
export const LONGEST_START = 2 ** 47 + 1;
const WRAP = 2 ** 48;

/** Where the backing events of one vCPU are on the host's hardware counters (HardwareCounters), as far as is known. */
export class HardwarePlaces {
  /** By counter: place of the hardware counter its event is on, −1 none known; index it was on last. */
  readonly at = new Int32Array(X86_COUNTER_NUMBERS).fill(-1);
  readonly lastIndex = new Int8Array(X86_COUNTER_NUMBERS).fill(-1);
  /** Place of the hardware counter nobody owns that the host read since the exit, −1 none. */
  saw = -1;
  /** Where the hardware counter its event was taken off began and ended; since the exit: it was taken, started anew. */
  private readonly takenStart = new Float64Array(X86_COUNTER_NUMBERS);
  private readonly takenRaw = new Float64Array(X86_COUNTER_NUMBERS).fill(-1);
  /** Its sample period where the start showed it, 0 not known. */
  private readonly startedPeriod = new Float64Array(X86_COUNTER_NUMBERS);
  private readonly taken = new Uint8Array(X86_COUNTER_NUMBERS);
  private readonly reloaded = new Uint8Array(X86_COUNTER_NUMBERS);
  /** By counter: the selector with which it should run, −1 when it should not; valid while `selectorsFresh`. */
  private readonly selectors = new Float64Array(X86_COUNTER_NUMBERS);
  private selectorsFresh = false;
  private readonly pmu: X86Pmu;
  private readonly perf: X86RecordedPerf;
  private readonly overflowed: (counter: number) => void;

  /** `overflowed` is told of overflows that the hardware counters show. */
  constructor(pmu: X86Pmu, perf: X86RecordedPerf, overflowed: (counter: number) => void) {
    this.pmu = pmu;
    this.perf = perf;
    this.overflowed = overflowed;
  }

  /** Records were lost. */
  forget(): void {
    this.at.fill(-1);
    this.saw = -1;
    this.taken.fill(0);
    this.reloaded.fill(0);
    this.selectorsFresh = false;
  }

  /** What the counters are programmed for may have changed. */
  programChanged(): void {
    this.selectorsFresh = false;
  }

  /** The host's accesses to a hardware counter show the overflows of the counter's event. */
  tells(counter: number): boolean {
    return this.at[counter]! >= 0 || this.taken[counter] === 1;
  }

  /** Whose the fresh events are is decided, and the vCPU enters its guest: counts go on from here. */
  entered(): void {
    const { counters } = this.pmu;
    for (let k = 0; k < counters.length; k++) {
      const i = counters[k]!;
      if (this.at[i]! >= 0) this.perf.hardwareAnchor(i);
      this.reloaded[i] = 0;
      this.taken[i] = 0;
    }
  }

  /** The selector (host bits apart) with which counter `i` runs or will at the next entry; −1: it does not, or not known. */
  runningSelector(i: number): number {
    if (!this.selectorsFresh) {
      const { counters } = this.pmu;
      for (let k = 0; k < counters.length; k++) {
        const counter = counters[k]!;
        this.selectors[counter] = counter < FIXED_BASE ? this.pmu.runningSelector(counter) : -1;
      }
      this.selectorsFresh = true;
    }
    return this.selectors[i]!;
  }

  /** perf can have started the event of counter `i`, as it is programmed now, at `start`. */
  fitsStart(i: number, start: number): boolean {
    if (start < LONGEST_START) return false;
    // One that KVM left alone goes on where it was taken off.
    if (start === this.takenRaw[i] && start > LONGEST_START) return true;
    // A counter written while it runs gets a period that is not what it lacks (semantics B.5).
    const folded = this.pmu.foldedValue(i);
    if (folded < 0 || start === Math.max(folded, LONGEST_START)) return true;
    const { period } = this.pmu.counterView(i);
    if (period === undefined) return true;
    return start === Math.max(Number(BigInt.asUintN(48, -period)), LONGEST_START);
  }

  /** The event of counter `i` was taken off the hardware counter on which it was started at `start`, which held `raw`. */
  take(i: number, start: number, raw: number): void {
    this.takenStart[i] = start;
    this.takenRaw[i] = raw;
    this.taken[i] = 1;
  }

  /** The event of counter `i` was put on a hardware counter at `start`: minus its period, unless it went on from before. */
  put(i: number, start: number): void {
    if (start !== this.takenRaw[i]) {
      this.startedPeriod[i] = start > LONGEST_START ? WRAP - start : 0;
    }
  }

  /** The overflow handler wrote the hardware counter anew: an overflow of the event, if its period is over. */
  reload(i: number): void {
    this.reloaded[i] = 1;
    if (this.pmu.overflowDue(i)) this.overflowed(i);
  }

  /**
   * perf.data holds no record of the overflow handler, which starts the counter anew: after an NMI, an event that KVM
   * programmed anew (it did not go on where it was taken off) has counted a whole period more than the counter shows.
   * `restartOf` says where the event of a counter was put since the exit, negative: not, or not known.
   */
  findOverflows(restartOf: (counter: number) => number): void {
    for (const i of this.pmu.counters) {
      if (this.taken[i] === 0 || this.reloaded[i] === 1 || this.takenStart[i]! <= LONGEST_START) {
        continue;
      }
      const start = restartOf(i);
      if (start < 0 || start === this.takenRaw[i]) continue;
      // The handler starts the counter a whole period before its next overflow.
      const period = this.pmu.counterView(i).period ?? BigInt(this.startedPeriod[i]!);
      if (period === 0n) continue;
      this.perf.missed(i, period);
      this.overflowed(i);
    }
  }

  fields(visitor: FieldVisitor): void {
    this.saw = visitor.number(this.saw);
    for (let i = 0; i < X86_COUNTER_NUMBERS; i++) {
      this.at[i] = visitor.number(this.at[i]!);
      this.lastIndex[i] = visitor.number(this.lastIndex[i]!);
      this.takenStart[i] = visitor.number(this.takenStart[i]!);
      this.takenRaw[i] = visitor.number(this.takenRaw[i]!);
      this.startedPeriod[i] = visitor.number(this.startedPeriod[i]!);
      this.taken[i] = visitor.number(this.taken[i]!);
      this.reloaded[i] = visitor.number(this.reloaded[i]!);
    }
    this.selectorsFresh = false;
  }
}
