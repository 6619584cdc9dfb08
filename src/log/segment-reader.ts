import type Database from 'better-sqlite3';
import type { EventChunk } from '../domain/event-chunk.ts';
import { checkSum } from './chain.ts';
import { damaged, translating } from './errors.ts';
import type { SegmentIndex } from './segment-index.ts';
import { effectiveTimes } from './times.ts';
import { CodecError, MAX_SEGMENT_BYTES, VAR1 } from './var1/layout.ts';
import { decodeColumns, decodeTimes } from './var1/segment.ts';

/** How many unpacked segments `cached` keeps: lookups by @seq tend to come in clusters. */
const CACHED = 8;

interface CachedSegment {
  readonly chunk: EventChunk;
  readonly times: BigUint64Array;
}

/** Reads segments one by one, each with a query of its own, so that no statement stays open between two. */
export class SegmentReader {
  readonly #path: string;
  readonly #select: Database.Statement<unknown[], Buffer>;
  readonly #cache = new Map<number, CachedSegment>();
  readonly index: SegmentIndex;

  constructor(path: string, db: Database.Database, index: SegmentIndex) {
    this.#path = path;
    this.index = index;
    // The guard keeps a made-up length from being allocated.
    this.#select = translating(path, () =>
      db
        .prepare<unknown[], Buffer>(
          `SELECT columns FROM segment WHERE number = ? AND length(columns) <= ${MAX_SEGMENT_BYTES} AND codec = '${VAR1}'`,
        )
        .pluck(),
    );
  }

  /** The events of segment i, in columns of the caller's own. */
  read(i: number): EventChunk {
    const { index } = this;
    return this.#decoding(i, (bytes) => {
      const chunk = decodeColumns(bytes, index.events[i]!, index.firstSeq[i]!);
      if (kindMask(chunk) !== index.kinds[i])
        throw new CodecError('kinds its header does not name');
      return chunk;
    });
  }

  /** Like `read`, for looking up single events: columns and effective times are shared. */
  cached(i: number): CachedSegment {
    let segment = this.#cache.get(i);
    if (segment !== undefined) return segment;
    const chunk = this.read(i);
    segment = { chunk, times: effectiveTimes(chunk.time, this.index.firstTime[i]!) };
    if (this.#cache.size === CACHED) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    this.#cache.set(i, segment);
    return segment;
  }

  /** The effective times of the events of segment i, which is not unpacked otherwise. */
  times(i: number): BigUint64Array {
    const { index } = this;
    const known = this.#cache.get(i);
    if (known !== undefined) return known.times;
    const time = this.#decoding(i, (bytes) => decodeTimes(bytes, index.events[i]!));
    return effectiveTimes(time, index.firstTime[i]!);
  }

  #decoding<T>(i: number, decode: (bytes: Buffer) => T): T {
    const bytes = translating(this.#path, () => this.#select.get(i + 1));
    if (!Buffer.isBuffer(bytes)) throw this.#damaged(i, 'its columns are missing or too large');
    if (checkSum(bytes) !== this.index.columnsCrc[i]) {
      throw this.#damaged(i, 'its columns do not match their check sum');
    }
    try {
      return decode(bytes);
    } catch (error) {
      if (error instanceof CodecError) throw this.#damaged(i, error.message);
      throw error;
    }
  }

  #damaged(i: number, why: string) {
    const { index } = this;
    return damaged(
      this.#path,
      `segment ${i + 1} (@${index.firstSeq[i]}-${index.lastSeq(i)}): ${why}`,
    );
  }
}

const seen = new Uint8Array(64);

/** Bit k set: an event of kind k is in the chunk. */
function kindMask(chunk: EventChunk): bigint {
  const { kind, length } = chunk;
  seen.fill(0);
  for (let i = 0; i < length; i++) seen[kind[i]!] = 1;
  let mask = 0n;
  for (let k = 0; k < 64; k++) if (seen[k] !== 0) mask |= 1n << BigInt(k);
  return mask;
}
