import type { BackingAttr, EventState, HostPerf } from '../../src/emulator/host-perf.ts';

/** A perf call as the vectors print it. */
export interface PerfCall {
  call: 'create' | 'enable' | 'disable' | 'release';
  pmc: number;
  config?: string;
  config1?: string;
  period?: string;
  xu?: number;
  xk?: number;
  /** perf's type, where it is not RAW; exclude_hv, where it is not set. */
  type?: 'hardware' | 'hw-cache';
  xhv?: number;
  disabled?: number;
  state?: EventState;
  err?: number;
}

interface FakeEvent {
  /** The PMUv3 number it counts. */
  number: number;
  excludeUser: boolean;
  excludeKernel: boolean;
  period: bigint;
  left: bigint;
  count: bigint;
  state: EventState;
  /** KVM has it enabled (an event in ERROR may be). */
  enabled: boolean;
}

/** PMUv3 numbers of the generic events KVM ever asked for, by perf's numbers. */
const GENERIC = {
  hardware: new Map([
    [0, 0x11],
    [1, 0x08],
    [2, 0x04],
    [3, 0x03],
    [5, 0x10],
  ]),
  'hw-cache': new Map([[5, 0x12]]),
};

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The fake perf of the conformance vectors: counts exactly, never multiplexes, fails when told to. */
export class FakePerf implements HostPerf {
  calls: PerfCall[] = [];
  createFails = 0;
  placeFails = 0;
  /** The vPMU's overflow callback; returns the new sample period, undefined to go on with the old one. */
  onOverflow: (counter: number) => bigint | undefined = () => 0n;
  /** Periods stay: a burst of events is cut short rather than to overflow millions of times. */
  selfRearms = false;
  /** Events that really happened in the last `hardware`. */
  happened = 0n;
  readonly events = new Map<number, FakeEvent>();
  /** Everything a counter's events ever counted. */
  readonly totals = new Map<number, bigint>();

  create(counter: number, attr: Readonly<BackingAttr>): boolean {
    const call: PerfCall = {
      call: 'create',
      pmc: counter,
      config: hex(attr.config),
      config1: attr.wide ? '0x1' : '0x0',
      period: hex(attr.samplePeriod),
      xu: Number(attr.excludeUser),
      xk: Number(attr.excludeKernel),
      disabled: Number(attr.disabled),
    };
    if (attr.type !== undefined) call.type = attr.type;
    if (attr.excludeHv === false) call.xhv = 0;
    this.calls.push(call);
    if (this.createFails > 0) {
      this.createFails--;
      call.err = -2;
      return false;
    }
    const event: FakeEvent = {
      number:
        attr.type === undefined ? attr.config : (GENERIC[attr.type].get(attr.config) ?? Number.NaN),
      excludeUser: attr.excludeUser,
      excludeKernel: attr.excludeKernel,
      period: attr.samplePeriod,
      left: attr.samplePeriod,
      count: 0n,
      state: 'off',
      enabled: !attr.disabled,
    };
    this.events.set(counter, event);
    if (!attr.disabled) this.#place(event);
    call.state = event.state;
    return true;
  }

  #place(event: FakeEvent): void {
    if (this.placeFails > 0) {
      this.placeFails--;
      event.state = 'error';
    } else {
      event.state = 'active';
    }
  }

  enable(counter: number): void {
    const event = this.events.get(counter)!;
    if (event.state !== 'active') this.#place(event);
    event.enabled = true;
    this.calls.push({ call: 'enable', pmc: counter, state: event.state });
  }

  disable(counter: number): void {
    const event = this.events.get(counter)!;
    if (event.state === 'active') event.state = 'off';
    event.enabled = false;
    this.calls.push({ call: 'disable', pmc: counter });
  }

  release(counter: number): void {
    this.events.delete(counter);
    this.calls.push({ call: 'release', pmc: counter });
  }

  countLow(counter: number): bigint {
    return this.events.get(counter)?.count ?? 0n;
  }

  countSpan(): bigint {
    return 0n;
  }

  rebase(): void {
    throw new Error('exact counts are never rebased');
  }

  doubt(): void {
    throw new Error('an exact state is never in doubt');
  }

  /** The guest causes n events at exception level el; returns the number of overflow callbacks. */
  hardware(number: number, el: number, wanted: bigint, skid: bigint): bigint {
    let overflows = 0n;
    const counting = [...this.events]
      .sort(([a], [b]) => a - b)
      .filter(([, event]) => {
        const excluded = el === 0 ? event.excludeUser : el === 1 ? event.excludeKernel : true;
        return event.state === 'active' && event.number === number && !excluded;
      });
    let n = wanted;
    for (const [, { period }] of counting) {
      if (this.selfRearms && period !== 0n && n > 50n * period) n = 50n * period;
    }
    this.happened = n;
    for (const [counter, event] of counting) {
      const add = (count: bigint): void => {
        event.count += count;
        this.totals.set(counter, (this.totals.get(counter) ?? 0n) + count);
      };
      let rest = n;
      while (event.period !== 0n && rest >= event.left) {
        rest -= event.left;
        add(event.left);
        const late = skid < rest ? skid : rest;
        rest -= late;
        add(late);
        overflows++;
        const period = this.onOverflow(counter);
        if (period !== undefined) event.period = period;
        // perf keeps the phase, unless a whole period was missed.
        const kept = period === undefined && late < event.period;
        event.left = kept ? event.period - late : event.period;
      }
      add(rest);
      if (event.period !== 0n) event.left -= rest;
    }
    return overflows;
  }

  /** The vCPU thread was scheduled out and in. */
  schedule(): void {
    for (const event of this.events.values()) if (event.state === 'active') this.#place(event);
  }

  /** A host pinned event took the hardware counter. */
  steal(counter: number): void {
    const event = this.events.get(counter);
    if (event?.state === 'active') event.state = 'error';
  }
}
