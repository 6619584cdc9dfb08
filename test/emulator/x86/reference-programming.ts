import { type Counter, Counting } from './reference-counter.ts';
import type { PlainAttr } from './reference-perf.ts';
import { bit, FIXED, has612, isMediated, isOld, METRICS_EVENT, mask } from './reference-setup.ts';

const EN = bit(22);
const INT = bit(20);
const OS = bit(17);
const USR = bit(16);
/** event, umask, edge, inv, cmask. */
const RAW = 0xff84_ffffn;
const IN_TX = bit(32);
const IN_TXCP = bit(33);

/** 4.14: events asked for by PERF_COUNT_HW number (corrections, kvm-4.14). Its ref-cycles are select 0, umask 0x30. */
const INTEL_HARDWARE: readonly [bigint, bigint][] = [
  [0x3cn, 0n],
  [0xc0n, 1n],
  [0x13cn, 6n],
  [0x4f2en, 2n],
  [0x412en, 3n],
  [0xc4n, 4n],
  [0xc5n, 5n],
  [0x3000n, 9n],
];
const AMD_HARDWARE: readonly [bigint, bigint][] = [
  [0x76n, 0n],
  [0xc0n, 1n],
  [0x77dn, 2n],
  [0x77en, 3n],
  [0xc2n, 4n],
  [0xc3n, 5n],
  [0xd0n, 7n],
  [0xd1n, 8n],
];
const FIXED_HARDWARE = [1n, 0n, 9n];

/** What the vPMU asks of perf for its counters, and what overflows and emulated instructions do. One method is one rule. */
export class Programming extends Counting {
  /** B.5 "Counter write", corrections 8: the base moves by what the guest wants to see moved. */
  writeCounter(pmc: Counter, value: bigint): void {
    pmc.soft = 0n;
    pmc.base = (pmc.base + value - this.visible(pmc)) & mask(this.setup, pmc.i);
    if (isOld(this.setup)) return; // stale period
    if (!pmc.hasEvent || pmc.paused) return;
    const createdWithoutPeriod = this.perf.events.get(pmc.i)!.period === 0n;
    if (has612(this.setup) && createdWithoutPeriod) return;
    this.perf.setPeriod(pmc.i, this.period(pmc));
  }

  // ---- reprogramming (B.5; 4.14 in the corrections) ----

  /** Something about this counter changed. */
  changed(i: number): void {
    const pmc = this.counters.get(i);
    if (isMediated(this.setup)) {
      if (pmc !== undefined) this.#program(pmc);
    } else if (has612(this.setup)) {
      this.pending |= bit(i);
      this.requestPmu = true;
    } else if (pmc !== undefined) this.reprogram(pmc);
  }

  /** E.4: the counter is on the hardware while the context is loaded; the fake perf counts for it. */
  #program(pmc: Counter): void {
    this.stop(pmc);
    if (!this.loaded || !this.allowed(pmc)) return;
    pmc.config = pmc.i < FIXED ? pmc.selector : this.nibble(pmc.i);
    this.#create(pmc);
  }

  /** E.4: load before the inner run loop, put after it. */
  setLoaded(on: boolean): void {
    if (!isMediated(this.setup) || this.loaded === on) return;
    this.loaded = on;
    for (const pmc of this.counters.values()) this.#program(pmc);
  }

  /** Returns false when creation failed. */
  reprogram(pmc: Counter): boolean {
    return isOld(this.setup) ? this.#recreate(pmc) : this.#pauseAndResume(pmc);
  }

  release(pmc: Counter): void {
    this.perf.release(pmc.i);
    if (pmc.hasMetricsEvent) this.perf.release(METRICS_EVENT);
    pmc.hasEvent = false;
    pmc.hasMetricsEvent = false;
    pmc.config = 0n;
  }

  /** Fold what perf counted and let the event go. */
  stop(pmc: Counter): void {
    if (!pmc.hasEvent) return;
    pmc.base = this.visible(pmc);
    pmc.soft = 0n;
    this.release(pmc);
  }

  /** Bits 20, 17, 16 of a selector, or the fixed nibble in their place. */
  modes(pmc: Counter): { int: boolean; os: boolean; usr: boolean } {
    if (pmc.i >= FIXED) {
      const n = this.nibble(pmc.i);
      return { int: (n & 8n) !== 0n, os: (n & 1n) !== 0n, usr: (n & 2n) !== 0n };
    }
    const s = pmc.selector;
    return { int: (s & INT) !== 0n, os: (s & OS) !== 0n, usr: (s & USR) !== 0n };
  }

  /**
   * Semantics C, the mail's rule: a write that changed only the enable bit (a fixed counter: its OS and USR bits to
   * none, or back to those the event was made with) keeps the event.
   */
  keepsEvent(pmc: Counter, before: bigint, after: bigint): boolean {
    if (this.setup.kernel !== '2019' || !pmc.hasEvent) return false;
    if (pmc.i < FIXED) return (before ^ after) === EN;
    if (((before ^ after) & ~3n) !== 0n) return false;
    return (after & 3n) === 0n || ((before & 3n) === 0n && after === pmc.config);
  }

  toggled(pmc: Counter): void {
    if (!this.allowed(pmc)) {
      if (pmc.paused) return;
      pmc.base = (pmc.base + this.perf.pause(pmc.i)) & mask(this.setup, pmc.i);
      pmc.paused = true;
    } else if (!pmc.paused) return;
    else if (this.perf.setPeriod(pmc.i, this.period(pmc))) {
      this.perf.enable(pmc.i);
      pmc.paused = false;
    } else this.#recreate(pmc);
  }

  /** Corrections, kvm-4.14: destroy, and create anew if enabled. */
  #recreate(pmc: Counter): boolean {
    this.stop(pmc);
    if (!this.allowed(pmc)) return true;
    const { int, os, usr } = this.modes(pmc);
    const { type, config } = this.#typeOf(pmc);
    const attr: PlainAttr = {
      type,
      config,
      period: (pmc.selector & IN_TXCP) !== 0n && pmc.i < FIXED ? 0n : this.period(pmc),
      excludeUser: !usr,
      excludeKernel: !os,
    };
    if (!this.perf.create(pmc.i, attr)) return false;
    pmc.hasEvent = true;
    pmc.paused = false;
    pmc.config = pmc.i < FIXED ? pmc.selector : this.nibble(pmc.i);
    pmc.intr = int;
    this.pending &= ~bit(pmc.i);
    return true;
  }

  /** 4.14: HARDWARE for an event of its table with nothing special, else RAW; fixed counters always HARDWARE. */
  #typeOf(pmc: Counter): { type: 'raw' | 'hardware'; config: bigint } {
    if (pmc.i >= FIXED) return { type: 'hardware', config: FIXED_HARDWARE[pmc.i - FIXED]! };
    const special = bit(18) | bit(23) | 0xff00_0000n | IN_TX | IN_TXCP;
    const table = this.setup.vendor === 'intel' ? INTEL_HARDWARE : AMD_HARDWARE;
    const place = table.findIndex(([code]) => code === (pmc.selector & 0xffffn));
    const there = this.setup.vendor === 'amd' || this.architecturalThere(place);
    if ((pmc.selector & special) === 0n && place >= 0 && there) {
      return { type: 'hardware', config: table[place]![1] };
    }
    return { type: 'raw', config: (pmc.selector & RAW) | (pmc.selector & (IN_TX | IN_TXCP)) };
  }

  /** B.5 steps 1 to 5. */
  #pauseAndResume(pmc: Counter): boolean {
    const wrapped = this.#pause(pmc);
    if (!this.allowed(pmc)) return true;
    if (wrapped) this.#flagOverflow(pmc, false);
    const config = pmc.i < FIXED ? pmc.selector : this.nibble(pmc.i);
    if (pmc.config === config && this.#resume(pmc)) return true;
    if (pmc.hasEvent) this.release(pmc);
    pmc.config = config;
    return this.#create(pmc);
  }

  /** B.5 step 1; true if the software count wrapped the counter. */
  #pause(pmc: Counter): boolean {
    const all = mask(this.setup, pmc.i);
    if (pmc.hasEvent && !pmc.paused) {
      pmc.base = (pmc.base + this.perf.pause(pmc.i)) & all;
      // D.2: the "count" of vmetrics is the raw register.
      if (pmc.hasMetricsEvent) pmc.metrics = this.perf.pause(METRICS_EVENT);
      pmc.paused = true;
    }
    const before = pmc.base;
    pmc.base = (pmc.base + pmc.soft) & all;
    pmc.soft = 0n;
    return pmc.base < before;
  }

  /** PEBS_ENABLE asks for it (B.11). */
  #wantsPebs(pmc: Counter): boolean {
    return (this.pebsEnable & bit(pmc.i)) !== 0n;
  }

  /** B.5 step 4. */
  #resume(pmc: Counter): boolean {
    if (!pmc.hasEvent) return false;
    // D.2: an event that is not yet the group it should be is made anew.
    if (pmc.group && !pmc.hasMetricsEvent) return false;
    const event = this.perf.events.get(pmc.i)!;
    // 6.12 does not ask for a period where there is none; 6.1 asks and is refused (corrections 8).
    const skip = has612(this.setup) && event.period === 0n;
    if (!skip && !this.perf.setPeriod(pmc.i, this.period(pmc))) return false;
    if (this.#wantsPebs(pmc) !== event.precise > 0) return false;
    this.perf.enable(pmc.i);
    if (pmc.hasMetricsEvent) this.perf.enable(METRICS_EVENT);
    pmc.paused = false;
    this.#settled(pmc);
    return true;
  }

  /** B.5 step 5, B.6. */
  #create(pmc: Counter): boolean {
    const { int, os, usr } = this.modes(pmc);
    let raw = RAW;
    if (this.setup.vendor === 'amd') raw |= 0xf_0000_0000n;
    if (this.tsxOpen()) raw |= IN_TX | IN_TXCP;
    const config = pmc.selector & raw;
    const checkpointed = this.setup.vendor === 'intel' && (config & IN_TXCP) !== 0n;
    const precise = this.#wantsPebs(pmc) ? 1 : 0;
    const made = this.perf.create(pmc.i, {
      config,
      period: checkpointed || pmc.group ? 0n : this.period(pmc),
      excludeUser: !usr,
      excludeKernel: !os,
      precise,
    });
    if (!made) return false;
    pmc.hasEvent = true;
    pmc.paused = false;
    pmc.intr = int || precise > 0;
    if (pmc.group && !this.#completeGroup(pmc)) return false;
    this.#settled(pmc);
    return true;
  }

  /** D.2: the vmetrics event joins the slots event; a PMI for metrics overflow whatever the nibble says. */
  #completeGroup(pmc: Counter): boolean {
    const { os, usr } = this.modes(pmc);
    const attr = { config: -1n, period: 0n, excludeUser: !usr, excludeKernel: !os, precise: 0 };
    if (!this.perf.create(METRICS_EVENT, attr)) {
      this.perf.release(pmc.i);
      pmc.hasEvent = false;
      return false;
    }
    pmc.hasMetricsEvent = true;
    pmc.intr = true;
    return true;
  }

  /** D.2: the guest writes PERF_METRICS. */
  writeMetrics(pmc: Counter, value: bigint): void {
    pmc.metrics = value;
    pmc.group = true;
  }

  /** 6.1 clears the pending bit with a successful create or resume. */
  #settled(pmc: Counter): void {
    if (this.setup.kernel === '6.1') this.pending &= ~bit(pmc.i);
  }

  /** Corrections 2: host HLE|RTM and guest CPUID(7).EBX & 0x12f. */
  tsxOpen(): boolean {
    return (
      !isMediated(this.setup) &&
      this.setup.vendor === 'intel' &&
      this.setup.hostTsx &&
      ((this.setup.leaf7Ebx ?? 0) & 0x12f) !== 0
    );
  }

  // ---- overflow (B.7) ----

  /** perf's callback. */
  overflow(i: number): void {
    if (i === METRICS_EVENT) {
      this.#metricsOverflow();
      return;
    }
    const pmc = this.counters.get(i)!;
    if (isMediated(this.setup)) this.#flagOnce(pmc);
    else if (has612(this.setup)) {
      if ((this.pending & bit(i)) !== 0n) return;
      this.pending |= bit(i);
      this.#flagOverflow(pmc, true);
      this.requestPmu = true;
    } else this.#flagOverflow(pmc, true);
  }

  /** E.4: the hardware's own status bit, and its interrupt if INT is set; the next overflow is one whole turn away. */
  #flagOnce(pmc: Counter): void {
    this.perf.setPeriod(pmc.i, mask(this.setup, pmc.i) + 1n);
    this.status |= bit(pmc.i);
    if (this.modes(pmc).int) this.requestPmi = true;
  }

  /** D.2: status bit 48, and a PMI always. */
  #metricsOverflow(): void {
    const slots = FIXED + 3;
    if ((this.pending & bit(slots)) !== 0n) return;
    this.pending |= bit(slots);
    this.status |= bit(48);
    this.requestPmi = true;
    this.requestPmu = true;
  }

  /** Status bit and, with INT, the PMI. `hardware`: perf's callback, else a wrap of emulated instructions. */
  #flagOverflow(pmc: Counter, hardware: boolean): void {
    if (!has612(this.setup)) {
      if ((this.pending & bit(pmc.i)) !== 0n) return;
      this.pending |= bit(pmc.i);
      this.requestPmu = true;
    }
    const pebs = pmc.hasEvent && this.perf.events.get(pmc.i)!.precise > 0;
    if (!pebs) {
      this.status |= bit(pmc.i);
      if (pmc.intr) this.requestPmi = true;
      return;
    }
    // B.11, corrections 14: a software wrap raises nothing; at most one PMI until bit 62 is cleared.
    if (!hardware) return;
    const first = (this.status & bit(62)) === 0n;
    this.status |= bit(62);
    if (pmc.intr && first) this.requestPmi = true;
  }

  // ---- emulated instructions (B.8) ----

  /** KVM emulated an instruction (and a branch) at `cpl`. */
  emulated(kind: 'instruction' | 'branch', cpl: number): void {
    if (isOld(this.setup)) return;
    const branch = this.setup.vendor === 'intel' ? 0xc4n : 0xc2n;
    this.#trigger(0xc0n, cpl);
    if (kind === 'branch') this.#trigger(branch, cpl);
  }

  #trigger(code: bigint, cpl: number): void {
    for (const pmc of this.counters.values()) {
      if (((pmc.selector ^ code) & 0xf_0000_ffffn) !== 0n) continue;
      if (this.setup.kernel === '6.1') this.#countNow(pmc, cpl);
      else if (this.allowed(pmc) && this.#cplMatches(this.modes(pmc), cpl)) {
        if (isMediated(this.setup)) this.#countInCopy(pmc);
        else {
          pmc.soft++;
          this.changed(pmc.i);
        }
      }
    }
  }

  /** E.4: in the saved copy at once; a wrap to exactly 0 is an overflow. */
  #countInCopy(pmc: Counter): void {
    pmc.base = (pmc.base + 1n) & mask(this.setup, pmc.i);
    if (pmc.base !== 0n) return;
    this.status |= bit(pmc.i);
    if (this.modes(pmc).int) this.requestPmi = true;
  }

  #cplMatches(modes: { os: boolean; usr: boolean }, cpl: number): boolean {
    return cpl === 0 ? modes.os : modes.usr;
  }

  /** 6.1: straight to the base; the CPL test reads the config of the last creation, the filter is not asked. */
  #countNow(pmc: Counter, cpl: number): void {
    if (!this.globallyEnabled(pmc.i) || !this.locallyEnabled(pmc)) return;
    const created =
      pmc.i < FIXED
        ? { os: (pmc.config & OS) !== 0n, usr: (pmc.config & USR) !== 0n }
        : { os: (pmc.config & 1n) !== 0n, usr: (pmc.config & 2n) !== 0n };
    if (!this.#cplMatches(created, cpl)) return;
    const before = pmc.base;
    pmc.base = (pmc.base + 1n) & mask(this.setup, pmc.i);
    this.reprogram(pmc);
    if (pmc.base < before) this.#flagOverflow(pmc, false);
  }

  // ---- before the guest is entered (B.5, B.7) ----

  /** KVM_REQ_PMU. */
  handlePmu(): void {
    const bits = this.pending;
    if (has612(this.setup)) this.pending = 0n;
    for (const i of [...Array(64).keys()]) {
      if ((bits & bit(i)) === 0n) continue;
      const pmc = this.counters.get(i);
      if (has612(this.setup)) {
        // Corrections 9: a failed creation stays pending.
        if (pmc !== undefined && !this.reprogram(pmc)) this.pending |= bit(i);
      } else if (pmc === undefined || !pmc.hasEvent) this.pending &= ~bit(i);
      else this.reprogram(pmc);
    }
    if (this.needCleanup) this.#cleanUp();
  }

  /** B.5 step 6, corrections 10: lazy release. */
  #cleanUp(): void {
    this.needCleanup = false;
    for (const pmc of this.counters.values()) {
      if (pmc.hasEvent && !this.touched.has(pmc.i) && !this.locallyEnabled(pmc)) this.stop(pmc);
    }
    this.touched.clear();
  }

  /** The vCPU thread was scheduled out and in. */
  scheduled(): void {
    const any = [...this.counters.values()].some((pmc) => pmc.hasEvent);
    if (isOld(this.setup) || isMediated(this.setup) || this.setup.version === 0 || !any) return;
    this.needCleanup = true;
    this.requestPmu = true;
  }
}
