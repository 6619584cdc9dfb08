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
  disabled?: number;
  state?: EventState;
  err?: number;
}

interface FakeEvent {
  config: number;
  excludeUser: boolean;
  excludeKernel: boolean;
  period: bigint;
  left: bigint;
  count: bigint;
  state: EventState;
  /** KVM has it enabled (an event in ERROR may be). */
  enabled: boolean;
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** The fake perf of the conformance vectors: counts exactly, never multiplexes, fails when told to. */
export class FakePerf implements HostPerf {
  calls: PerfCall[] = [];
  createFails = 0;
  placeFails = 0;
  /** The vPMU's overflow callback; returns the new sample period. */
  onOverflow: (counter: number) => bigint = () => 0n;
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
    this.calls.push(call);
    if (this.createFails > 0) {
      this.createFails--;
      call.err = -2;
      return false;
    }
    const event: FakeEvent = {
      config: attr.config,
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
  hardware(number: number, el: number, n: bigint, skid: bigint): bigint {
    let overflows = 0n;
    for (const [counter, event] of [...this.events].sort(([a], [b]) => a - b)) {
      const excluded = el === 0 ? event.excludeUser : el === 1 ? event.excludeKernel : true;
      if (event.state !== 'active' || event.config !== number || excluded) continue;
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
        event.period = this.onOverflow(counter);
        event.left = event.period;
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
