import { CYCLE_COUNTER, Evtyper, PMCR_FLAG_NAMES, Userenr } from '../../arch/arm64-bits.ts';
import { formatIntegerList } from '../../domain/range-spec.ts';
import { arm64EventLabel } from '../../index.ts';

/** What the bits of an arm64 PMU register say, in the Arm ARM's names; empty where the value says it all. */
export function registerMeaning(name: string, value: bigint): string {
  if (name === 'PMCR_EL0') return pmcr(value);
  if (name === 'PMUSERENR_EL0') return userenr(value);
  if (name === 'PMSELR_EL0') return `selects counter ${value & 0x1fn}`;
  if (/^PM(CNTEN|INTEN|OVS)/.test(name)) return counters(value);
  if (name.startsWith('PMEVTYPER')) return eventType(value);
  if (name === 'PMCCFILTR_EL0') return filters(value);
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
