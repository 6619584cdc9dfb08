import type { RecordingFile } from '../importer.ts';
import { u32At } from './byte-source.ts';
import { type Codec, PackedDataError, unpack } from './compression.ts';

/** Largest piece of packed pages taken (trace-cmd packs ten pages). */
const MAX_CHUNK = 4 * 1024 * 1024;
/** Bytes read at once from data that is not packed. */
const READ_AHEAD = 65536;
/** Bytes set aside for packed data at first. */
const FIRST_PACKED = 8192;

/** What trying to get the next page led to; after damage there may be more pages. */
export const PageResult = { page: 0, end: 1, damaged: 2 } as const;
export type PageResult = (typeof PageResult)[keyof typeof PageResult];

/** Bytes all CPUs may still hold. */
export interface Budget {
  left: number;
}

/** The ring-buffer pages of one CPU, one after the other, one packed piece in memory at a time. */
export class CpuPages {
  /** Where in the file the page last got begins, or the packed piece it is in. */
  at: number;
  /** Bytes of the page last got that are there: less than a page only at a cut. */
  length = 0;
  /** Where in the file the damage is, and what it is. */
  damagedAt = 0;
  damage = '';
  /** Bytes of the file used up. */
  used = 0;
  private readonly budget: Budget;
  private readonly file: RecordingFile;
  private readonly codec: Codec | undefined;
  private readonly pageSize: number;
  private next: number;
  private readonly end: number;
  /** Declared end, which may be behind the end of the file. */
  private readonly declaredEnd: number;
  private chunk: Uint8Array = new Uint8Array(0);
  private chunkAt = 0;
  private chunkLength = 0;
  private packed: Uint8Array = new Uint8Array(0);
  /** Packed pieces still to come, −1: their number is not read yet. */
  private chunksLeft = -1;
  private over = false;
  /** Nothing behind the damage can be found. */
  private fatal = false;

  /** `codec` undefined: plain pages. */
  constructor(
    file: RecordingFile,
    codec: Codec | undefined,
    pageSize: number,
    { offset, size }: { readonly offset: number; readonly size: number },
    budget: Budget,
  ) {
    this.budget = budget;
    this.file = file;
    this.codec = codec;
    this.pageSize = pageSize;
    this.at = offset;
    this.next = offset;
    // trace-cmd does not count the number of pieces that packed data begins with.
    this.declaredEnd = offset + size + (codec === undefined ? 0 : 4);
    this.end = Math.min(this.declaredEnd, file.size);
  }

  /** Copies the next page to into[to, to + pageSize). */
  get(into: Uint8Array, to: number): PageResult {
    if (this.over) return PageResult.end;
    while (this.chunkAt >= this.chunkLength) {
      const result = this.codec === undefined ? this.readAhead() : this.nextChunk(this.codec);
      if (result === PageResult.page) continue;
      if (result === PageResult.end || this.fatal) {
        this.over = true;
        this.budget.left += this.chunk.length + this.packed.length;
        this.chunk = this.packed = new Uint8Array(0);
      }
      return result;
    }
    const length = Math.min(this.pageSize, this.chunkLength - this.chunkAt);
    into.set(this.chunk.subarray(this.chunkAt, this.chunkAt + length), to);
    if (this.codec === undefined) this.at = this.next - this.chunkLength + this.chunkAt;
    this.chunkAt += length;
    this.length = length;
    return PageResult.page;
  }

  private readAhead(): PageResult {
    const left = this.end - this.next;
    if (left <= 0) return this.ended();
    // With very many CPUs a page at a time must do.
    const ahead = this.budget.left < READ_AHEAD ? this.pageSize : READ_AHEAD;
    const want = Math.min(left, Math.max(this.pageSize, ahead - (ahead % this.pageSize)));
    if (this.chunk.length < want) this.chunk = this.allocate(this.chunk, want);
    const got = this.file.read(this.chunk.subarray(0, want), this.next);
    if (got === 0) return this.ended();
    this.next += got;
    this.used += got;
    this.chunkAt = 0;
    this.chunkLength = got;
    return PageResult.page;
  }

  private nextChunk(codec: Codec): PageResult {
    if (this.chunksLeft < 0) {
      if (!this.fill(4)) return this.ended();
      this.chunksLeft = u32At(this.packed, 0);
      this.next += 4;
    }
    this.at = this.next;
    if (this.chunksLeft === 0) {
      if (this.next >= this.declaredEnd) return PageResult.end;
      return this.damagedHere('fewer packed pieces than its size says');
    }
    this.chunksLeft--;
    if (!this.fill(8)) return this.ended();
    const packedLength = u32At(this.packed, 0);
    const length = u32At(this.packed, 4);
    if (length === 0 || length > MAX_CHUNK || packedLength > MAX_CHUNK) {
      return this.damagedHere(`a piece of ${packedLength} packed and ${length} unpacked bytes`);
    }
    this.next += 8;
    if (!this.fill(packedLength)) return this.ended();
    this.next += packedLength;
    this.used += 8 + packedLength;
    if (this.chunk.length < length) {
      if (this.budget.left < length) return this.damagedHere('pieces too large for memory');
      this.chunk = this.allocate(this.chunk, length);
    }
    this.chunkLength = this.chunkAt = 0;
    try {
      unpack(codec, this.packed.subarray(0, packedLength), this.chunk, 0, length);
    } catch (error) {
      if (!(error instanceof PackedDataError)) throw error;
      // The next piece is where its length says.
      this.damagedHere(error.message);
      this.fatal = false;
      return PageResult.damaged;
    }
    this.chunkLength = length;
    return PageResult.page;
  }

  /** Reads `length` bytes at `next`; false if there are too few. */
  private fill(length: number): boolean {
    if (this.next + length > this.end) return false;
    if (this.packed.length < length) {
      this.packed = this.allocate(this.packed, Math.max(length, FIRST_PACKED));
    }
    return this.file.read(this.packed.subarray(0, length), this.next) === length;
  }

  private allocate(old: Uint8Array, length: number): Uint8Array {
    this.budget.left -= length - old.length;
    return new Uint8Array(length);
  }

  /** No more bytes: as it should be, or because the file is cut. */
  private ended(): PageResult {
    if (this.codec === undefined && this.next >= this.declaredEnd) return PageResult.end;
    this.at = this.next;
    return this.damagedHere('the data ends before it should');
  }

  private damagedHere(what: string): PageResult {
    this.damagedAt = this.at;
    this.damage = what;
    this.fatal = true;
    return PageResult.damaged;
  }
}
