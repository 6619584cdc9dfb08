/** What of libzstd's C interface is called; pointers and sizes are 32 bits. */
interface LibZstd {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(size: number): number;
  free(pointer: number): void;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): number;
  ZSTD_DStreamOutSize(): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
  ZSTD_decompress(to: number, capacity: number, from: number, length: number): number;
}

/** Data that is no zstd, or damaged, or that needs more memory than there is. */
export class ZstdError extends Error {
  /** A ZSTD_ErrorCode, 0 if the decoder itself failed. */
  readonly code: number;

  constructor(code: number) {
    super(`zstd error ${code}`);
    this.code = code;
  }
}

/** ZSTD_ErrorCode: the content checksum differs. */
export const CHECKSUM_WRONG = 22;
const MEMORY_ALLOCATION = 64;
/** ZSTD_error_maxCode: results from −MAX_CODE to −1 are errors. */
const MAX_CODE = 120;
/** Size of a ZSTD_inBuffer or ZSTD_outBuffer: pointer, size, position. */
const BUFFER_STRUCT = 12;

let library: LibZstd | undefined;
let loading: Promise<void> | undefined;

/** Makes the decoder ready, once in a process; everything else here needs that. */
export function loadZstd(): Promise<void> {
  loading ??= load();
  return loading;
}

async function load(): Promise<void> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  /**
   * zstddec decodes whole frames, or generators of which nobody learns that they failed. Its instance of libzstd can do
   * what is needed here: a context per recording, error codes, memory given back.
   */
  class Loader extends ZSTDDecoder {
    override _init(result: { readonly instance: { readonly exports: unknown } }): void {
      super._init(result);
      library = result.instance.exports as LibZstd;
    }
  }
  await new Loader().init();
}

function loaded(): LibZstd {
  if (library === undefined) throw new Error('zstd is not loaded');
  return library;
}

function allocated(zstd: LibZstd, size: number): number {
  const pointer = zstd.malloc(size);
  if (pointer === 0) throw new ZstdError(MEMORY_ALLOCATION);
  return pointer;
}

/** Runs a function of the library that returns a size or an error. A trap inside of it is an error as well. */
function sizeOf(call: () => number): number {
  let result: number;
  try {
    result = call();
  } catch {
    throw new ZstdError(0);
  }
  if (result < 0 && result >= -MAX_CODE) throw new ZstdError(-result);
  return result >>> 0;
}

/** One stream being decompressed. Holds memory that no garbage collector frees: see `close`. */
export class ZstdStream {
  private readonly zstd: LibZstd = loaded();
  private readonly outSize: number;
  private readonly context: number;
  private readonly structs: number;
  private readonly output: number;
  private input = 0;
  private inputSize = 0;
  private open = true;

  constructor() {
    const { zstd } = this;
    this.outSize = zstd.ZSTD_DStreamOutSize();
    this.context = zstd.ZSTD_createDCtx();
    if (this.context === 0) throw new ZstdError(MEMORY_ALLOCATION);
    this.structs = allocated(zstd, 2 * BUFFER_STRUCT);
    this.output = allocated(zstd, this.outSize);
  }

  /** The content that `bytes` completes, in pieces of up to a block. Throws ZstdError. */
  *decode(bytes: Uint8Array): Generator<Uint8Array> {
    const { zstd, structs, output, outSize } = this;
    if (bytes.length > this.inputSize) {
      zstd.free(this.input);
      this.inputSize = 0;
      this.input = allocated(zstd, bytes.length);
      this.inputSize = bytes.length;
    }
    new Uint8Array(zstd.memory.buffer).set(bytes, this.input);
    let used = 0;
    let got = 0;
    // A full output may mean that there is more of it than there is input.
    while (used < bytes.length || got === outSize) {
      // The library's memory may have grown, which makes a new buffer.
      const before = new Uint32Array(zstd.memory.buffer, structs, 6);
      before.set([this.input, bytes.length, used, output, outSize, 0]);
      sizeOf(() => zstd.ZSTD_decompressStream(this.context, structs + BUFFER_STRUCT, structs));
      const after = new Uint32Array(zstd.memory.buffer, structs, 6);
      const progress = after[2]! > used;
      used = after[2]!;
      got = after[5]!;
      if (got > 0) yield new Uint8Array(zstd.memory.buffer).slice(output, output + got);
      else if (!progress && used < bytes.length) throw new ZstdError(0);
    }
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    const { zstd } = this;
    zstd.ZSTD_freeDCtx(this.context);
    for (const pointer of [this.structs, this.output, this.input]) zstd.free(pointer);
  }
}

/** Decompresses whole frames into `into[at, at + most)`: how many bytes they are. Throws ZstdError, also for more. */
export function unpackFrames(
  packed: Uint8Array,
  into: Uint8Array,
  at: number,
  most: number,
): number {
  const zstd = loaded();
  const from = allocated(zstd, packed.length);
  let to = 0;
  try {
    to = allocated(zstd, most);
    new Uint8Array(zstd.memory.buffer).set(packed, from);
    const length = sizeOf(() => zstd.ZSTD_decompress(to, most, from, packed.length));
    into.set(new Uint8Array(zstd.memory.buffer, to, length), at);
    return length;
  } finally {
    zstd.free(to);
    zstd.free(from);
  }
}
