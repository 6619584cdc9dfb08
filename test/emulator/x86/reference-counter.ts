import type { PlainPerf } from './reference-perf.ts';
import { bit, counters, FIXED, has612, isOld, mask, type Setup } from './reference-setup.ts';

/** One guest counter (kvm_pmc). */
export interface Counter {
  readonly i: number;
  /** Saved base; the visible value also has `soft` and what perf counted. */
  base: bigint;
  /** 6.12: instructions KVM emulated since the last pause. */
  soft: bigint;
  selector: bigint;
  hasEvent: boolean;
  paused: boolean;
  /** Config of the last creation asked for; 0 without one. */
  config: bigint;
  /** Whether an overflow is to raise a PMI: as of the last creation (corrections 11). */
  intr: boolean;
  /** PERF_METRICS behind fixed counter 3 (D.2). */
  metrics: bigint;
  /** D.2: slots and vmetrics are to be one group (max_nr_events = 2), and are one. */
  group: boolean;
  hasMetricsEvent: boolean;
}

export interface Filter {
  allow: boolean;
  fixedBitmap: bigint;
  /** Masked or plain entries that can match. */
  events: bigint[];
  masked: boolean;
}

const EN = bit(22);

/** General event behind a fixed counter (B.3). */
const FIXED_EVENTS = [0xc0n, 0x3cn, 0x300n, 0x400n];

/** Architectural events in the order of leaf 0xA's vector (B.2), as umask:event. */
const ARCHITECTURAL = [0x3cn, 0xc0n, 0x13cn, 0x4f2en, 0x412en, 0xc4n, 0xc5n];

/** What one vCPU's vPMU holds, and when a counter counts. One method is one rule. */
export class Counting {
  readonly setup: Setup;
  readonly perf: PlainPerf;
  readonly counters = new Map<number, Counter>();
  fixedCtrl = 0n;
  globalCtrl = 0n;
  status = 0n;
  /** 4.14: OVF_CTRL reads back. */
  lastClear = 0n;
  pebsEnable = 0n;
  pebsData = 0n;
  /** Counters waiting for reprogramming. */
  pending = 0n;
  requestPmu = false;
  requestPmi = false;
  needCleanup = false;
  /** Semantics E: the guest's context is on the CPU. */
  loaded = false;
  touched = new Set<number>();
  lvtpc = 0x10000n;
  filter: Filter | undefined;

  constructor(setup: Setup, perf: PlainPerf) {
    this.setup = setup;
    this.perf = perf;
    for (const i of counters(setup)) {
      this.counters.set(i, {
        i,
        base: 0n,
        soft: 0n,
        selector: i < FIXED ? 0n : FIXED_EVENTS[i - FIXED]!,
        hasEvent: false,
        paused: false,
        config: 0n,
        intr: false,
        metrics: 0n,
        group: false,
        hasMetricsEvent: false,
      });
    }
  }

  // ---- values (section 0, rule 1) ----

  visible(pmc: Counter): bigint {
    let value = pmc.base + pmc.soft;
    if (pmc.hasEvent && !pmc.paused) value += this.perf.count(pmc.i);
    return value & mask(this.setup, pmc.i);
  }

  /** B.6: events left until the counter wraps. 4.14: 0 stays 0 (corrections, kvm-4.14). */
  period(pmc: Counter): bigint {
    const left = -pmc.base & mask(this.setup, pmc.i);
    if (left === 0n && !isOld(this.setup)) return mask(this.setup, pmc.i) + 1n;
    return left;
  }

  // ---- when a counter counts (B.4) ----

  nibble(i: number): bigint {
    return (this.fixedCtrl >> BigInt(4 * (i - FIXED))) & 0xfn;
  }

  globallyEnabled(i: number): boolean {
    const hasGlobalCtrl = this.setup.version >= 2;
    const intel414 = isOld(this.setup) && this.setup.vendor === 'intel';
    if (!hasGlobalCtrl && !intel414) return true;
    return (this.globalCtrl & bit(i)) !== 0n;
  }

  locallyEnabled(pmc: Counter): boolean {
    if (pmc.i >= FIXED) return (this.nibble(pmc.i) & 3n) !== 0n;
    return (pmc.selector & EN) !== 0n;
  }

  /** Selector bits of the event number: 12 bits wide on AMD (B.3). */
  eventBits(): bigint {
    return this.setup.vendor === 'amd' ? 0xf_0000_00ffn : 0xffn;
  }

  /** B.10. */
  filterAllows(pmc: Counter): boolean {
    const filter = this.filter;
    if (filter === undefined) return true;
    if (pmc.i >= FIXED) {
      const listed = (filter.fixedBitmap & bit(pmc.i - FIXED)) !== 0n;
      return filter.allow === listed;
    }
    const matches = has612(this.setup)
      ? this.#matchesMasked(filter, pmc.selector)
      : // 6.1: exact, bits 35:32 included for both vendors.
        filter.events.includes(pmc.selector & 0xf_0000_ffffn);
    return matches ? filter.allow : !filter.allow;
  }

  #matchesMasked(filter: Filter, selector: bigint): boolean {
    const umask = (selector >> 8n) & 0xffn;
    const hit = (entry: bigint): boolean => {
      if (((entry ^ selector) & this.eventBits()) !== 0n) return false;
      const umaskMask = filter.masked ? entry >> 56n : 0xffn;
      return (umask & umaskMask) === ((entry >> 8n) & 0xffn);
    };
    const excludes = (entry: bigint): boolean => filter.masked && (entry & bit(55)) !== 0n;
    const { events } = filter;
    return (
      events.some((entry) => !excludes(entry) && hit(entry)) &&
      !events.some((entry) => excludes(entry) && hit(entry))
    );
  }

  /** Corrections, kvm-6.1: an architectural event CPUID says is not there is never programmed. */
  eventAvailable(pmc: Counter): boolean {
    if (this.setup.kernel !== '6.1' || this.setup.vendor !== 'intel') return true;
    const place = ARCHITECTURAL.indexOf(pmc.selector & 0xffffn);
    return place < 0 || this.architecturalThere(place);
  }

  architecturalThere(place: number): boolean {
    return place < this.setup.vectorLength && (this.setup.ebx & (1 << place)) === 0;
  }

  allowed(pmc: Counter): boolean {
    return (
      this.globallyEnabled(pmc.i) &&
      this.locallyEnabled(pmc) &&
      this.eventAvailable(pmc) &&
      this.filterAllows(pmc)
    );
  }
}
