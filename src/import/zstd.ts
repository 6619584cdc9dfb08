import { InputError } from '../domain/errors.ts';
import { CHECKSUM_WRONG, loadZstd, ZstdError, ZstdStream } from './zstd-wasm.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** Largest window a frame may ask for (RFC 8878 suggests 8 MB at least; zstd -19 takes 8, only -22 and --long more). */
const MAX_WINDOW = 64 * 1024 * 1024;
const MAX_BLOCK = 131072;
const NOTHING = new Uint8Array(0);

interface FrameHeader {
  readonly length: number;
  readonly hasChecksum: boolean;
}

/**
 * Decompresses zstd (RFC 8878) as it arrives: any number of frames, skippable ones between. It walks the frames and
 * blocks itself, so that damage is named where it is and no frame gets more memory than it may; libzstd decodes the
 * blocks and compares the content checksums. To be closed.
 */
export class ZstdDecoder {
  /** Bytes of input taken so far. */
  position = 0;
  private readonly name: string;
  /** Input not used yet: less than one header. */
  private held: Uint8Array = new Uint8Array(0);
  private state: 'frame' | 'block' | 'data' | 'checksum' | 'skip' = 'frame';
  /** Bytes of the current block (or skippable frame) still to come. */
  private left = 0;
  private lastBlock = false;
  private hasChecksum = false;
  private readonly stream = new ZstdStream();
  private output: Uint8Array[] = [];

  /** `name` is for messages. Needs `loadZstd` to be done: see `create`. */
  constructor(name: string) {
    this.name = name;
  }

  /** `name` is for messages. */
  static async create(name: string): Promise<ZstdDecoder> {
    await loadZstd();
    return new ZstdDecoder(name);
  }

  /**
   * Decompressed pieces that `bytes` completes, one block at a time: they may be a thousand times as long. `bytes` must
   * not be changed afterwards, and all pieces must be taken before the next push.
   */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let input: Uint8Array = bytes;
    if (this.held.length > 0) {
      input = new Uint8Array(this.held.length + bytes.length);
      input.set(this.held);
      input.set(bytes, this.held.length);
      this.held = NOTHING;
    }
    let at = 0;
    for (;;) {
      const used = this.step(input, at);
      if (used <= 0) break;
      at += used;
      this.position += used;
      if (this.output.length === 0) continue;
      yield* this.output;
      this.output = [];
    }
    this.held = input.subarray(at);
  }

  /** Gives its memory back. */
  close(): void {
    this.stream.close();
  }

  /** The input is over. */
  end(): void {
    if (this.state === 'frame' && this.held.length === 0) return;
    throw this.damaged('zstd data cut off', 'fetch the file again, or compress it anew');
  }

  /** Takes what stands at `at`; returns how many bytes, 0 if there are too few. */
  private step(input: Uint8Array, at: number): number {
    const available = input.length - at;
    switch (this.state) {
      case 'frame':
        return this.startFrame(input, at, available);
      case 'block': {
        if (available < 3) return 0;
        const header = input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16);
        const type = (header >> 1) & 3;
        if (type === 3) throw this.damaged('zstd data damaged: reserved block type');
        if (header >> 3 > MAX_BLOCK)
          throw this.damaged('zstd data damaged: a block longer than 128 KiB');
        this.lastBlock = (header & 1) === 1;
        this.left = type === 1 ? 1 : header >> 3;
        this.decode(input.subarray(at, at + 3));
        this.state = 'data';
        if (this.left === 0) this.endBlock();
        return 3;
      }
      case 'data': {
        const take = Math.min(this.left, available);
        if (take === 0) return 0;
        this.decode(input.subarray(at, at + take));
        this.left -= take;
        if (this.left === 0) this.endBlock();
        return take;
      }
      case 'checksum': {
        if (available < 4) return 0;
        this.decode(input.subarray(at, at + 4));
        this.state = 'frame';
        return 4;
      }
      case 'skip': {
        const take = Math.min(this.left, available);
        this.left -= take;
        if (this.left === 0) this.state = 'frame';
        return take;
      }
    }
  }

  private startFrame(input: Uint8Array, at: number, available: number): number {
    if (available < 4) return 0;
    const magic = readU32(input, at);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      if (available < 8) return 0;
      this.left = readU32(input, at + 4);
      this.state = this.left === 0 ? 'frame' : 'skip';
      return 8;
    }
    if (magic !== MAGIC) throw this.damaged('zstd data damaged: no zstd frame where one should be');
    const header = this.frameHeader(input, at, available);
    if (header === undefined) return 0;
    this.hasChecksum = header.hasChecksum;
    this.decode(input.subarray(at, at + header.length));
    this.state = 'block';
    return header.length;
  }

  /** Checks what the header asks for; undefined if it is not complete yet. */
  private frameHeader(input: Uint8Array, at: number, available: number): FrameHeader | undefined {
    if (available < 5) return undefined;
    const descriptor = input[at + 4]!;
    const single = (descriptor >> 5) & 1;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
    const sizeBytes = [single, 2, 4, 8][descriptor >> 6]!;
    const length = 5 + (1 - single) + dictionaryBytes + sizeBytes;
    if (available < length) return undefined;
    if (descriptor & 8) throw this.damaged('zstd data damaged: reserved bit in a frame header');
    let p = at + 5;
    let window = 0;
    if (single === 0) {
      const byte = input[p++]!;
      const base = 2 ** (10 + (byte >> 3));
      window = base + (base / 8) * (byte & 7);
    }
    for (let k = 0; k < dictionaryBytes; k++) {
      if (input[p + k] !== 0) {
        throw this.damaged(
          'compressed with a dictionary',
          'decompress it with zstd -D and import the text',
        );
      }
    }
    p += dictionaryBytes;
    if (single === 1) {
      for (let k = sizeBytes - 1; k >= 0; k--) window = window * 256 + input[p + k]!;
      if (sizeBytes === 2) window += 256;
    }
    if (window > MAX_WINDOW) {
      throw this.damaged(
        `needs a window of ${Math.ceil(window / 1048576)} MiB to decompress`,
        `zstd -dc --long=31 ${this.name} | vpmu import -`,
      );
    }
    return { length, hasChecksum: (descriptor & 4) !== 0 };
  }

  private endBlock(): void {
    if (!this.lastBlock) {
      this.state = 'block';
    } else if (this.hasChecksum) {
      this.state = 'checksum';
    } else {
      this.state = 'frame';
    }
  }

  private decode(bytes: Uint8Array): void {
    try {
      for (const piece of this.stream.decode(bytes)) this.output.push(piece);
    } catch (error) {
      if (!(error instanceof ZstdError)) throw error;
      const what =
        error.code === CHECKSUM_WRONG
          ? 'its checksum does not fit its content'
          : 'its zstd data cannot be decoded';
      throw this.damaged(`zstd data damaged: ${what}`);
    }
  }

  private damaged(what: string, hint = 'fetch the file again, or try zstd -t on it'): InputError {
    return new InputError(
      `${this.name}: ${what} at byte ${this.position + this.held.length}`,
      hint,
    );
  }
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}
