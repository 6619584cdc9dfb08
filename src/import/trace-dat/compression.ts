import { inflateSync } from 'node:zlib';
import { unpackFrames, ZstdError } from '../zstd-wasm.ts';

/** How sections and the data of the CPUs are packed. */
export type Codec = 'none' | 'zstd' | 'zlib';

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
  let done: number;
  try {
    // Needs no memory but that of the content, whatever the frame asks for.
    done = unpackFrames(packed, into, at, length);
  } catch (error) {
    if (!(error instanceof ZstdError)) throw error;
    throw new PackedDataError('zstd data that cannot be decoded');
  }
  if (done !== length) throw new PackedDataError('zstd data shorter than it says');
}
