import { CYCLE_COUNTER, Evtyper, PMCR_FLAG_NAMES, Userenr } from '../../arch/arm64-bits.ts';
import { Sel } from '../../arch/x86-bits.ts';
import { x86EventLabel } from '../../arch/x86-events.ts';
import { formatIntegerList } from '../../domain/range-spec.ts';
import { arm64EventLabel } from '../../index.ts';

/** What the bits of a PMU register say, in the names of its manual; empty where the value says it all. */
export function registerMeaning(name: string, value: bigint): string {
  if (name === 'PMCR_EL0') return pmcr(value);
  if (name === 'PMUSERENR_EL0') return userenr(value);
  if (name === 'PMSELR_EL0') return `selects counter ${value & 0x1fn}`;
  if (/^PM(CNTEN|INTEN|OVS)/.test(name)) return counters(value);
  if (name.startsWith('PMEVTYPER')) return eventType(value);
  if (name === 'PMCCFILTR_EL0') return filters(value);
  if (/^(IA32_PERFEVTSEL|PERF_(LEGACY_)?CTL)\d/.test(name)) return selector(name, value);
  if (/^(IA32_PERF_GLOBAL_|PerfCntrGlobal)/.test(name)) return globalBits(value);
  return '';
}

function pmcr(value: bigint): string {
  const flags = PMCR_FLAG_NAMES.filter((_, bit) => ((value >> BigInt(bit)) & 1n) === 1n);
  return [...flags, `N=${(value >> 11n) & 0x1fn}`].join(' ');
}

function userenr(value: bigint): string {
  return (['EN', 'SW', 'CR', 'ER'] as const)
    .filter((flag) => (value & BigInt(Userenr[flag])) !== 0n)
    .join(' ');
}

/** `counters 0-2, cycles` for a mask with a bit per counter. */
function counters(value: bigint): string {
  const set: number[] = [];
  for (let i = 0; i < CYCLE_COUNTER; i++) if (((value >> BigInt(i)) & 1n) === 1n) set.push(i);
  const parts: string[] = [];
  if (set.length > 0)
    parts.push(`${set.length === 1 ? 'counter' : 'counters'} ${formatIntegerList(set)}`);
  if (((value >> BigInt(CYCLE_COUNTER)) & 1n) === 1n) parts.push('cycles');
  return parts.join(', ');
}

function eventType(value: bigint): string {
  const filter = filters(value);
  const event = arm64EventLabel(Number(value & BigInt(Evtyper.event)));
  return filter === '' ? event : `${event}, ${filter}`;
}

function filters(value: bigint): string {
  return Object.entries(Evtyper)
    .filter(([name, bit]) => !name.startsWith('event') && (value & BigInt(bit >>> 0)) !== 0n)
    .map(([name]) => name)
    .join(' ');
}

/** Flags of an x86 selector by their bits in the low half. */
const SELECTOR_FLAGS = [
  ['USR', Sel.usr],
  ['OS', Sel.os],
  ['edge', Sel.edge],
  ['PC', Sel.pin],
  ['INT', Sel.int],
  ['AnyThread', Sel.any],
  ['EN', Sel.en],
  ['INV', Sel.inv],
] as const;

/** `instructions, USR OS EN`. */
function selector(name: string, value: bigint): string {
  if (value === 0n) return '';
  const vendor = name.startsWith('IA32_') ? 'intel' : 'amd';
  const high = vendor === 'amd' ? value & 0xf_0000_0000n : 0n;
  const event = x86EventLabel(Number((value & BigInt(Sel.eventAndUmask)) | high), vendor);
  const flags = SELECTOR_FLAGS.filter(([, bit]) => (value & BigInt(bit)) !== 0n).map(
    ([flag]) => flag as string,
  );
  const threshold = (value >> 24n) & 0xffn;
  if (threshold !== 0n) flags.push(`cmask=${threshold}`);
  return flags.length === 0 ? event : `${event}, ${flags.join(' ')}`;
}

/** `GP 0-5, fixed 0` for a register with a bit per counter. */
function globalBits(value: bigint): string {
  const set = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => i).filter(
      (i) => ((value >> BigInt(from + i)) & 1n) === 1n,
    );
  const gp = set(0, 32);
  const fixed = set(32, 36);
  const parts: string[] = [];
  if (gp.length > 0) parts.push(`GP ${formatIntegerList(gp)}`);
  if (fixed.length > 0) parts.push(`fixed ${formatIntegerList(fixed)}`);
  return parts.join(', ');
}
