import { FIXED_BASE, Rdpmc } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { X86AccessResult } from './x86-config.ts';
import type { X86Core } from './x86-core.ts';
import { Slot, Word } from './x86-state.ts';
import { absentAllowed } from './x86-write.ts';

/** RDMSR of the guest, or (`host`) KVM_GET_MSRS. `out.undef` stands for #GP. */
export function readMsr(core: X86Core, number: number, host: boolean, out: X86AccessResult): void {
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  const { shape, state } = core;
  const i = shape.counterOf(msr, msrIndex(decoded), number);
  if (i >= 0) {
    if (msr === Msr.selector || msr === Msr.amdSelector) {
      if (state.selectorKnown[i] === 0) unknown(out);
      else out.low = (BigInt(state.selectorHigh[i]!) << 32n) | BigInt(state.selector[i]!);
    } else {
      readCounter(core, i, out);
    }
    return;
  }
  if (msr === Msr.perfCapabilities && shape.intel && shape.version > 0) {
    out.low = BigInt(shape.config.perfCapabilities);
    return;
  }
  if (msr === Msr.none || !shape.has(msr)) {
    out.undef = !absentAllowed(core, msr, msrIndex(decoded), number, host, true);
    return;
  }
  switch (msr) {
    case Msr.fixedCtrl:
      bits(core, Slot.fixedCtrl, out);
      break;
    case Msr.globalStatus:
    case Msr.amdStatus:
      bits(core, Slot.status, out);
      break;
    case Msr.globalCtrl:
    case Msr.amdCtrl:
      bits(core, Slot.globalCtrl, out);
      break;
    case Msr.pebsEnable:
      bits(core, Slot.pebsEnable, out);
      break;
    case Msr.globalOvfCtrl:
      if (core.rules.ovfCtrlReads === 'last-written') word(core, Word.ovfCtrl, out);
      break;
    case Msr.dsArea:
      word(core, Word.dsArea, out);
      break;
    case Msr.pebsDataCfg:
      word(core, Word.pebsDataCfg, out);
      break;
    case Msr.perfMetrics:
      word(core, Word.metrics, out);
      break;
    default: // PerfCntrGlobalStatusClr and Set read 0
  }
}

function unknown(out: X86AccessResult): void {
  out.low = 0n;
  out.span = U64_MAX;
  out.unknownBits = U64_MAX;
}

function bits(core: X86Core, slot: number, out: X86AccessResult): void {
  out.low = core.registers.value64(slot);
  out.unknownBits = core.registers.unknown64(slot);
}

function word(core: X86Core, index: number, out: X86AccessResult): void {
  if (core.state.wordKnown[index] === 0) unknown(out);
  else out.low = core.state.word[index]!;
}

function readCounter(core: X86Core, i: number, out: X86AccessResult): void {
  core.visible(i);
  out.counter = i;
  out.width = core.shape.width(i);
  out.low = core.low;
  out.span = core.span;
}

/** Counter an RDPMC index names; −1: none. The metrics index and VMware's are not counters. */
export function rdpmcCounter(core: X86Core, ecx: number): number {
  const { shape } = core;
  const strict = core.rules.rdpmcIndex === 'strict';
  if (!shape.intel) {
    const index = strict ? ecx : ecx % Rdpmc.fixed;
    return index < shape.gp ? index : -1;
  }
  if (!strict) {
    const fixed = (ecx & Rdpmc.fixed) !== 0;
    const index = ecx % Rdpmc.fixed;
    if (fixed) return index < shape.fixed ? FIXED_BASE + index : -1;
    return index < shape.gp ? index : -1;
  }
  const type = ecx >>> Rdpmc.typeShift;
  const index = ecx & Rdpmc.index;
  if (type === 0) return index < shape.gp ? index : -1;
  return type === Rdpmc.fixedType && index < shape.fixed ? FIXED_BASE + index : -1;
}

/** RDPMC (semantics B.9). `cpl` −1 and `pce` 2: not known. */
export function readPmc(
  core: X86Core,
  ecx: number,
  cpl: number,
  pce: 0 | 1 | 2,
  out: X86AccessResult,
): void {
  const { rules, shape } = core;
  const i = rdpmcCounter(core, ecx);
  if (!shape.intel && rules.rdpmcAmdEarly && i < 0) {
    out.undef = true;
    out.noExit = true;
    return;
  }
  if (shape.version === 0) {
    out.undef = true;
    return;
  }
  if (rules.rdpmcVmware && ecx >= Rdpmc.vmwareFirst && ecx <= Rdpmc.vmwareLast) {
    out.hostTime = true;
    unknown(out);
    return;
  }
  if (rules.topdown && (ecx & Rdpmc.metrics) !== 0) {
    // The posted code looks for fixed counter 3, not for the capability, and at no other bit of ECX.
    if (shape.fixed > 3) word(core, Word.metrics, out);
    else out.undef = true;
    return;
  }
  if (i < 0) {
    out.undef = true;
    return;
  }
  if (rules.rdpmcChecksCpl && pce !== 1 && cpl !== 0) {
    if (pce === 0 && cpl > 0) {
      out.undef = true;
      return;
    }
    out.outcomeUnknown = true;
  }
  readCounter(core, i, out);
  const fast = rules.rdpmcIndex === 'stripped' && ecx >= Rdpmc.fast;
  if (!fast) return;
  out.width = Math.min(out.width, 32);
  if (out.span >= 0xffff_ffffn) {
    out.low = 0n;
    out.span = U64_MAX;
  } else {
    out.low &= 0xffff_ffffn;
  }
}
