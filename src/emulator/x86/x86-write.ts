import { FIXED_BASE, Sel } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86AccessResult } from './x86-config.ts';
import type { X86Core } from './x86-core.ts';
import { Slot, Word } from './x86-state.ts';

const { none } = UncertaintyReason;
const SIGN_32 = 32;
const CANONICAL_BITS = 48;
const DATA_CFG_BITS = 0xff00_000fn;

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const high32 = (value: bigint): number => Number((value >> 32n) & 0xffff_ffffn);

/** WRMSR of the guest, or (`host`) KVM_SET_MSRS. `out.undef` stands for #GP (an error for the VMM). */
export function writeMsr(
  core: X86Core,
  number: number,
  value: bigint,
  host: boolean,
  out: X86AccessResult,
): void {
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  const { shape } = core;
  const i = shape.counterOf(msr, msrIndex(decoded), number);
  if (i >= 0) {
    out.counter = isCounterValue(msr) ? i : -1;
    out.width = shape.width(i);
    out.undef = !writeIndexed(core, msr, i, value, host);
    return;
  }
  if (msr !== Msr.none && shape.has(msr)) {
    out.undef = !writePlain(core, msr, value, host);
    return;
  }
  out.undef = !absentAllowed(core, msr, msrIndex(decoded), number, host, value === 0n);
}

/** A register the vCPU does not have: dropped silently, or refused (semantics B.1, corrections 1 and 13). */
export function absentAllowed(
  core: X86Core,
  msr: Msr,
  index: number,
  number: number,
  host: boolean,
  harmless: boolean,
): boolean {
  const { shape } = core;
  if (shape.isSilent(number)) return true;
  if (host) return harmless && core.rules.hostAbsentAllowed && shape.isAdvertised(msr, index);
  return shape.config.ignoreMsrs;
}

/** A WRMSR of a counter or selector keeps the event from the next clean-up, also when it faults (corrections 10). */
export function markWritten(core: X86Core, number: number): void {
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  const i = core.shape.counterOf(msr, msrIndex(decoded), number);
  if (i >= 0) markInUse(core, msr, i);
}

/** The full-width aliases do not count. */
function markInUse(core: X86Core, msr: Msr, i: number): void {
  if (msr !== Msr.fullWidth) core.registers.setCounter(Slot.inUse, i, true);
}

function isCounterValue(msr: Msr): boolean {
  return msr !== Msr.selector && msr !== Msr.amdSelector;
}

function writeIndexed(core: X86Core, msr: Msr, i: number, value: bigint, host: boolean): boolean {
  const { shape } = core;
  markInUse(core, msr, i);
  switch (msr) {
    case Msr.fullWidth:
      if ((value & ~shape.gpMask) !== 0n) return false;
      core.writeCounter(i, value);
      return true;
    case Msr.counter:
      core.writeCounter(i, host ? value : signed32(value));
      return true;
    case Msr.fixedCounter:
      core.writeCounter(i, !host && core.rules.fixedSignExtended ? signed32(value) : value);
      return true;
    case Msr.amdCounter:
      core.writeCounter(i, value);
      return true;
    default:
      return writeSelector(core, i, low32(value), high32(value));
  }
}

function signed32(value: bigint): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(SIGN_32, value));
}

function writeSelector(core: X86Core, i: number, written: number, writtenHigh: number): boolean {
  const { rules, shape, state } = core;
  let low = written;
  let high = writtenHigh;
  const reservedHigh = shape.reservedHighOf(i);
  if (!shape.intel && rules.amdReserved === 'dropped') {
    low = (low & ~shape.reservedLow) >>> 0;
    high = (high & ~reservedHigh) >>> 0;
  } else if ((low & shape.reservedLow) !== 0 || (high & reservedHigh) !== 0) {
    return false;
  }
  const known = state.selectorKnown[i] === 1;
  const changed = (state.selector[i]! ^ low) | (state.selectorHigh[i]! ^ high);
  if (known && changed === 0) return true;
  const toggled = known && changed === Sel.en && state.selectorHigh[i] === high;
  core.storeSelector(i, low, high, true, none);
  if (rules.reuse === 'enable-bit' && toggled) core.toggle(i);
  else core.changed(i, known);
  return true;
}

function writePlain(core: X86Core, msr: Msr, value: bigint, host: boolean): boolean {
  const { registers, shape, state } = core;
  const low = low32(value);
  const high = high32(value);
  const statusFits = (low & ~shape.gpBits) === 0 && (high & ~shape.statusHigh) === 0;
  switch (msr) {
    case Msr.fixedCtrl:
      return writeFixedCtrl(core, low, high);
    case Msr.globalStatus:
      if (!host) return false;
      if (core.rules.hostStatusChecked && !statusFits) return false;
      registers.set(Slot.status, low, high);
      return true;
    case Msr.amdStatus:
      if (!host) return true; // read-only, writes are ignored
      if (core.rules.hostStatusChecked && !statusFits) return false;
      registers.set(Slot.status, low, high);
      return true;
    case Msr.globalCtrl:
      if ((low & ~shape.gpBits) !== 0 || (high & ~shape.globalCtrlHigh) !== 0) return false;
      writeGlobalCtrl(core, low, high);
      return true;
    case Msr.amdCtrl:
      writeGlobalCtrl(core, low & shape.gpBits, 0);
      return true;
    case Msr.globalOvfCtrl:
      if (!statusFits) return false;
      if (!host) clearStatus(core, low, high);
      state.word[Word.ovfCtrl] = value;
      state.wordKnown[Word.ovfCtrl] = 1;
      return true;
    case Msr.amdStatusClear:
      if (!host) clearStatus(core, low, high);
      return true;
    case Msr.amdStatusSet:
      if (!host) registers.know(Slot.status, low & shape.gpBits, true);
      return true;
    case Msr.pebsEnable:
      return writePebsEnable(core, low, high);
    case Msr.pebsDataCfg:
      if ((value & ~DATA_CFG_BITS) !== 0n) return false;
      storeWord(core, Word.pebsDataCfg, value);
      return true;
    case Msr.dsArea:
      if (BigInt.asUintN(64, BigInt.asIntN(CANONICAL_BITS, value)) !== value) return false;
      storeWord(core, Word.dsArea, value);
      return true;
    case Msr.perfMetrics:
      core.writeMetrics(value);
      return true;
    default:
      return false;
  }
}

function storeWord(core: X86Core, word: number, value: bigint): void {
  core.state.word[word] = value;
  core.state.wordKnown[word] = 1;
}

function clearStatus(core: X86Core, low: number, high: number): void {
  core.registers.know(Slot.status, low, false);
  core.registers.know(Slot.status + 1, high, false);
}

/** Stores the register; every nibble that changed (or perhaps did) is acted upon, lowest first. */
function writeFixedCtrl(core: X86Core, low: number, high: number): boolean {
  const { registers, rules, shape, state } = core;
  if ((low & ~shape.fixedCtrlLow) !== 0 || (high & ~shape.fixedCtrlHigh) !== 0) return false;
  const before = state.value[Slot.fixedCtrl]!;
  const open = state.unknown[Slot.fixedCtrl]!;
  registers.set(Slot.fixedCtrl, low, high);
  for (let n = 0; n < shape.fixed; n++) {
    const differs = ((before ^ low) & ~open) >>> (4 * n);
    const unknown = (open >>> (4 * n)) & 0xf;
    if ((differs & 0xf) === 0 && unknown === 0) continue;
    const i = FIXED_BASE + n;
    if ((differs & 0xf) !== 0) registers.setCounter(Slot.inUse, i, true);
    else if (registers.counter(Slot.inUse, i) === 0) {
      registers.openCounter(Slot.inUse, i, UncertaintyReason.gateUnknown);
    }
    const enables = (differs & 3) !== 0 && (differs & 0xc) === 0 && unknown === 0;
    const old = (before >>> (4 * n)) & 3;
    const now = (low >>> (4 * n)) & 3;
    if (rules.reuse === 'enable-bit' && enables && (old === 0 || now === 0)) core.toggle(i);
    else core.changed(i, (differs & 0xf) !== 0);
  }
  return true;
}

function writeGlobalCtrl(core: X86Core, low: number, high: number): void {
  changeBits(core, Slot.globalCtrl, low, high);
}

function writePebsEnable(core: X86Core, low: number, high: number): boolean {
  const { shape } = core;
  if ((low & ~shape.gpBits) !== 0 || (high & ~shape.pebsEnableHigh) !== 0) return false;
  changeBits(core, Slot.pebsEnable, low, high);
  return true;
}

/** Stores a register with one bit per counter and acts on those that changed. */
function changeBits(core: X86Core, slot: number, low: number, high: number): void {
  const { registers, state } = core;
  const diffLow = (state.value[slot]! ^ low) & ~state.unknown[slot]!;
  const diffHigh = (state.value[slot + 1]! ^ high) & ~state.unknown[slot + 1]!;
  const openLow = state.unknown[slot]!;
  const openHigh = state.unknown[slot + 1]!;
  registers.set(slot, low, high);
  if ((diffLow | diffHigh | openLow | openHigh) === 0) return;
  const { counters } = core.shape;
  for (let k = 0; k < counters.length; k++) {
    const i = counters[k]!;
    const bit = 1 << (i & (FIXED_BASE - 1));
    if (((i < FIXED_BASE ? diffLow : diffHigh) & bit) !== 0) core.changed(i, true);
    else if (((i < FIXED_BASE ? openLow : openHigh) & bit) !== 0) core.changed(i, false);
  }
}

/** A write that was done, of a value that was not recorded. */
export function writeUnknownMsr(core: X86Core, number: number, reason: UncertaintyReason): void {
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  const { registers, shape, state } = core;
  const i = shape.counterOf(msr, msrIndex(decoded), number);
  if (i >= 0) {
    markInUse(core, msr, i);
    if (isCounterValue(msr)) core.writeUnknownCounter(i, reason, true);
    else {
      core.storeSelector(i, 0, 0, false, reason);
      core.changed(i, false);
    }
    return;
  }
  if (msr === Msr.none || !shape.has(msr)) return;
  const openStatus = (): void => {
    registers.open(Slot.status, state.value[Slot.status]!, reason);
    registers.open(Slot.status + 1, state.value[Slot.status + 1]!, reason);
  };
  switch (msr) {
    case Msr.fixedCtrl:
      registers.forget(Slot.fixedCtrl, shape.fixedCtrlLow, shape.fixedCtrlHigh, reason);
      for (let n = 0; n < shape.fixed; n++) {
        if (registers.counter(Slot.inUse, FIXED_BASE + n) === 0) {
          registers.openCounter(Slot.inUse, FIXED_BASE + n, reason);
        }
        core.changed(FIXED_BASE + n, false);
      }
      break;
    case Msr.globalCtrl:
    case Msr.amdCtrl:
      registers.forget(Slot.globalCtrl, shape.gpBits, shape.globalCtrlHigh, reason);
      for (const counter of shape.counters) core.changed(counter, false);
      break;
    case Msr.pebsEnable:
      registers.forget(Slot.pebsEnable, shape.gpBits, shape.pebsEnableHigh, reason);
      for (const counter of shape.counters) core.changed(counter, false);
      break;
    case Msr.globalOvfCtrl:
      state.wordKnown[Word.ovfCtrl] = 0;
      openStatus();
      break;
    case Msr.amdStatusClear:
      openStatus();
      break;
    case Msr.amdStatusSet:
      registers.open(Slot.status, (shape.gpBits & ~state.value[Slot.status]!) >>> 0, reason);
      break;
    case Msr.dsArea:
      state.wordKnown[Word.dsArea] = 0;
      break;
    case Msr.pebsDataCfg:
      state.wordKnown[Word.pebsDataCfg] = 0;
      break;
    case Msr.perfMetrics:
      core.writeUnknownMetrics();
      break;
    default:
  }
}
