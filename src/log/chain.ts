import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { canonicalBytes, type SqlValue } from './canonical.ts';
import { SIDE_TABLES, type SideRows } from './side-tables.ts';

/** What the chain starts from: the hash of the format's name. */
export function genesis(): Buffer {
  return createHash('sha256').update('vpmu-log/1').digest();
}

/** The columns of a segment row that its check sum and its hash cover, in this order. */
export interface SegmentHeader {
  readonly number: number;
  readonly run: number;
  readonly firstSeq: number;
  readonly events: number;
  readonly minTime: bigint;
  readonly firstTime: bigint;
  readonly lastTime: bigint;
  /** Bit k: an event of kind k is in it. */
  readonly kinds: bigint;
  /** Bits 0–61: slots; 62: any higher slot; 63: an event without vCPU. */
  readonly vcpus: bigint;
  /** JSON object, kind number → count, in order of kind. */
  readonly kindCounts: string;
  readonly codec: string;
  readonly columnsCrc: number;
}

/** The header as hashed. */
export function headerBytes(h: SegmentHeader): Uint8Array {
  return canonicalBytes([
    BigInt(h.number),
    BigInt(h.run),
    BigInt(h.firstSeq),
    BigInt(h.events),
    h.minTime,
    h.firstTime,
    h.lastTime,
    h.kinds,
    h.vcpus,
    h.kindCounts,
    h.codec,
    BigInt(h.columnsCrc),
  ]);
}

/** CRC-32 of some bytes, for accidents that a reader should notice without hashing. */
export function checkSum(bytes: Uint8Array): number {
  return crc32(bytes);
}

/** sha256(previous hash ‖ header ‖ columns). */
export function segmentHash(previous: Uint8Array, header: Uint8Array, columns: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(header).update(columns).digest();
}

/** The columns of a run row that its hash covers. */
export interface RunHeader {
  readonly id: number;
  readonly firstSeq: number;
  readonly events: number;
  readonly segments: number;
}

/**
 * sha256(previous hash ‖ run row ‖ for each side table: its name, its number of rows of this run, those rows in order
 * of their keys).
 */
export function runHash(previous: Uint8Array, run: RunHeader, rows: SideRows): Buffer {
  const hash = createHash('sha256').update(previous);
  const put = (values: readonly SqlValue[]) => hash.update(canonicalBytes(values));
  put(['run', BigInt(run.id), BigInt(run.firstSeq), BigInt(run.events), BigInt(run.segments)]);
  for (const { table } of SIDE_TABLES) {
    put([table, BigInt(rows[table].length)]);
    for (const row of rows[table]) put(row);
  }
  return hash.digest();
}
