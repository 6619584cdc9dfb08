import {
  FIXED_BASE,
  PerfCap,
  Sel,
  SelHigh,
  StatusHigh,
  X86_COUNTERS,
} from '../../arch/x86-bits.ts';
import { isSilentWhenAbsent, Msr, MsrNumber } from '../../arch/x86-msrs.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import type { X86Config } from './x86-config.ts';

const AMD_CORE_COUNTERS = 6;
const AMD_LEGACY_COUNTERS = 4;
const AMD_WIDTH = 48;
const INTEL_MOST_GP = 8;
/** KVM ORs the *numbers* of HLE and RTM instead of their bits (corrections 2). */
const LEAF7_TSX_TEST = 0x12f;
const RAW_EVENT = (Sel.eventAndUmask | Sel.edge | Sel.inv | Sel.cmask) >>> 0;

/** Bits 0..n-1. */
function ones(n: number): number {
  return n >= 32 ? 0xffff_ffff : 2 ** n - 1;
}

/** What follows from configuration and rule set alone: counters, widths, reserved bits, which registers exist. */
export class X86Shape {
  readonly config: X86Config;
  readonly intel: boolean;
  readonly version: number;
  readonly gp: number;
  readonly fixed: number;
  /** KVM's counter numbers, lowest first. */
  readonly counters: readonly number[];
  readonly gpWidth: number;
  readonly fixedWidth: number;
  readonly gpMask: bigint;
  readonly fixedMask: bigint;
  /** GLOBAL_CTRL and its status bits exist. */
  readonly hasGlobalCtrl: boolean;
  /** Writable bits of GLOBAL_CTRL, GLOBAL_STATUS (both halves), FIXED_CTR_CTRL (both), PEBS_ENABLE (both). */
  readonly gpBits: number;
  readonly fixedBits: number;
  readonly statusHigh: number;
  readonly globalCtrlHigh: number;
  readonly pebsEnableHigh: number;
  readonly fixedCtrlLow: number;
  readonly fixedCtrlHigh: number;
  readonly pebs: boolean;
  readonly adaptivePebs: boolean;
  /** Selector bits that fault (Intel) or are dropped (AMD). */
  readonly reservedLow: number;
  readonly reservedHigh: number;
  /** Selector bits passed to perf. */
  readonly rawLow: number;
  readonly rawHigh: number;
  readonly inTx: boolean;
  readonly #checkpointedAnywhere: boolean;
  readonly fullWidth: boolean;
  readonly topdown: boolean;

  constructor(config: X86Config, rules: X86RuleSet) {
    this.config = config;
    const intel = config.vendor === 'intel';
    this.intel = intel;
    const on = config.pmuEnabled;
    const amdVersion = config.version >= 2 && rules.amdPerfMonV2 ? 2 : 1;
    this.version = !on ? 0 : intel ? config.version : amdVersion;
    this.gp = this.version === 0 ? 0 : intel ? this.#intelCounters() : this.#amdCounters(rules);
    this.fixed =
      intel && this.version > 1
        ? Math.min(config.fixedCounters, config.hostFixedCounters, rules.maxFixed)
        : 0;
    this.counters = [
      ...Array.from({ length: this.gp }, (_, i) => i),
      ...Array.from({ length: this.fixed }, (_, i) => FIXED_BASE + i),
    ];
    this.gpWidth = intel ? Math.min(config.gpWidth, config.hostGpWidth) : AMD_WIDTH;
    this.fixedWidth = intel ? Math.min(config.fixedWidth, config.hostFixedWidth) : 0;
    this.gpMask = (1n << BigInt(this.gpWidth)) - 1n;
    this.fixedMask = (1n << BigInt(this.fixedWidth)) - 1n;
    this.hasGlobalCtrl = this.version > 1;
    this.gpBits = ones(this.gp);
    this.fixedBits = ones(this.fixed);
    const capabilities = config.perfCapabilities;
    this.topdown = rules.topdown && this.version > 1 && (capabilities & PerfCap.perfMetrics) !== 0;
    this.pebs = intel && rules.pebs && on && (capabilities & PerfCap.pebsFormat) !== 0;
    const format = (capabilities & PerfCap.pebsFormat) >> PerfCap.pebsFormatShift;
    const baseline = (capabilities & PerfCap.pebsBaseline) !== 0;
    this.adaptivePebs = this.pebs && baseline && format > 3;
    this.fullWidth =
      intel && rules.fullWidthWrites && (capabilities & PerfCap.fullWidthWrites) !== 0;
    this.statusHigh = intel
      ? (this.fixedBits |
          (this.topdown ? StatusHigh.metrics : 0) |
          StatusHigh.changed |
          StatusHigh.pebsBuffer) >>>
        0
      : 0;
    this.globalCtrlHigh = (this.fixedBits | (this.topdown ? StatusHigh.metrics : 0)) >>> 0;
    this.pebsEnableHigh = this.pebs && baseline ? this.fixedBits : 0;
    const nibbles = rules.fixedCtrlReserved === 'three-counters' ? 3 : this.fixed;
    let low = 0;
    for (let i = 0; i < nibbles; i++) low |= 0xb << (4 * i);
    this.fixedCtrlLow = low >>> 0;
    let high = 0;
    if (this.pebs && baseline) for (let i = 0; i < this.fixed; i++) high |= 1 << (4 * i);
    this.fixedCtrlHigh = high;
    this.#checkpointedAnywhere = rules.inTx === 'txcp-on-all';
    this.inTx =
      intel &&
      rules.inTx !== 'never' &&
      config.hostHasTsx &&
      (config.leaf7Ebx & LEAF7_TSX_TEST) !== 0;
    if (intel) {
      this.reservedLow = Sel.any;
      this.reservedHigh =
        ~((this.inTx ? SelHigh.inTx : 0) | (this.pebs && baseline ? SelHigh.adaptivePebs : 0)) >>>
        0;
    } else if (rules.amdReserved === 'dropped') {
      this.reservedLow = Sel.any | Sel.pin;
      this.reservedHigh = ~SelHigh.amdEvent >>> 0;
    } else {
      this.reservedLow = Sel.any;
      this.reservedHigh = 0xffff_ffff;
    }
    this.rawLow = RAW_EVENT;
    this.rawHigh = intel
      ? this.inTx
        ? SelHigh.inTx | SelHigh.inTxCheckpointed
        : 0
      : ~this.reservedHigh & SelHigh.amdEvent;
  }

  #intelCounters(): number {
    return Math.min(this.config.gpCounters, this.config.hostGpCounters, INTEL_MOST_GP);
  }

  #amdCounters(rules: X86RuleSet): number {
    const { config } = this;
    let wanted = AMD_LEGACY_COUNTERS;
    if (this.version > 1) wanted = config.gpCounters;
    else if (config.perfctrCore && rules.amdCoreExtension) wanted = AMD_CORE_COUNTERS;
    return Math.min(wanted, config.hostGpCounters);
  }

  mask(i: number): bigint {
    return i < FIXED_BASE ? this.gpMask : this.fixedMask;
  }

  width(i: number): number {
    return i < FIXED_BASE ? this.gpWidth : this.fixedWidth;
  }

  /** Reserved high bits of the selector of GP counter i: IN_TXCP is writable on counter 2 (4.14: on all). */
  reservedHighOf(i: number): number {
    return this.inTx && (i === 2 || this.#checkpointedAnywhere)
      ? (this.reservedHigh ^ SelHigh.inTxCheckpointed) >>> 0
      : this.reservedHigh;
  }

  /** Counter number an indexed register stands for; −1 if the vCPU does not have it. */
  counterOf(msr: Msr, index: number, number: number): number {
    switch (msr) {
      case Msr.counter:
      case Msr.selector:
        return this.intel && index < this.gp ? index : -1;
      case Msr.fullWidth:
        return this.fullWidth && index < this.gp ? index : -1;
      case Msr.fixedCounter:
        return index < this.fixed ? FIXED_BASE + index : -1;
      case Msr.amdCounter:
      case Msr.amdSelector:
        if (this.intel || index >= this.gp) return -1;
        return number < MsrNumber.f15Ctl0 || this.#coreExtension() ? index : -1;
      default:
        return -1;
    }
  }

  #coreExtension(): boolean {
    return this.config.perfctrCore && this.gp !== 0;
  }

  /** True if the vCPU has this register (one without an index). */
  has(msr: Msr): boolean {
    switch (msr) {
      case Msr.fixedCtrl:
      case Msr.globalStatus:
      case Msr.globalCtrl:
      case Msr.globalOvfCtrl:
        return this.intel && this.hasGlobalCtrl;
      case Msr.pebsEnable:
        return this.pebs;
      case Msr.pebsDataCfg:
        return this.adaptivePebs;
      case Msr.dsArea:
        return this.intel && this.config.hasDs;
      case Msr.perfMetrics:
        return this.topdown && this.fixed > 3;
      case Msr.amdStatus:
      case Msr.amdCtrl:
      case Msr.amdStatusClear:
      case Msr.amdStatusSet:
        return !this.intel && this.version > 1;
      default:
        return false;
    }
  }

  /** KVM lists this register for the VMM on such a host, whatever the vCPU has (corrections 13). */
  isAdvertised(msr: Msr, index: number): boolean {
    const { config } = this;
    switch (msr) {
      case Msr.counter:
      case Msr.selector:
        return this.intel && index < Math.min(config.hostGpCounters, INTEL_MOST_GP);
      case Msr.fixedCounter:
        return this.intel && index < Math.min(config.hostFixedCounters, 3);
      case Msr.fixedCtrl:
      case Msr.globalStatus:
      case Msr.globalCtrl:
      case Msr.pebsEnable:
      case Msr.pebsDataCfg:
      case Msr.dsArea:
        return this.intel;
      case Msr.amdCounter:
      case Msr.amdSelector:
        return !this.intel && index < config.hostGpCounters;
      case Msr.amdStatus:
      case Msr.amdCtrl:
      case Msr.amdStatusClear:
      case Msr.amdStatusSet:
        return !this.intel;
      default:
        return false;
    }
  }

  /** Reads 0 and drops writes where the vCPU does not have it. */
  isSilent(number: number): boolean {
    return isSilentWhenAbsent(number);
  }

  hasCounter(i: number): boolean {
    return i < FIXED_BASE ? i >= 0 && i < this.gp : i < X86_COUNTERS && i - FIXED_BASE < this.fixed;
  }
}
