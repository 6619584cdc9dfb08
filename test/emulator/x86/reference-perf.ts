/**
 * The fake host perf of the x86 conformance vectors, in the plainest form:
 * - an event counts what it was created for (select, umask and AMD's high bits; the rest of the config is ignored) if it
 *   is active, in guest mode, at a CPL it does not exclude; all n events of a step are counted, also after an overflow;
 * - `left` starts as the period and is set again by each accepted perf_event_period; at 0 the callback runs and the
 *   period starts again; period 0 never overflows, and takes no period;
 * - a pause returns the count and zeroes it; creation, enabling and the thread's schedule-in place the event anew;
 * - creation, placement (ERROR, of which KVM hears nothing) and period changes fail when told to; nothing multiplexes.
 */

export type Vendor = 'intel' | 'amd';

/** What KVM asks of perf when it creates an event. */
export interface PlainAttr {
  /** Absent before event reuse (4.14 prints it), where it was not always RAW. */
  type?: 'raw' | 'hardware';
  config: bigint;
  period: bigint;
  excludeUser: boolean;
  excludeKernel: boolean;
  /** precise_ip; undefined where the kernel knows no guest PEBS. */
  precise?: number;
}

/** One perf call, in the words of the vectors. */
export interface PlainCall {
  call: 'create' | 'pause' | 'period' | 'enable' | 'release';
  pmc: number;
  type?: 'raw' | 'hardware';
  config?: string;
  period?: string;
  xu?: number;
  xk?: number;
  precise?: number;
  state?: string;
  err?: number;
  count?: string;
  value?: string;
  ret?: number;
}

export interface PlainEvent {
  /** Code the hardware counts. */
  code: bigint;
  excludeUser: boolean;
  excludeKernel: boolean;
  precise: number;
  period: bigint;
  left: bigint;
  count: bigint;
  state: 'active' | 'off' | 'error';
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** PERF_COUNT_HW_* → code of the event, for events of type HARDWARE (4.14 only). */
const HARDWARE: Record<Vendor, readonly bigint[]> = {
  // cycles, instructions, cache references, cache misses, branches, branch misses, bus cycles, stalled (2), ref cycles
  intel: [0x3cn, 0xc0n, 0x4f2en, 0x412en, 0xc4n, 0xc5n, 0x13cn, -1n, -1n, 0x300n],
  amd: [0x76n, 0xc0n, 0x77dn, 0x77en, 0xc2n, 0xc3n, -1n, 0xd0n, 0xd1n, -1n],
};

const EINVAL = -22;

export class PlainPerf {
  calls: PlainCall[] = [];
  readonly events = new Map<number, PlainEvent>();
  /** Everything the events of a counter ever counted. */
  readonly totals = new Map<number, bigint>();
  /** The next n operations of a kind fail. */
  fails = { create: 0, place: 0, period: 0 };
  createErrno = -2;
  /** The vPMU's overflow callback. */
  onOverflow: (pmc: number) => void = () => undefined;
  readonly #vendor: Vendor;

  constructor(vendor: Vendor) {
    this.#vendor = vendor;
  }

  #code(attr: PlainAttr): bigint {
    return attr.type === 'hardware'
      ? (HARDWARE[this.#vendor][Number(attr.config)] ?? -1n)
      : attr.config;
  }

  #place(event: PlainEvent): void {
    if (this.fails.place > 0) {
      this.fails.place--;
      event.state = 'error';
    } else event.state = 'active';
  }

  create(pmc: number, attr: PlainAttr): boolean {
    const call: PlainCall = {
      call: 'create',
      pmc,
      ...(attr.type === undefined ? {} : { type: attr.type }),
      config: hex(attr.config),
      period: hex(attr.period),
      xu: Number(attr.excludeUser),
      xk: Number(attr.excludeKernel),
      ...(attr.precise === undefined ? {} : { precise: attr.precise }),
    };
    this.calls.push(call);
    if (this.fails.create > 0) {
      this.fails.create--;
      call.err = this.createErrno;
      return false;
    }
    if (this.events.has(pmc)) throw new Error(`a second event for counter ${pmc}`);
    const event: PlainEvent = {
      code: this.#code(attr),
      excludeUser: attr.excludeUser,
      excludeKernel: attr.excludeKernel,
      precise: attr.precise ?? 0,
      period: attr.period,
      left: attr.period,
      count: 0n,
      state: 'off',
    };
    this.#place(event);
    this.events.set(pmc, event);
    call.state = event.state;
    return true;
  }

  #event(pmc: number): PlainEvent {
    const event = this.events.get(pmc);
    if (event === undefined) throw new Error(`no event for counter ${pmc}`);
    return event;
  }

  /** perf_event_pause with reset: returns what was counted. */
  pause(pmc: number): bigint {
    const event = this.#event(pmc);
    const count = event.count;
    if (event.state === 'active') event.state = 'off';
    event.count = 0n;
    this.calls.push({ call: 'pause', pmc, count: hex(count), state: event.state });
    return count;
  }

  /** perf_event_period: false when it is refused. */
  setPeriod(pmc: number, value: bigint): boolean {
    const event = this.#event(pmc);
    const armed = this.fails.period > 0;
    if (armed) this.fails.period--;
    const refused = armed || event.period === 0n || value === 0n || value >= 1n << 63n;
    if (!refused) {
      event.period = value;
      event.left = value;
    }
    this.calls.push({ call: 'period', pmc, value: hex(value), ret: refused ? EINVAL : 0 });
    return !refused;
  }

  enable(pmc: number): void {
    const event = this.#event(pmc);
    if (event.state !== 'active') this.#place(event);
    this.calls.push({ call: 'enable', pmc, state: event.state });
  }

  release(pmc: number): void {
    this.#event(pmc);
    this.events.delete(pmc);
    this.calls.push({ call: 'release', pmc });
  }

  count(pmc: number): bigint {
    return this.events.get(pmc)?.count ?? 0n;
  }

  /** What a running event has counted is this now (the raw register behind a metrics event). */
  setCount(pmc: number, count: bigint): void {
    const event = this.events.get(pmc);
    if (event?.state === 'active') event.count = count;
  }

  /** A running event overflows now, whatever its period. */
  overflowNow(pmc: number): void {
    if (this.events.get(pmc)?.state === 'active') this.onOverflow(pmc);
  }

  /** The guest (or, `host`, the host) causes n events at `cpl`. Returns the periods completed. */
  hardware(code: bigint, cpl: number, n: bigint, host: boolean): bigint {
    const mask = this.#vendor === 'intel' ? 0xffffn : 0xf0000ffffn;
    let overflows = 0n;
    for (const [pmc, event] of [...this.events].sort(([a], [b]) => a - b)) {
      if (event.state !== 'active' || host || (event.code & mask) !== code) continue;
      if (cpl === 0 ? event.excludeKernel : event.excludeUser) continue;
      event.count += n;
      this.totals.set(pmc, (this.totals.get(pmc) ?? 0n) + n);
      if (event.period === 0n) continue;
      if (n < event.left) {
        event.left -= n;
        continue;
      }
      const rest = n - event.left;
      // Callbacks after the first are no-ops for KVM: its first one leaves the counter pending.
      this.onOverflow(pmc);
      overflows += 1n + rest / event.period;
      event.left = event.period - (rest % event.period);
    }
    return overflows;
  }

  /** The vCPU thread goes out and comes in again: each running event must find its counter anew. */
  schedule(): void {
    for (const [, event] of [...this.events].sort(([a], [b]) => a - b)) {
      if (event.state === 'active') this.#place(event);
    }
  }

  /** A pinned event of the host takes the hardware counter. Returns whether it ran. */
  steal(pmc: number): boolean {
    const event = this.events.get(pmc);
    if (event?.state !== 'active') return false;
    event.state = 'error';
    return true;
  }
}
