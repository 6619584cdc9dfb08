import type { RecordingFile } from '../importer.ts';
import { MAX_RECORD } from './format.ts';

/** Bytes read at once, and how many such blocks are kept: few, which stay in the CPU's caches, unless many stretches are
 * read at the same time (at most 32 MiB). */
const BLOCK = 65536;
const FEW_BLOCKS = 32;
const MAX_BLOCKS = 512;
/** Decompressed, a file becomes some ten times as long; where it is more, less of it is kept. */
const TIMES = 16;

const RECENT = 64;

/**
 * The bytes of a recording by address, through a cache: the file itself from 0 on, and behind it (from `spoolStart` on)
 * what was decompressed. All blocks lie in one array, so that a decoder needs one view for everything.
 */
export class ByteStore {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Address of the first decompressed byte. */
  readonly spoolStart: number;
  private readonly file: RecordingFile;
  private spool: RecordingFile | undefined;
  private readonly mostSlots: number;
  /** Slots in use so far. */
  private slots: number;
  /** Where records are put together that cross a block's end. */
  private readonly scratch: number;
  private readonly slotOf = new Map<number, number>();
  private readonly blockIn: Int32Array;
  private readonly valid: Int32Array;
  private readonly usedAt: Float64Array;
  private clock = 0;
  /** Slots of blocks lately found, by the lowest bits of the block's number. */
  private readonly recent = new Int32Array(RECENT);
  /**
   * Up to this index in `bytes` the bytes behind what was last found follow each other; before it, if that was put
   * together.
   */
  limit = 0;

  constructor(file: RecordingFile, mayGrow: boolean) {
    this.file = file;
    const blocks = Math.ceil(file.size / BLOCK);
    this.spoolStart = blocks * BLOCK;
    this.mostSlots = Math.max(4, Math.min(MAX_BLOCKS, mayGrow ? TIMES * blocks : blocks));
    this.slots = Math.min(FEW_BLOCKS, this.mostSlots);
    this.scratch = this.mostSlots * BLOCK;
    this.bytes = new Uint8Array(this.scratch + MAX_RECORD + 1);
    this.view = new DataView(this.bytes.buffer);
    this.blockIn = new Int32Array(this.mostSlots).fill(-1);
    this.valid = new Int32Array(this.mostSlots);
    this.usedAt = new Float64Array(this.mostSlots);
  }

  /** So many places are going to be read in turn: each needs a block of its own. */
  expect(places: number): void {
    this.slots = Math.max(this.slots, Math.min(this.mostSlots, 2 * places + 2));
  }

  useSpool(spool: RecordingFile): void {
    this.spool = spool;
  }

  /**
   * Index in `bytes` at which [address, address + length) stands until the next call, −1 if it is not all there.
   * `length` is at most a record's.
   */
  find(address: number, length: number): number {
    // No file has 2^31 blocks.
    const block = (address / BLOCK) | 0;
    const at = (address - block * BLOCK) | 0;
    const slot = this.recent[block & (RECENT - 1)]!;
    if (this.blockIn[slot] === block && at + length <= this.valid[slot]!) {
      const base = slot * BLOCK;
      this.limit = base + this.valid[slot]!;
      return base + at;
    }
    return this.findSlowly(block, at, length);
  }

  /** A copy of up to `length` bytes from `address` on: fewer at the end. For what is longer than a record. */
  copy(address: number, length: number): Uint8Array {
    const into = new Uint8Array(length);
    return into.subarray(0, this.read(into, address));
  }

  private findSlowly(block: number, at: number, length: number): number {
    const slot = this.load(block, Math.min(BLOCK, at + length));
    const base = slot * BLOCK;
    if (at + length <= this.valid[slot]!) {
      this.recent[block & (RECENT - 1)] = slot;
      this.limit = base + this.valid[slot]!;
      return base + at;
    }
    this.limit = 0;
    if (at + length <= BLOCK) return -1;
    const rest = at + length - BLOCK;
    this.bytes.copyWithin(this.scratch, base + at, base + BLOCK);
    const next = this.load(block + 1, rest);
    if (this.valid[next]! < rest) return -1;
    const nextBase = next * BLOCK;
    this.bytes.copyWithin(this.scratch + BLOCK - at, nextBase, nextBase + rest);
    return this.scratch;
  }

  /** The slot that holds the block, with at least `need` bytes if there are that many. */
  private load(block: number, need: number): number {
    let slot = this.slotOf.get(block);
    if (slot !== undefined && this.valid[slot]! >= need) {
      this.usedAt[slot] = ++this.clock;
      return slot;
    }
    if (slot === undefined) {
      slot = this.leastUsed();
      this.slotOf.delete(this.blockIn[slot]!);
      this.slotOf.set(block, slot);
      this.blockIn[slot] = block;
    }
    this.usedAt[slot] = ++this.clock;
    const into = this.bytes.subarray(slot * BLOCK, (slot + 1) * BLOCK);
    this.valid[slot] = this.read(into, block * BLOCK);
    return slot;
  }

  private leastUsed(): number {
    let slot = 0;
    for (let s = 1; s < this.slots; s++) if (this.usedAt[s]! < this.usedAt[slot]!) slot = s;
    return slot;
  }

  private read(into: Uint8Array, address: number): number {
    if (address < this.spoolStart) return this.file.read(into, address);
    return this.spool?.read(into, address - this.spoolStart) ?? 0;
  }
}
