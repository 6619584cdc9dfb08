import type { BackingAttr, EventState, PausablePerf } from '../../../src/emulator/host-perf.ts';

/** A perf call as the vectors print it. */
export interface PerfCall {
  call: 'create' | 'pause' | 'period' | 'enable' | 'release';
  pmc: number;
  type?: string;
  config?: string;
  period?: string;
  xu?: number;
  xk?: number;
  precise?: number;
  state?: EventState;
  err?: number;
  count?: string;
  value?: string;
  ret?: number;
}

export interface FakeEvent {
  /** Raw code the hardware counts for it. */
  config: bigint;
  excludeUser: boolean;
  excludeKernel: boolean;
  precise: number;
  period: bigint;
  left: bigint;
  count: bigint;
  state: EventState;
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

const EINVAL = -22;

/** Codes of PERF_TYPE_HARDWARE events: [Intel, AMD]. */
const HARDWARE: readonly (readonly [bigint, bigint])[] = [
  [0x3cn, 0x76n],
  [0xc0n, 0xc0n],
  [0x4f2en, 0x77dn],
  [0x412en, 0x77en],
  [0xc4n, 0xc2n],
  [0xc5n, 0xc3n],
  [0x13cn, -1n],
  [-1n, 0xd0n],
  [-1n, 0xd1n],
  [0x300n, -1n],
];

/** The fake perf of the conformance vectors: counts exactly, never multiplexes, fails when told to. */
export class FakePerf implements PausablePerf {
  calls: PerfCall[] = [];
  createFails = 0;
  createErrno = EINVAL;
  placeFails = 0;
  periodFails = 0;
  /** The vPMU's overflow callback. */
  onOverflow: (counter: number) => void = () => {};
  readonly events = new Map<number, FakeEvent>();
  /** Everything a counter's events ever counted. */
  readonly totals = new Map<number, bigint>();
  readonly #intel: boolean;
  readonly #printsType: boolean;

  constructor(intel: boolean, printsType = false) {
    this.#intel = intel;
    this.#printsType = printsType;
  }

  create(counter: number, attr: Readonly<BackingAttr>): boolean {
    const call: PerfCall = { call: 'create', pmc: counter };
    if (this.#printsType) call.type = attr.type ?? 'raw';
    call.config = hex(attr.config);
    call.period = hex(attr.samplePeriod);
    call.xu = Number(attr.excludeUser);
    call.xk = Number(attr.excludeKernel);
    if (!this.#printsType) call.precise = attr.precise ?? 0;
    this.calls.push(call);
    if (this.createFails > 0) {
      this.createFails--;
      call.err = this.createErrno;
      return false;
    }
    const raw = BigInt(attr.config);
    const event: FakeEvent = {
      config: attr.type === undefined ? raw : HARDWARE[attr.config]![this.#intel ? 0 : 1],
      excludeUser: attr.excludeUser,
      excludeKernel: attr.excludeKernel,
      precise: attr.precise ?? 0,
      period: attr.samplePeriod,
      left: attr.samplePeriod,
      count: 0n,
      state: 'off',
    };
    this.events.set(counter, event);
    this.#place(event);
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

  pause(counter: number): void {
    const event = this.events.get(counter)!;
    if (event.state === 'active') event.state = 'off';
    this.calls.push({ call: 'pause', pmc: counter, count: hex(event.count), state: event.state });
    event.count = 0n;
  }

  setPeriod(counter: number, period: bigint): boolean {
    const event = this.events.get(counter)!;
    const call: PerfCall = { call: 'period', pmc: counter, value: hex(period), ret: 0 };
    this.calls.push(call);
    if (event.period === 0n || period === 0n || period >= 1n << 63n) {
      call.ret = EINVAL;
    } else if (this.periodFails > 0) {
      this.periodFails--;
      call.ret = EINVAL;
    } else {
      event.period = period;
      event.left = period;
    }
    return call.ret === 0;
  }

  enable(counter: number): void {
    const event = this.events.get(counter)!;
    if (event.state !== 'active') this.#place(event);
    this.calls.push({ call: 'enable', pmc: counter, state: event.state });
  }

  disable(): void {
    throw new Error('KVM on x86 never disables an event without pausing it');
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

  /** The guest causes n events at this CPL; returns the number of periods completed. */
  hardware(code: bigint, cpl: number, n: bigint): bigint {
    const mask = this.#intel ? 0xffffn : 0xf_0000_ffffn;
    let overflows = 0n;
    for (const [counter, event] of [...this.events].sort(([a], [b]) => a - b)) {
      const excluded = cpl === 0 ? event.excludeKernel : event.excludeUser;
      if (event.state !== 'active' || (event.config & mask) !== code || excluded) continue;
      this.totals.set(counter, (this.totals.get(counter) ?? 0n) + n);
      event.count += n;
      if (event.period === 0n) continue;
      if (n < event.left) {
        event.left -= n;
        continue;
      }
      // The first callback acts on the count as of now; later ones inside a step find the counter waiting.
      const past = n - event.left;
      const times = 1n + past / event.period;
      event.left = event.period - (past % event.period);
      overflows += times;
      this.onOverflow(counter);
      if (times > 1n) this.onOverflow(counter);
    }
    return overflows;
  }

  /** The vCPU thread was scheduled out and in. */
  schedule(): void {
    for (const [, event] of [...this.events].sort(([a], [b]) => a - b)) {
      if (event.state === 'active') this.#place(event);
    }
  }

  /** A host pinned event took the hardware counter. True if there was one to take. */
  steal(counter: number): boolean {
    const event = this.events.get(counter);
    if (event?.state !== 'active') return false;
    event.state = 'error';
    return true;
  }
}
