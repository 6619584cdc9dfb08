import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import { KIND_LIMIT } from './layout.ts';

/**
 * Which events of a segment have a value in a column. Most payloads belong to some kinds only, so the set of kinds says
 * it in 8 bytes where a bitmap would take 512.
 */
export class KindSelection {
  readonly #counts = new Uint16Array(KIND_LIMIT);
  readonly #chosen = new Uint8Array(KIND_LIMIT);
  readonly #positions = new Uint16Array(CHUNK_EVENTS);
  #kinds: Uint8Array = new Uint8Array(0);
  #total = 0;

  /** Starts a segment. All kinds must be below KIND_LIMIT: see `outOfRange`. */
  begin(kinds: Uint8Array, total: number): void {
    this.#kinds = kinds;
    this.#total = total;
    this.#counts.fill(0);
    for (let i = 0; i < total; i++) this.#counts[kinds[i]!]!++;
  }

  /** The chosen kinds, to be set or cleared before `select`. */
  get chosen(): Uint8Array {
    return this.#chosen;
  }

  /** True if every event is of a chosen kind. */
  coversAll(): boolean {
    for (let kind = 0; kind < KIND_LIMIT; kind++) {
      if (this.#counts[kind] !== 0 && this.#chosen[kind] === 0) return false;
    }
    return true;
  }

  /** Positions of the events of the chosen kinds; valid until the next call. */
  select(): { positions: Uint16Array; count: number } {
    const kinds = this.#kinds;
    const chosen = this.#chosen;
    const positions = this.#positions;
    let count = 0;
    for (let i = 0; i < this.#total; i++) {
      positions[count] = i;
      count += chosen[kinds[i]!]!;
    }
    return { positions, count };
  }

  /** Writes the chosen kinds as 8 bytes. */
  writeMask(out: Uint8Array, at: number): number {
    for (let byte = 0; byte < 8; byte++) {
      let bits = 0;
      for (let bit = 0; bit < 8; bit++) bits |= this.#chosen[byte * 8 + bit]! << bit;
      out[at + byte] = bits;
    }
    return at + 8;
  }

  /** Takes the chosen kinds from 8 bytes. */
  readMask(bytes: Uint8Array, at: number): number {
    for (let byte = 0; byte < 8; byte++) {
      const bits = bytes[at + byte]! | 0;
      for (let bit = 0; bit < 8; bit++) this.#chosen[byte * 8 + bit] = (bits >> bit) & 1;
    }
    return at + 8;
  }
}

/** The first kind that is not below KIND_LIMIT; −1 if all are. */
export function outOfRange(kinds: Uint8Array, total: number): number {
  for (let i = 0; i < total; i++) if (kinds[i]! >= KIND_LIMIT) return kinds[i]!;
  return -1;
}
