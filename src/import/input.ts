import { type FileHandle, open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from '../domain/errors.ts';
import { copyOf } from './byte-table.ts';
import { ZstdDecoder } from './zstd.ts';

/** Bytes read from a file at a time. */
const PIECE = 256 * 1024;
/** Decompressed pieces are cut to this size, so that one piece never makes many events at once. */
const MAX_OUTPUT = 256 * 1024;

export type Bytes = AsyncIterable<Uint8Array>;

/** One opened input: its raw bytes, once. */
export interface RawInput {
  /** As the user gave it. */
  readonly name: string;
  /** Size of a regular file; undefined for standard input, a pipe, a stream. */
  readonly size: number | undefined;
  /** Descriptor of a regular file, until `close`: it may be read anywhere. */
  readonly fd?: number;
  /** Each piece is valid until the next is asked for. */
  readonly bytes: Bytes;
  close(): Promise<void>;
}

const REASONS: Readonly<Record<string, readonly [string, string | undefined]>> = {
  ENOENT: ['no such file', undefined],
  EACCES: [
    'no permission to read it',
    'recordings made by root: chown or chmod them, or run vpmu as root',
  ],
  EPERM: ['no permission to read it', undefined],
  ENOTDIR: ['no such file', undefined],
  ELOOP: ['too many symbolic links', undefined],
  EMFILE: ['too many open files', undefined],
  EISDIR: ['is a directory', 'name the files in it'],
};

/** The one-line error for a file that cannot be opened or read; other errors as they are. */
export function readFailure(name: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (typeof code !== 'string') return error;
  const [why, hint] = REASONS[code] ?? [`cannot be read (${code})`, undefined];
  return new InputError(`${name}: ${why}`, hint);
}

/** Opens a path, or standard input for `-`. Throws InputError with one line. */
export async function openInput(path: string, stream?: Bytes): Promise<RawInput> {
  if (stream !== undefined)
    return { name: path, size: undefined, bytes: stream, close: async () => {} };
  if (path === '-') {
    return { name: path, size: undefined, bytes: standardInput(), close: async () => {} };
  }
  let handle: FileHandle;
  let size: number | undefined;
  try {
    const found = await stat(path);
    size = found.isFile() ? found.size : undefined;
    handle = await open(path, 'r');
  } catch (error) {
    throw readFailure(path, error);
  }
  return {
    name: path,
    size,
    ...(size === undefined ? {} : { fd: handle.fd }),
    bytes: pieces(path, handle),
    close: () => handle.close(),
  };
}

async function* standardInput(): Bytes {
  for await (const piece of process.stdin) yield piece as Uint8Array;
}

async function* pieces(path: string, handle: FileHandle): Bytes {
  const buffer = new Uint8Array(PIECE);
  for (;;) {
    let length: number;
    try {
      length = (await handle.read(buffer, 0, PIECE, null)).bytesRead;
    } catch (error) {
      throw readFailure(path, error);
    }
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

/** How a file is compressed, by its first bytes. */
export type Compression = 'none' | 'gzip' | 'zstd';

const FOREIGN: readonly (readonly [string, readonly number[], string])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'xz -dc'],
  ['bzip2', [0x42, 0x5a, 0x68], 'bzip2 -dc'],
  ['lz4', [0x04, 0x22, 0x4d, 0x18], 'lz4 -dc'],
  ['zip', [0x50, 0x4b, 0x03, 0x04], 'unzip -p'],
];

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, k) => bytes[k] === byte);
}

/** Compression by magic number, never by the name; a compression that is not read is an InputError. */
export function compressionOf(name: string, head: Uint8Array): Compression {
  if (startsWith(head, [0x1f, 0x8b])) return 'gzip';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  if (
    head.length >= 4 &&
    (head[0]! & 0xf0) === 0x50 &&
    startsWith(head.subarray(1), [0x2a, 0x4d, 0x18])
  ) {
    return 'zstd';
  }
  for (const [format, magic, command] of FOREIGN) {
    if (startsWith(head, magic)) {
      throw new InputError(
        `${name}: compressed with ${format}, which is not read`,
        `${command} ${name} | vpmu import -`,
      );
    }
  }
  return 'none';
}

/** Decompresses what `bytes` gives, by its magic number. Memory does not grow with the length. */
export async function* decompressed(name: string, bytes: Bytes): Bytes {
  const iterator = bytes[Symbol.asyncIterator]();
  // The magic may come in several pieces.
  const head: Uint8Array[] = [];
  let length = 0;
  while (length < 6) {
    const { value, done } = await iterator.next();
    if (done) break;
    head.push(length + value.length < 6 ? copyOf(value) : value);
    length += value.length;
  }
  const first = head.length === 1 ? head[0]! : concat(head, length);
  const rest = { [Symbol.asyncIterator]: () => iterator };
  switch (compressionOf(name, first)) {
    case 'none':
      if (first.length > 0) yield first;
      yield* rest;
      return;
    case 'gzip':
      yield* gunzip(name, first, rest);
      return;
    case 'zstd':
      yield* unzstd(name, first, rest);
      return;
  }
}

async function* prepend(first: Uint8Array, rest: Bytes): Bytes {
  if (first.length > 0) yield first;
  yield* rest;
}

async function* gunzip(name: string, first: Uint8Array, rest: Bytes): Bytes {
  let taken = 0;
  async function* counted(): Bytes {
    for await (const piece of prepend(first, rest)) {
      taken += piece.length;
      yield copyOf(piece);
    }
  }
  const source = Readable.from(counted(), { objectMode: false });
  const unpacked = createGunzip({ chunkSize: MAX_OUTPUT });
  source.on('error', (error) => unpacked.destroy(error));
  source.pipe(unpacked);
  try {
    for await (const piece of unpacked) yield piece as Uint8Array;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'Z_BUF_ERROR') {
      throw new InputError(
        `${name}: gzip data cut off at byte ${taken}`,
        'fetch the file again, or compress it anew',
      );
    }
    if (typeof code === 'string' && code.startsWith('Z_')) {
      throw new InputError(`${name}: gzip data damaged before byte ${taken}`, 'try gzip -t on it');
    }
    throw error;
  } finally {
    source.destroy();
    unpacked.destroy();
  }
}

async function* unzstd(name: string, first: Uint8Array, rest: Bytes): Bytes {
  const decoder = await ZstdDecoder.create(name);
  try {
    for await (const piece of prepend(first, rest)) yield* decoder.push(copyOf(piece));
    decoder.end();
  } finally {
    decoder.close();
  }
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
