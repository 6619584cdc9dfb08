import { FIXED_BASE, FixedCtrl } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { BackingAttr } from '../host-perf.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86Core } from './x86-core.ts';
import { rdpmcCounter } from './x86-read.ts';
import { Backing, Flag, Gate, Misc, Slot, Word } from './x86-state.ts';
import { writeUnknownMsr } from './x86-write.ts';

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const high32 = (value: bigint): number => Number((value >> 32n) & 0xffff_ffffn);

/** Registers that are known or unknown as a whole. */
const WORD_OF: ReadonlyMap<Msr, number> = new Map<Msr, number>([
  [Msr.dsArea, Word.dsArea],
  [Msr.pebsDataCfg, Word.pebsDataCfg],
  [Msr.perfMetrics, Word.metrics],
  [Msr.globalOvfCtrl, Word.ovfCtrl],
]);

const ALL = 0xffff_ffff;

/** Takes over a value that a recorded read proved. */
export function adoptRead(core: X86Core, number: number, value: bigint): void {
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  const { registers, shape, state } = core;
  const i = shape.counterOf(msr, msrIndex(decoded), number);
  const low = low32(value);
  const high = high32(value);
  if (i >= 0) {
    if (msr === Msr.selector || msr === Msr.amdSelector) {
      core.storeSelector(i, low, high, true, UncertaintyReason.none);
      core.settle(i);
    } else {
      core.adoptValue(i, value & shape.mask(i));
    }
    return;
  }
  if (msr === Msr.none || !shape.has(msr)) return;
  switch (msr) {
    case Msr.fixedCtrl:
      registers.set(Slot.fixedCtrl, low, high);
      for (const counter of shape.counters) if (counter >= FIXED_BASE) core.settle(counter);
      break;
    case Msr.globalStatus:
    case Msr.amdStatus:
      registers.set(Slot.status, low, high);
      break;
    case Msr.globalCtrl:
    case Msr.amdCtrl:
      registers.set(Slot.globalCtrl, low, high);
      for (const counter of shape.counters) core.settle(counter);
      break;
    case Msr.pebsEnable:
      registers.set(Slot.pebsEnable, low, high);
      break;
    default: {
      const word = WORD_OF.get(msr);
      if (word === undefined) break;
      state.word[word] = value;
      state.wordKnown[word] = 1;
    }
  }
}

/** Takes over a value that a recorded RDPMC proved; a fast-mode read (low 32 bits) proves the counter only if they are all. */
export function adoptPmc(core: X86Core, ecx: number, value: bigint): void {
  const i = rdpmcCounter(core, ecx);
  if (i < 0) return;
  const fast = core.rules.rdpmcIndex === 'stripped' && ecx >= 0x8000_0000;
  if (!fast) core.adoptValue(i, value & core.shape.mask(i));
}

/** Takes over what a recorded creation proves of a counter: programming, enables, value. */
export function adoptCreation(core: X86Core, i: number, attr: Readonly<BackingAttr>): void {
  const { registers, shape } = core;
  if (i >= FIXED_BASE) {
    const shift = 4 * (i - FIXED_BASE);
    registers.know(Slot.fixedCtrl, FixedCtrl.os << shift, !attr.excludeKernel);
    registers.know(Slot.fixedCtrl, FixedCtrl.usr << shift, !attr.excludeUser);
  }
  if (shape.hasGlobalCtrl) registers.setCounter(Slot.globalCtrl, i, true);
  registers.setCounter(Slot.pending, i, false);
  core.takeCreation(i, attr);
}

/** Everything becomes unknown; HostPerf is not told. */
export function forgetAll(core: X86Core, reason: UncertaintyReason): void {
  const { registers, shape, state } = core;
  registers.forget(Slot.globalCtrl, shape.gpBits, shape.globalCtrlHigh, reason);
  registers.forget(Slot.status, shape.gpBits, shape.statusHigh, reason);
  registers.forget(Slot.fixedCtrl, shape.fixedCtrlLow, shape.fixedCtrlHigh, reason);
  registers.forget(Slot.pebsEnable, shape.pebs ? shape.gpBits : 0, shape.pebsEnableHigh, reason);
  registers.forget(Slot.pending, ALL, ALL, reason); // a filter marks bits that no counter has
  registers.forget(Slot.inUse, shape.gpBits, shape.fixedBits, reason);
  if (!shape.hasGlobalCtrl && core.rules.version1Gate === 'on')
    registers.set(Slot.globalCtrl, 0, 0);
  state.wordKnown.fill(0);
  state.misc[Misc.requestPmu] = 2;
  state.misc[Misc.requestPmi] = 2;
  state.misc[Misc.needCleanup] = core.rules.lazyRelease ? 2 : 0;
  state.misc[Misc.lvtpcKnown] = 0;
  state.misc[Misc.metricsMode] = shape.topdown ? 2 : 0;
  if (core.rules.ownership === 'mediated') state.misc[Misc.loaded] = 2;
  for (const i of shape.counters) {
    core.setBase(i, 0n, U64_MAX, reason);
    state.soft[i] = 0n;
    state.softSpan[i] = core.rules.softCount === 'apart' ? U64_MAX : 0n;
    if (i < FIXED_BASE) core.storeSelector(i, 0, 0, false, reason);
    state.backing[i] = Backing.maybe;
    state.gate[i] = Gate.maybe;
    state.configKnown[i] = 0;
    state.interrupts[i] = 2;
    state.flags[i] = Flag.open | Flag.kindOpen | Flag.wrapOpen;
    state.periodKnown[i] = 0;
    state.folded[i] = 0n;
    state.foldedSpan[i] = U64_MAX;
  }
}

/** Makes one register unknown. */
export function forgetOne(core: X86Core, number: number, reason: UncertaintyReason): void {
  const msr = msrKind(decodeMsr(number));
  const { registers, shape } = core;
  if (msr === Msr.globalStatus || msr === Msr.amdStatus) {
    registers.forget(Slot.status, shape.gpBits, shape.statusHigh, reason);
  } else {
    writeUnknownMsr(core, number, reason);
  }
}
