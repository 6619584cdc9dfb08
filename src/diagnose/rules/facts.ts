import { FIXED_BASE, SLOTS_COUNTER } from '../../arch/x86-bits.ts';
import { SOFT_EVENTS } from '../../arch/x86-events.ts';
import { decodeMsr, Msr, msrKind } from '../../arch/x86-msrs.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import type { GuestWindow } from '../guest-windows/guest-window.ts';
import type { BackingRecord } from '../guest-windows/window-records.ts';
import { type Amount, isExact, magnitude, minus } from '../ledger/amount.ts';
import { type Compared, olderThan, type RunFacts } from './rule.ts';

/**
 * An amount that says how far the guest's number is from what was programmed. It is a part of guest − host only where
 * no host count stands beside it: a host event counts what the CPU did, rightly or wrongly programmed.
 */
export function againstProgram({ difference }: Compared, amount: Amount): Amount | null {
  return difference === null ? amount : null;
}

/** The event is instructions or branches: what KVM counts itself when it emulates. */
export function countsEmulated({ event }: GuestWindow, { arch, vendor }: RunFacts): boolean {
  if (arch !== 'x86' || event === undefined) return false;
  const [instructions, branches] = SOFT_EVENTS[vendor === 'amd' ? 1 : 0];
  return event === instructions || event === branches;
}

/** Instructions retired, of Intel and AMD. */
export const INSTRUCTIONS = SOFT_EVENTS[0][0];

/** Instructions that KVM emulated or skipped in the compared span and may have added to the guest's count itself. */
export interface CountedByKvm {
  readonly exits: number;
  /** The excess is just their number. */
  readonly all: boolean;
}

/**
 * The guest counts more than the host's guest mode, by no more than the instructions KVM emulated meanwhile: since 5.17 it
 * adds those to the guest's counter, and no host event of guest mode sees them.
 */
export function countedByKvm({
  window,
  run,
  basis,
  host,
  difference,
}: Compared): CountedByKvm | undefined {
  if (basis !== 'G' && basis !== 'GH-H') return undefined;
  if (host === null || difference === null || difference.low <= 0n) return undefined;
  // A branch is counted only where the emulated instruction is one: the exits do not tell.
  if (run.arch !== 'x86' || window.event !== INSTRUCTIONS) return undefined;
  if (olderThan(run, 5, 17) === true) return undefined;
  const exits = (host.totals ?? window.totals).emulatedExits;
  // The exit at which the span begins may be one more: its instruction is added on the way back into the guest.
  if (exits === 0 || difference.high > BigInt(exits + 1)) return undefined;
  return { exits, all: isExact(difference) && difference.low === BigInt(exits) };
}

const POWERS = [31n, 32n, 40n, 47n, 48n, 63n];

/** k if the amount is within 0.1 % of 2^k: bits above a width were cut or added before anything else is looked at. */
export function powerOfTwo(amount: Amount): bigint | undefined {
  if (!isExact(amount)) return undefined;
  const size = magnitude(amount);
  return POWERS.find((k) => {
    const power = 1n << k;
    const off = size > power ? size - power : power - size;
    return off * 1000n <= power;
  });
}

/** Parts of a span over which a gap is spread evenly. */
const EVEN_PARTS = 3;
/** Gaps per exit that lie closer together than this are the same cost. */
const SAME_COST = 0.05;

/** The host's count runs ahead by the same for each exit in every part of the span. */
export function evenPerExit({ host }: Compared): boolean {
  const gap = host?.gapPerExit ?? null;
  return gap !== null && gap.parts >= EVEN_PARTS && gap.high - gap.low <= SAME_COST * gap.high;
}

/** A difference of the size of 2^k that is not spread over the exits: it is no cost of theirs. */
export function cutByWidth(compared: Compared): bigint | undefined {
  const { difference } = compared;
  return difference === null || evenPerExit(compared) ? undefined : powerOfTwo(difference);
}

/** recorded − predicted of the first read the rules rule out, and its seq; undefined: there is none. */
export function firstJump({ records }: GuestWindow): { seq: number; by: Amount } | undefined {
  const first = records.contradicted[0];
  if (first === undefined) return undefined;
  const recorded = { low: first.recorded, high: first.recorded };
  return { seq: first.seq, by: minus(recorded, first.predicted) };
}

/** Its backing event was asked for with the selector it still has. */
export function backingOf({ records }: GuestWindow): BackingRecord | null {
  const { backing, selector } = records;
  if (backing === null || selector === null) return null;
  return backing.seq > selector.since ? backing : null;
}

/** Number of bits at whose end it overflows. */
export function overflowSize({ records, width }: GuestWindow): bigint {
  return 1n << BigInt(records.overflowBits ?? width);
}

/** The counter surely passed its end in the window: an overflow is due. */
export function passedEnd(window: GuestWindow): boolean {
  const { startValue, guest } = window;
  if (startValue === null || guest === null || !isExact(startValue)) return false;
  const size = overflowSize(window);
  return (startValue.low % size) + guest.low >= size;
}

/** Its window began with a write of the counter in the 32-bit form, of a value that form extends by its sign. */
export function narrowWrite({ records }: GuestWindow): { seq: number; value: bigint } | undefined {
  const { by, write } = records.opening;
  if (by !== 'counter-write' || write?.space !== RegisterSpace.msr) return undefined;
  if (msrKind(decodeMsr(write.code)) !== Msr.counter) return undefined;
  return ((write.value >> 31n) & 1n) === 1n ? write : undefined;
}

/** Interrupts after a write without a wrap that are no accident. */
export const STORM = 4;

/** Interrupt after interrupt in one window, and every read shows that the counter did not pass its end. */
export function interruptedUnwrapped({ happenings, records, startValue }: GuestWindow): boolean {
  if (happenings.interrupt.count < STORM || records.wraps > 0 || startValue === null) return false;
  const { readings } = records;
  return readings.length > 0 && readings.every(({ value }) => value >= startValue.high);
}

/** A mark tells that the VMM's filter forbids the event; undefined: no mark tells. */
export function deniedByMark(
  { event }: GuestWindow,
  { marks, arch }: RunFacts,
): boolean | undefined {
  if (marks.filter === null || event === undefined || arch !== 'x86') return undefined;
  return marks.filter.events.includes(BigInt(event)) === marks.filter.deny;
}

/** Raw event and unit mask of a selector with AMD's select bits 11:8 at 35:32. */
export const EVENT_BITS = 0xf_0000_ffffn;

export function isFixed({ counter }: GuestWindow, { arch }: RunFacts): boolean {
  return arch === 'x86' && counter >= FIXED_BASE;
}

export function isSlots({ counter }: GuestWindow, { arch }: RunFacts): boolean {
  return arch === 'x86' && counter === SLOTS_COUNTER;
}

/** Cycles: Intel's, AMD's and Arm's number. */
export function isCycles({ event }: GuestWindow, { arch }: RunFacts): boolean {
  return arch === 'arm64' ? event === 0x11 : event === 0x3c || event === 0x76;
}

/** `0x5300c0`. */
export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** An AMD CPU of family 17h or later, where the model is known. */
export function isZen({ cpuModel, vendor }: RunFacts): boolean | undefined {
  if (vendor !== 'amd') return false;
  return cpuModel === undefined ? undefined : /zen|epyc|ryzen|threadripper/i.test(cpuModel);
}
