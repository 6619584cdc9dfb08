import type { EventChunk } from '../domain/event-chunk.ts';
import type { SegmentHeader } from './chain.ts';
import { HIGH, halves, LOW } from './var1/layout.ts';

/** What a segment's header says of its events. */
export type SegmentSummary = Pick<
  SegmentHeader,
  'minTime' | 'firstTime' | 'lastTime' | 'kinds' | 'vcpus' | 'kindCounts'
>;

const kindCounts = new Uint32Array(64);
const vcpuBits = new Uint8Array(64);

/**
 * Summarises the events of a segment-to-be.
 * @param runTime largest time of the run before it: effective times go on from there.
 */
export function summarize(chunk: EventChunk, runTime: bigint): SegmentSummary {
  const total = chunk.length;
  const { kind, vcpu } = chunk;
  kindCounts.fill(0);
  vcpuBits.fill(0);
  for (let i = 0; i < total; i++) {
    kindCounts[kind[i]! & 63]!++;
    const slot = vcpu[i]!;
    vcpuBits[slot < 0 ? 63 : slot < 62 ? slot : 62] = 1;
  }
  const { min, max } = timeBounds(chunk.time, total);
  const first = chunk.time[0]!;
  return {
    minTime: min,
    firstTime: first > runTime ? first : runTime,
    lastTime: max > runTime ? max : runTime,
    kinds: mask(kindCounts),
    vcpus: mask(vcpuBits),
    kindCounts: countsJson(),
  };
}

/** Smallest and largest of the first `total` times. */
function timeBounds(time: BigUint64Array, total: number): { min: bigint; max: bigint } {
  const words = halves(time);
  let minLo = words[LOW]!;
  let minHi = words[HIGH]!;
  let maxLo = minLo;
  let maxHi = minHi;
  for (let i = 1; i < total; i++) {
    const lo = words[2 * i + LOW]!;
    const hi = words[2 * i + HIGH]!;
    if (hi > maxHi || (hi === maxHi && lo > maxLo)) {
      maxLo = lo;
      maxHi = hi;
    } else if (hi < minHi || (hi === minHi && lo < minLo)) {
      minLo = lo;
      minHi = hi;
    }
  }
  return { min: join(minLo, minHi), max: join(maxLo, maxHi) };
}

function join(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

function mask(bits: Uint8Array | Uint32Array): bigint {
  let sum = 0n;
  for (let i = 0; i < 64; i++) if (bits[i] !== 0) sum |= 1n << BigInt(i);
  return sum;
}

function countsJson(): string {
  const pairs: string[] = [];
  for (let k = 0; k < 64; k++) if (kindCounts[k] !== 0) pairs.push(`"${k}":${kindCounts[k]}`);
  return `{${pairs.join(',')}}`;
}
