import { FIXED_BASE, Sel } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';

/** GuestOnly (40) and HostOnly (41) of an AMD selector, and EN (22) and INT (20) of any. */
export const GUEST_ONLY = 1n << 40n;
export const HOST_ONLY = 1n << 41n;
const EN = BigInt(Sel.en);

/** Bits of a selector that say what is counted: event, umask, edge, inv, cmask, AMD's event bits 35:32; and USR, OS. */
const EVENT_BITS = 0xf_ff84_ffffn;
const LEVEL_BITS = BigInt(Sel.usr | Sel.os);

/** True for a selector with EN set. */
export function isEnabled(selector: bigint): boolean {
  return (selector & EN) !== 0n;
}

/** What a selector counts, without enable, interrupt and host bits: equal for a guest's selector and perf's for it. */
export function countedBy(selector: bigint): bigint {
  return selector & (EVENT_BITS | LEVEL_BITS);
}

/** The raw config KVM asks perf for. */
export function rawConfig(selector: bigint): bigint {
  return selector & EVENT_BITS;
}

/** GP counter a selector MSR belongs to, −1 if it is none. */
export function selectorIndex(msr: number): number {
  const decoded = decodeMsr(msr);
  const kind = msrKind(decoded);
  return kind === Msr.selector || kind === Msr.amdSelector ? msrIndex(decoded) : -1;
}

/** GP counter a counter MSR belongs to, −1 if it is none. */
export function counterIndex(msr: number): number {
  const decoded = decodeMsr(msr);
  const kind = msrKind(decoded);
  return kind === Msr.counter || kind === Msr.fullWidth || kind === Msr.amdCounter
    ? msrIndex(decoded)
    : -1;
}

/** Counter number a counter MSR belongs to (fixed counters from FIXED_BASE on), −1 if it is none. */
export function counterOfMsr(msr: number): number {
  const decoded = decodeMsr(msr);
  return msrKind(decoded) === Msr.fixedCounter ? FIXED_BASE + msrIndex(decoded) : counterIndex(msr);
}
