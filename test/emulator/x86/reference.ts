import type { Counter } from './reference-counter.ts';
import type { PlainPerf } from './reference-perf.ts';
import { Programming } from './reference-programming.ts';
import {
  advertised,
  bit,
  FIXED,
  has612,
  isMediated,
  isOld,
  low,
  mask,
  type Register,
  registerAt,
  type Setup,
} from './reference-setup.ts';

/**
 * A second x86 vPMU, written from the rules (semantics B, C and D with the corrections) in the plainest way: bigints,
 * Maps, one small method per rule, nothing shared with the emulator. Here: the accesses; reference-counter.ts says when
 * a counter counts, reference-programming.ts what is asked of perf, reference-setup.ts what MSRs a guest has, reference-perf.ts the host's perf.
 */

export interface Answer {
  result: 'ok' | 'gp' | 'gp-noexit';
  value?: bigint | 'host-time';
}

export interface FilterArgument {
  action: string | number;
  events: readonly bigint[];
  nevents?: number;
  fixedBitmap: bigint;
  masked: boolean;
  flags?: number;
}

const GP: Answer = { result: 'gp' };
const OK: Answer = { result: 'ok' };
const M64 = low(64);

export class Reference extends Programming {
  constructor(setup: Setup, perf: PlainPerf) {
    super(setup, perf);
    perf.onOverflow = (i) => this.overflow(i);
    this.globalCtrl = this.#globalCtrlAfterCpuid();
  }

  /** B.1 resets, corrections kvm-4.14: GLOBAL_CTRL after CPUID was set. */
  #globalCtrlAfterCpuid(): bigint {
    if (this.setup.version === 0 || this.setup.kernel === '6.1') return 0n;
    if (isOld(this.setup)) return this.setup.vendor === 'intel' ? this.#counterBits() : 0n;
    return this.setup.version >= 2 ? low(this.setup.gp) : 0n;
  }

  #counterBits(): bigint {
    return low(this.setup.gp) | (low(this.setup.fixed) << 32n);
  }

  // ---- reserved bits (B.1 second table, B.3, corrections 2) ----

  #selectorReserved(i: number): bigint {
    if (this.setup.vendor === 'amd') {
      return isOld(this.setup) ? 0xffff_ffff_0020_0000n : 0xffff_fff0_0028_0000n;
    }
    let reserved = 0xffff_ffff_0020_0000n;
    if (this.tsxOpen()) {
      reserved &= ~bit(32);
      if (i === 2 || isOld(this.setup)) reserved &= ~bit(33);
    }
    if (this.#adaptivePebs()) reserved &= ~bit(34);
    return reserved;
  }

  #pebsFormat(): bigint {
    return (this.setup.perfCapabilities >> 8n) & 0xfn;
  }

  #adaptivePebs(): boolean {
    return (
      !isOld(this.setup) &&
      !isMediated(this.setup) &&
      this.#pebsFormat() !== 0n &&
      (this.setup.perfCapabilities & bit(14)) !== 0n
    );
  }

  #fixedCtrlReserved(): bigint {
    if (isOld(this.setup)) return 0xffff_ffff_ffff_f444n;
    let writable = 0n;
    for (let i = 0; i < this.setup.fixed; i++) {
      writable |= 0xbn << BigInt(4 * i);
      if (this.#adaptivePebs()) writable |= bit(32 + 4 * i);
    }
    return ~writable & M64;
  }

  #globalCtrlReserved(): bigint {
    // D.1: EN_PERF_METRICS.
    const metrics = this.#hasMetrics() ? bit(48) : 0n;
    return ~(this.#counterBits() | metrics) & M64;
  }

  #statusReserved(): bigint {
    if (this.setup.vendor === 'amd') return ~this.#counterBits() & M64;
    return this.#globalCtrlReserved() & ~(3n << 62n);
  }

  #hasMetrics(): boolean {
    return this.setup.kernel === 'topdown-2023' && (this.setup.perfCapabilities & bit(15)) !== 0n;
  }

  #pebsEnableReserved(): bigint {
    return this.#adaptivePebs() ? this.#globalCtrlReserved() : ~low(this.setup.gp) & M64;
  }

  // ---- RDMSR ----

  rdmsr(msr: number, host = false): Answer {
    const register = registerAt(this.setup, msr);
    if (register === undefined)
      return host && advertised(this.setup, msr) ? { ...OK, value: 0n } : GP;
    switch (register.kind) {
      case 'counter':
        return { ...OK, value: this.visible(this.counters.get(register.i)!) };
      case 'selector':
        return { ...OK, value: this.counters.get(register.i)!.selector };
      case 'fixedCtrl':
        return { ...OK, value: this.fixedCtrl };
      case 'status':
        return { ...OK, value: this.status };
      case 'globalCtrl':
        return { ...OK, value: this.globalCtrl };
      case 'clear':
        return { ...OK, value: isOld(this.setup) ? this.lastClear : 0n };
      case 'set':
      case 'ignored':
        return { ...OK, value: 0n };
      case 'pebsEnable':
        return { ...OK, value: this.pebsEnable };
      case 'pebsData':
        return { ...OK, value: this.pebsData };
      case 'perfMetrics': {
        const slots = this.counters.get(FIXED + 3);
        return slots === undefined ? GP : { ...OK, value: slots.metrics };
      }
      case 'empty':
        return GP;
    }
  }

  // ---- WRMSR ----

  wrmsr(msr: number, value: bigint, host = false): Answer {
    const register = registerAt(this.setup, msr);
    if (register === undefined) {
      return host && value === 0n && advertised(this.setup, msr) ? OK : GP;
    }
    this.#touch(register);
    switch (register.kind) {
      case 'counter':
        return this.#writeCounterMsr(register, value, host);
      case 'selector':
        return this.#writeSelector(this.counters.get(register.i)!, value);
      case 'fixedCtrl':
        return this.#writeFixedCtrl(value);
      case 'status':
        return this.#writeStatus(value, host);
      case 'globalCtrl':
        return this.#writeGlobalCtrl(value);
      case 'clear':
        return this.#writeClear(value, host);
      case 'set':
        if (!host) this.status |= value & ~this.#statusReserved();
        return OK;
      case 'ignored':
        return OK;
      case 'pebsEnable':
        return this.#writePebsEnable(value);
      case 'pebsData':
        if ((value & ~0xff00_000fn) !== 0n) return GP;
        this.pebsData = value;
        return OK;
      case 'perfMetrics': {
        const slots = this.counters.get(FIXED + 3);
        if (slots === undefined) return GP;
        this.writeMetrics(slots, value);
        return OK;
      }
      case 'empty':
        return GP;
    }
  }

  /** Corrections 10: what counts as touched by WRMSR; 0x4c1+i does not. */
  #touch(register: Register): void {
    if (register.kind === 'selector') this.touched.add(register.i);
    if (register.kind === 'counter' && !register.fullWidth) this.touched.add(register.i);
  }

  #writeCounterMsr(register: Register & { kind: 'counter' }, value: bigint, host: boolean): Answer {
    const pmc = this.counters.get(register.i)!;
    if (register.fullWidth && (value & ~mask(this.setup, pmc.i)) !== 0n) return GP;
    const signed = pmc.i < FIXED ? !register.fullWidth : isOld(this.setup);
    const extended =
      signed && !host && this.setup.vendor === 'intel'
        ? BigInt.asUintN(64, BigInt.asIntN(32, value))
        : value;
    this.writeCounter(pmc, extended);
    return OK;
  }

  #writeSelector(pmc: Counter, value: bigint): Answer {
    const reserved = this.#selectorReserved(pmc.i);
    const drops = this.setup.vendor === 'amd' && !isOld(this.setup);
    if (!drops && (value & reserved) !== 0n) return GP;
    const kept = value & ~reserved;
    if (kept === pmc.selector) return OK;
    const keeps = this.keepsEvent(pmc, pmc.selector, kept);
    pmc.selector = kept;
    if (keeps) this.toggled(pmc);
    else this.changed(pmc.i);
    return OK;
  }

  #writeFixedCtrl(value: bigint): Answer {
    if ((value & this.#fixedCtrlReserved()) !== 0n) return GP;
    const before = this.fixedCtrl;
    this.fixedCtrl = value;
    for (let i = 0; i < this.setup.fixed; i++) {
      if ((((before ^ value) >> BigInt(4 * i)) & 0xfn) === 0n) continue;
      this.touched.add(FIXED + i);
      const nibbleBefore = (before >> BigInt(4 * i)) & 0xfn;
      const pmc = this.counters.get(FIXED + i)!;
      if (this.keepsEvent(pmc, nibbleBefore, this.nibble(FIXED + i))) this.toggled(pmc);
      else this.changed(FIXED + i);
    }
    return OK;
  }

  #writeStatus(value: bigint, host: boolean): Answer {
    // B.1: #GP on Intel, ignored on AMD.
    if (!host) return this.setup.vendor === 'intel' ? GP : OK;
    // Corrections 13.
    if (has612(this.setup) && (value & this.#statusReserved()) !== 0n) return GP;
    this.status = value;
    return OK;
  }

  #writeGlobalCtrl(value: bigint): Answer {
    const reserved = this.#globalCtrlReserved();
    if (this.setup.vendor === 'intel' && (value & reserved) !== 0n) return GP;
    const kept = value & ~reserved;
    const diff = kept ^ this.globalCtrl;
    this.globalCtrl = kept;
    this.#changedBits(diff);
    return OK;
  }

  #changedBits(diff: bigint): void {
    for (let i = 0; i < 64; i++) if ((diff & bit(i)) !== 0n) this.changed(i);
  }

  #writeClear(value: bigint, host: boolean): Answer {
    if (this.setup.vendor === 'intel' && (value & this.#statusReserved()) !== 0n) return GP;
    if (!host) this.status &= ~value;
    this.lastClear = value;
    return OK;
  }

  #writePebsEnable(value: bigint): Answer {
    if ((value & this.#pebsEnableReserved()) !== 0n) return GP;
    const diff = value ^ this.pebsEnable;
    this.pebsEnable = value;
    this.#changedBits(diff);
    return OK;
  }

  // ---- RDPMC (B.9, corrections 5 and 6) ----

  rdpmc(ecx: number, cpl: number, pce: boolean): Answer {
    const index = this.#rdpmcIndex(ecx);
    const amdRefusesEarly = this.setup.vendor === 'amd' && !isOld(this.setup);
    if (amdRefusesEarly && index === undefined) return { result: 'gp-noexit' };
    if (this.setup.version === 0) return GP;
    const backdoor = ecx >= 0x10000 && ecx <= 0x10002;
    if (backdoor && !isOld(this.setup)) return { result: 'ok', value: 'host-time' };
    // D.2: bit 29 is answered before index, CPL and CR4.PCE are looked at.
    if (this.setup.kernel === 'topdown-2023' && Math.floor(ecx / 0x2000_0000) % 2 === 1) {
      const slots = this.counters.get(FIXED + 3);
      return slots === undefined ? GP : { ...OK, value: slots.metrics };
    }
    if (index === undefined) return GP;
    if (!isOld(this.setup) && cpl > 0 && !pce) return GP;
    const value = this.visible(this.counters.get(index)!);
    const fast = !this.#strictIndex() && ecx >= 0x8000_0000;
    return { ...OK, value: fast ? value & low(32) : value };
  }

  /** 6.12 looks at ECX[31:16]; the topdown patch is older and still strips bits 31:30. */
  #strictIndex(): boolean {
    return has612(this.setup) && this.setup.kernel !== 'topdown-2023';
  }

  /** Counter an RDPMC index names. */
  #rdpmcIndex(ecx: number): number | undefined {
    const amd = this.setup.vendor === 'amd';
    if (this.#strictIndex()) {
      if (amd) return ecx < this.setup.gp ? ecx : undefined;
      const type = Math.floor(ecx / 0x10000);
      const index = ecx % 0x10000;
      if (type === 0) return index < this.setup.gp ? index : undefined;
      if (type === 0x4000) return index < this.setup.fixed ? FIXED + index : undefined;
      return undefined;
    }
    const index = ecx % 0x4000_0000;
    const fixed = !amd && Math.floor(ecx / 0x4000_0000) % 2 === 1;
    if (fixed) return index < this.setup.fixed ? FIXED + index : undefined;
    return index < this.setup.gp ? index : undefined;
  }

  // ---- guest entry (B.7) ----

  /** KVM_REQ_PMU, then KVM_REQ_PMI. */
  enter(): string | false {
    if (this.requestPmu) {
      this.requestPmu = false;
      this.handlePmu();
    }
    if (!this.requestPmi) return false;
    this.requestPmi = false;
    return this.#deliver();
  }

  #deliver(): string | false {
    if (!this.setup.lapic || (this.lvtpc & bit(16)) !== 0n) return false;
    const mode = Number((this.lvtpc >> 8n) & 7n);
    const vector = Number(this.lvtpc & 0xffn);
    if (mode !== 4 && !this.setup.apicEnabled) return false;
    // Linux 6.1 and later mask it after delivery, for Intel-compatible guests.
    if (!isOld(this.setup) && this.setup.vendor === 'intel') this.lvtpc |= bit(16);
    return mode === 4 ? 'nmi' : `vector ${vector}`;
  }

  // ---- event filter (B.10) ----

  setFilter(argument: FilterArgument): number {
    const action =
      argument.action === 0 || argument.action === 'allow'
        ? 0
        : argument.action === 1 || argument.action === 'deny'
          ? 1
          : 2;
    const knowsMasked = has612(this.setup);
    const flags = argument.flags ?? (argument.masked ? 1 : 0);
    if (action > 1) return -22;
    if (flags !== 0 && !(knowsMasked && flags === 1)) return -22;
    if ((argument.nevents ?? argument.events.length) > 300) return -7;
    const masked = flags === 1;
    const select = this.eventBits();
    const valid = masked ? select | (0xffn << 56n) | 0xff00n | bit(55) : select | 0xff00n;
    const impossible = (event: bigint): boolean => (event & ~valid) !== 0n;
    if (masked && argument.events.some(impossible)) return -22;
    const events = knowsMasked
      ? argument.events.filter((event) => !impossible(event))
      : argument.events;
    this.filter = {
      allow: action === 0,
      fixedBitmap: argument.fixedBitmap,
      events: [...events],
      masked,
    };
    if (isMediated(this.setup)) for (const i of this.counters.keys()) this.changed(i);
    else if (knowsMasked) {
      this.pending = M64;
      this.requestPmu = true;
    }
    return 0;
  }

  // ---- reset and refresh (corrections 3) ----

  vcpuReset(): void {
    this.lvtpc = 0x10000n;
    if (!has612(this.setup)) this.#resetPmu();
  }

  #resetPmu(): void {
    for (const pmc of this.counters.values()) {
      this.stop(pmc);
      // 4.14 leaves fixed counters' values.
      if (pmc.i < FIXED || !isOld(this.setup)) pmc.base = 0n;
      pmc.soft = 0n;
      if (pmc.i < FIXED) pmc.selector = 0n;
    }
    this.fixedCtrl = 0n;
    this.globalCtrl = 0n;
    this.status = 0n;
    this.lastClear = 0n;
  }

  /** CPUID or PERF_CAPABILITIES set before the first run. */
  refresh(): void {
    // 6.1 keeps every register; 4.14 sets GLOBAL_CTRL and nothing else.
    if (this.setup.kernel === '6.1') return;
    if (has612(this.setup)) {
      this.pending = 0n;
      this.needCleanup = false;
      this.#resetPmu();
    }
    this.globalCtrl = this.#globalCtrlAfterCpuid();
  }
}
