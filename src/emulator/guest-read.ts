import { PmuRegister } from '../arch/arm64-registers.ts';
import { U64_MAX } from '../domain/u64.ts';
import { type Access, ignored, permitted } from './access-rules.ts';
import type { AccessResult } from './pmuv3-config.ts';
import type { Pmuv3Core } from './pmuv3-core.ts';
import { Part } from './pmuv3-dispatch.ts';
import { Slot } from './pmuv3-state.ts';
import { U32_MAX } from './span.ts';

/** CHAIN's bit in PMCEID0. */
const CEID0_CHAIN = 1n << 30n;

/** Answers a guest read (semantics A.2) into `out`, which is blank. */
export function guestRead(core: Pmuv3Core, access: Access, part: number, out: AccessResult): void {
  if (ignored(core, access.register)) return;
  if (!permitted(core, access, out)) return;
  switch (access.register) {
    case PmuRegister.pmcr:
      readPmcr(core, out);
      break;
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr:
      readSet(core, Slot.cnten, out);
      break;
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
      readSet(core, Slot.inten, out);
      break;
    case PmuRegister.ovsset:
    case PmuRegister.ovsclr:
      readSet(core, Slot.ovs, out);
      break;
    case PmuRegister.selr:
      readSlot(core, Slot.selr, out);
      break;
    case PmuRegister.userenr:
      readSlot(core, Slot.userenr, out);
      break;
    case PmuRegister.ceid0:
      readCeid(core, 0, out);
      break;
    case PmuRegister.ceid1:
      readCeid(core, 1, out);
      break;
    case PmuRegister.mmir:
      break;
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      readCounter(core, core.targetIndex(access.register, access.index), out);
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      readType(core, core.targetIndex(access.register, access.index), out);
      break;
    default:
      out.span = U64_MAX;
      out.unknownBits = U64_MAX;
  }
  if (part !== Part.full) cut(out, part);
}

function readSlot(core: Pmuv3Core, slot: number, out: AccessResult): void {
  const { value, unknown } = core.state;
  out.low = BigInt(value[slot]!);
  if (unknown[slot] !== 0) out.unknownBits = BigInt(unknown[slot]!);
}

/** PMCNTEN, PMINTEN or PMOVS: only the bits of valid counters show. */
function readSet(core: Pmuv3Core, slot: number, out: AccessResult): void {
  readSlot(core, slot, out);
  if (core.rules.setsCut === 'at-reset') return;
  const valid = BigInt(core.validMask());
  out.low &= valid;
  out.unknownBits &= valid;
}

function readPmcr(core: Pmuv3Core, out: AccessResult): void {
  const { value, unknown } = core.state;
  const { pmcrStored } = core;
  const open = core.config.pmcrUnknownMask | BigInt(unknown[Slot.pmcr]! & pmcrStored);
  out.low = (core.pmcrHigh() | BigInt(value[Slot.pmcr]! & pmcrStored)) & ~open;
  out.unknownBits = open;
}

function readCeid(core: Pmuv3Core, half: 0 | 1, out: AccessResult): void {
  const host = half === 0 ? core.config.hostPmceid0 : core.config.hostPmceid1;
  const chain = half === 0 && core.rules.ceidShowsChain ? CEID0_CHAIN : 0n;
  const hidden = half === 1 ? BigInt(core.rules.ceid1Hidden) : 0n;
  const shown = core.filter.active ? core.filter.ceidMask(half, core.bank.eventMask + 1) : U64_MAX;
  out.low = ((host ?? 0n) | chain) & ~hidden & shown;
  out.unknownBits = host === undefined ? U64_MAX & ~chain & ~hidden & shown : 0n;
}

function readCounter(core: Pmuv3Core, i: number, out: AccessResult): void {
  if (i < 0) {
    out.span = U64_MAX;
    return;
  }
  const { bank } = core;
  bank.visible(i);
  out.counter = i;
  out.width = bank.width(i);
  out.low = bank.low;
  out.span = bank.span;
}

function readType(core: Pmuv3Core, i: number, out: AccessResult): void {
  if (i < 0) {
    out.unknownBits = U32_MAX;
    return;
  }
  out.low = BigInt(core.state.type[i]!);
  if (core.state.typeUnknown[i] !== 0) out.unknownBits = BigInt(core.state.typeUnknown[i]!);
}

/** The half of a 64-bit answer that an AArch32 access delivers. */
function cut(out: AccessResult, part: number): void {
  const shift = part === Part.high ? 32n : 0n;
  out.width = 32;
  out.unknownBits = BigInt.asUintN(32, out.unknownBits >> shift);
  if (out.span < U32_MAX) {
    out.low = BigInt.asUintN(32, out.low >> shift);
  } else {
    out.low = 0n;
    out.span = U64_MAX;
  }
}
