import type { EventChunk } from '../domain/event-chunk.ts';
import { KIND_SPECS } from '../domain/event-kind.ts';
import type { SegmentHeader } from './chain.ts';
import { HIGH, LOW, signedHalves } from './var1/layout.ts';

/** What a segment's header says of its events. */
export type SegmentSummary = Pick<
  SegmentHeader,
  'minTime' | 'firstTime' | 'lastTime' | 'kinds' | 'vcpus' | 'kindCounts'
>;

const kindCounts = new Int32Array(256);
const vcpuBits = new Uint8Array(64);
/** Flips the order of signed numbers to that of unsigned ones. */
const SIGN = 1 << 31;

/**
 * Summarises the events of a segment-to-be.
 * @param runTime largest time of the run before it: effective times go on from there.
 * @throws RangeError for a kind that does not exist.
 */
export function summarize(chunk: EventChunk, runTime: bigint): SegmentSummary {
  const total = chunk.length;
  countKinds(chunk.kind, total);
  markVcpus(chunk.vcpu, total);
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

function countKinds(kind: Uint8Array, total: number): void {
  kindCounts.fill(0);
  for (let i = 0; i < total; i++) kindCounts[kind[i]!]!++;
  for (let k = KIND_SPECS.length; k < kindCounts.length; k++) {
    if (kindCounts[k] !== 0) throw new RangeError(`event kind ${k} does not exist`);
  }
}

function markVcpus(vcpu: Int16Array, total: number): void {
  vcpuBits.fill(0);
  // No slot is that.
  let last = -2;
  for (let i = 0; i < total; i++) {
    const slot = vcpu[i]!;
    if (slot === last) continue;
    last = slot;
    vcpuBits[slot < 0 ? 63 : slot < 62 ? slot : 62] = 1;
  }
}

/** Smallest and largest of the first `total` times. */
function timeBounds(time: BigUint64Array, total: number): { min: bigint; max: bigint } {
  const words = signedHalves(time);
  let minLo = words[LOW]!;
  let minHi = words[HIGH]!;
  let maxLo = minLo;
  let maxHi = minHi;
  for (let i = 1; i < total; i++) {
    const lo = words[2 * i + LOW]!;
    const hi = words[2 * i + HIGH]!;
    if (hi === maxHi ? (lo ^ SIGN) > (maxLo ^ SIGN) : (hi ^ SIGN) > (maxHi ^ SIGN)) {
      maxLo = lo;
      maxHi = hi;
    } else if (hi === minHi ? (lo ^ SIGN) < (minLo ^ SIGN) : (hi ^ SIGN) < (minHi ^ SIGN)) {
      minLo = lo;
      minHi = hi;
    }
  }
  return { min: join(minLo, minHi), max: join(maxLo, maxHi) };
}

function join(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The entries that are not 0, as bits. */
function mask(bits: Uint8Array | Int32Array): bigint {
  let lo = 0;
  let hi = 0;
  for (let i = 0; i < 32; i++) {
    if (bits[i] !== 0) lo |= 1 << i;
    if (bits[i + 32] !== 0) hi |= 1 << i;
  }
  return join(lo, hi);
}

function countsJson(): string {
  const pairs: string[] = [];
  for (let k = 0; k < 64; k++) if (kindCounts[k] !== 0) pairs.push(`"${k}":${kindCounts[k]}`);
  return `{${pairs.join(',')}}`;
}
