/** Calls of perf that were recorded and that the emulator has not asked for yet, by counter. Views of one buffer. */
export class EarlyCalls {
  /** 1: a pause. */
  readonly paused: Uint8Array;
  /** 1: a period change, 2: one that was refused; and the period. */
  readonly periodSet: Uint8Array;
  readonly period: BigUint64Array;
  /** 1: the period was not looked at since: it tells a value. */
  readonly periodTold: Uint8Array;
  /** 1: an enable. */
  readonly enabled: Uint8Array;

  constructor(period: BigUint64Array, flags: () => Uint8Array) {
    this.period = period;
    this.paused = flags();
    this.periodSet = flags();
    this.enabled = flags();
    this.periodTold = flags();
  }

  /** The emulator has asked, or what was recorded is taken over otherwise. */
  clear(counter: number): void {
    this.paused[counter] = 0;
    this.periodSet[counter] = 0;
    this.enabled[counter] = 0;
  }

  /** Records were lost. */
  forget(): void {
    this.paused.fill(0);
    this.periodSet.fill(0);
    this.enabled.fill(0);
    this.periodTold.fill(0);
  }
}
