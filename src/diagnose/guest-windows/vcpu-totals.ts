import { ExitTrait, exitTraits } from './exit-traits.ts';

/** Names of the running sums; times in ns. */
export const TOTALS = [
  'entries',
  'exits',
  /** In guest mode (where entries are not recorded: perhaps in it). */
  'guestNs',
  /** On a CPU between an exit and the next entry. */
  'exitNs',
  /** The thread was off its CPU. */
  'offNs',
  'switchesOut',
  /** Part of it in which the thread could have run: somebody else had the CPU. */
  'stolenNs',
  'preemptions',
  /** Gaps that began with a halt and were not switched out: the host polled. */
  'pollNs',
  'polls',
  /** Exits for which KVM emulates or skips an instruction (x86). */
  'emulatedExits',
  /** Exits for accesses to PMU registers, and their time until the next entry. */
  'pmuExits',
  'pmuExitNs',
  /** Exits for an MSR or RDPMC (x86) of which no access is recorded. */
  'untoldExits',
  /** Exits with which a guest enters its own guest. */
  'nestedExits',
  /** Exits for a halt, and those whose reason is recorded. */
  'haltExits',
  'namedExits',
  'overflows',
  'interrupts',
  'creates',
  'releases',
] as const;

export type Total = (typeof TOTALS)[number];
export type Totals = { [name in Total]: number };

/** Members written out: all have one shape, which makes looking at them cheap. */
function noTotals(): Totals {
  return {
    entries: 0,
    exits: 0,
    guestNs: 0,
    exitNs: 0,
    offNs: 0,
    switchesOut: 0,
    stolenNs: 0,
    preemptions: 0,
    pollNs: 0,
    polls: 0,
    emulatedExits: 0,
    pmuExits: 0,
    pmuExitNs: 0,
    untoldExits: 0,
    nestedExits: 0,
    haltExits: 0,
    namedExits: 0,
    overflows: 0,
    interrupts: 0,
    creates: 0,
    releases: 0,
  };
}

export function copyTotals(from: Totals): Totals {
  const sums = noTotals();
  for (const name of TOTALS) sums[name] = from[name];
  return sums;
}

/** Where one vCPU's time went, as running sums: the difference of two copies is a span. */
export class VcpuTotals {
  readonly sums: Totals = noTotals();
  /** A record was seen that tells the mode: before it nothing is summed. */
  private begun = false;
  private inGuest = false;
  private offCpu = false;
  private runnable = false;
  private since = 0;
  /** Of the present gap between exit and entry. */
  private gapSince = 0;
  private offBefore = 0;
  private halted = false;
  private touchedPmu = false;
  private untold = false;
  private wasOff = false;

  copy(): Totals {
    return copyTotals(this.sums);
  }

  /** Adds the time up to `now` (ns on any axis). */
  upTo(now: number): void {
    const passed = Math.max(0, now - this.since);
    if (this.begun) {
      if (this.offCpu) {
        this.sums.offNs += passed;
        if (this.runnable) this.sums.stolenNs += passed;
      } else if (!this.inGuest) this.sums.exitNs += passed;
    }
    this.since = Math.max(now, this.since);
  }

  enter(now: number): void {
    this.upTo(now);
    if (this.begun && !this.inGuest) this.closeGap(now);
    this.begun = true;
    this.inGuest = true;
    this.offCpu = false;
    this.sums.entries++;
  }

  exit(now: number, code: number): void {
    this.upTo(now);
    this.begun = true;
    this.inGuest = false;
    this.gapSince = now;
    this.offBefore = this.sums.offNs;
    this.touchedPmu = false;
    this.wasOff = false;
    this.sums.exits++;
    const traits = exitTraits(code);
    this.halted = (traits & ExitTrait.halt) !== 0;
    this.untold = (traits & ExitTrait.access) !== 0;
    if ((traits & ExitTrait.emulated) !== 0) this.sums.emulatedExits++;
    if ((traits & ExitTrait.nested) !== 0) this.sums.nestedExits++;
    if (this.halted) this.sums.haltExits++;
    if (code !== 0) this.sums.namedExits++;
  }

  /** The thread is off its CPU and could run. */
  get stolen(): boolean {
    return this.offCpu && this.runnable;
  }

  /** The present gap began with a halt. */
  get inHalt(): boolean {
    return this.halted && !this.inGuest;
  }

  /** An access is recorded, of whatever register. */
  accessed(): void {
    this.untold = false;
  }

  /** The guest accessed a PMU register: its exit is the present gap. */
  pmuAccess(): void {
    this.touchedPmu = true;
  }

  /** The thread leaves its CPU; `runnable`: not of its own will (it did not go to sleep). */
  out(now: number, runnable: boolean): void {
    this.upTo(now);
    this.runnable = runnable;
    if (runnable) this.sums.preemptions++;
    this.begun = true;
    this.offCpu = true;
    this.wasOff = true;
    this.sums.switchesOut++;
  }

  in(now: number): void {
    this.upTo(now);
    this.begun = true;
    this.offCpu = false;
  }

  private closeGap(now: number): void {
    const ns = now - this.gapSince;
    if (this.halted && !this.wasOff) {
      this.sums.pollNs += ns;
      this.sums.polls++;
    }
    if (this.untold) this.sums.untoldExits++;
    if (this.touchedPmu) {
      this.sums.pmuExits++;
      this.sums.pmuExitNs += ns - (this.sums.offNs - this.offBefore);
    }
  }
}

/** What was summed between two copies. */
export function between(from: Totals, to: Totals): Totals {
  const sums = noTotals();
  for (const name of TOTALS) sums[name] = to[name] - from[name];
  return sums;
}
