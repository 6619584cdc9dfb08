import { inflateSync } from 'node:zlib';
import { Decompress } from 'fzstd';
import { u32At } from './byte-source.ts';

/** How sections and the data of the CPUs are packed. */
export type Codec = 'none' | 'zstd' | 'zlib';

/** Largest window a frame may ask for; trace-cmd packs pieces of some ten pages. */
const MAX_WINDOW = 8 * 1024 * 1024;
const MAGIC = 0xfd2fb528;

/** What is packed in `bytes` is not `length` bytes long, or cannot be unpacked. */
export class PackedDataError extends Error {}

/** Unpacks `packed` into `into[at, at + length)`: exactly `length` bytes, or PackedDataError. */
export function unpack(
  codec: Codec,
  packed: Uint8Array,
  into: Uint8Array,
  at: number,
  length: number,
): void {
  switch (codec) {
    case 'none':
      if (packed.length !== length) throw new PackedDataError('sizes differ');
      into.set(packed, at);
      return;
    case 'zlib':
      unpackZlib(packed, into, at, length);
      return;
    case 'zstd':
      unpackZstd(packed, into, at, length);
  }
}

function unpackZlib(packed: Uint8Array, into: Uint8Array, at: number, length: number): void {
  let content: Uint8Array;
  try {
    content = inflateSync(packed, { maxOutputLength: length + 1 });
  } catch {
    throw new PackedDataError('zlib data that cannot be decoded');
  }
  if (content.length !== length) throw new PackedDataError('zlib data of another length');
  into.set(content, at);
}

function unpackZstd(packed: Uint8Array, into: Uint8Array, at: number, length: number): void {
  checkFrame(packed, length);
  let done = 0;
  try {
    const frame = new Decompress((piece) => {
      if (done + piece.length > length) throw new PackedDataError('zstd data longer than it says');
      into.set(piece, at + done);
      done += piece.length;
    });
    frame.push(packed, true);
  } catch (error) {
    if (error instanceof PackedDataError) throw error;
    throw new PackedDataError('zstd data that cannot be decoded');
  }
  if (done !== length) throw new PackedDataError('zstd data shorter than it says');
}

/** A frame that asks for more memory than its content can need is not decoded at all. */
function checkFrame(packed: Uint8Array, length: number): void {
  if (packed.length < 9 || u32At(packed, 0) !== MAGIC) throw new PackedDataError('no zstd frame');
  const descriptor = packed[4]!;
  if (descriptor & 8) throw new PackedDataError('no zstd frame');
  const single = (descriptor >> 5) & 1;
  if (descriptor & 3) throw new PackedDataError('zstd data that needs a dictionary');
  const sizeBytes = [single, 2, 4, 8][descriptor >> 6]!;
  if (single === 0) {
    const base = 2 ** (10 + (packed[5]! >> 3));
    if (base + (base / 8) * (packed[5]! & 7) > MAX_WINDOW) {
      throw new PackedDataError('zstd data that needs a window of more than 8 MiB');
    }
  }
  if (sizeBytes > 0) {
    let size = 0;
    for (let k = sizeBytes - 1; k >= 0; k--) size = size * 256 + packed[6 - single + k]!;
    if (sizeBytes === 2) size += 256;
    if (size !== length) throw new PackedDataError('zstd data of another length');
  }
}
