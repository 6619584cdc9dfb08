import { InputError } from '../../domain/errors.ts';
import { TemporaryFile } from '../temporary-file.ts';
import { ZstdDecoder } from '../zstd.ts';
import { RecordType } from './format.ts';

/** Most one record may become if the recording does not say how large a buffer is (perf's default is 512 KiB). */
const DEFAULT_MOST = 64 << 20;
const LARGEST_MOST = 1 << 30;
/** Data of one COMPRESSED2 record that perf can have meant: beyond, it is several records (see parts). */
const LARGEST_PART = 65519;
const HEADER2 = 16;

/** Data of compressed records, decompressed into a temporary file. One zstd stream goes through all of them. */
export class Decompression {
  readonly spool: TemporaryFile;
  private readonly decoder: ZstdDecoder;
  private readonly most: number;

  /** `most`: bytes one record may become, 0 unknown. */
  constructor(name: string, most: number) {
    this.spool = new TemporaryFile(name, 'compressed, it needs a temporary copy');
    this.decoder = new ZstdDecoder(name);
    this.most = most > 0 ? Math.min(most, LARGEST_MOST) : DEFAULT_MOST;
  }

  /** The data of one record. Returns what is wrong with it, undefined if nothing is. */
  push(data: Uint8Array): string | undefined {
    const before = this.spool.size;
    try {
      for (const piece of this.decoder.push(data)) {
        this.spool.append(piece);
        if (this.spool.size - before > this.most) return 'compressed record larger than a buffer';
      }
    } catch (error) {
      if (!(error instanceof InputError) || this.decoder.position < 0) throw error;
      return 'zstd data damaged in a compressed record';
    }
    return undefined;
  }

  close(): void {
    this.decoder.close();
    this.spool.close();
  }
}

/** A COMPRESSED2 record in the file: bytes it takes, and its data. */
export interface Compressed2 {
  readonly total: number;
  readonly dataSize: number;
}

/**
 * How long a COMPRESSED2 record really is. perf 6.16 pads it to 8 bytes and writes that size into a u16: where it does
 * not fit, the size is cut to 16 bits and the padding is missing.
 */
export function compressed2(size: number, dataSize: number): Compressed2 {
  const padded = Math.ceil((HEADER2 + dataSize) / 8) * 8;
  return { total: padded > size ? HEADER2 + dataSize : size, dataSize };
}

/**
 * The data of an overlong COMPRESSED2 record: perf counted several records as one. The further ones have headers of
 * their own, with a right size and no data size.
 */
export function compressed2Parts(data: Uint8Array): readonly Uint8Array[] {
  if (data.length <= LARGEST_PART) return [data];
  for (let at = 0; at <= data.length - HEADER2; at++) {
    if (data[at] !== RecordType.compressed2) continue;
    const further = chain(data, at);
    if (further !== undefined) return [data.subarray(0, at), ...further];
  }
  return [data];
}

/** The records from `at` on, if they end where the data ends. */
function chain(data: Uint8Array, from: number): readonly Uint8Array[] | undefined {
  const parts: Uint8Array[] = [];
  for (let at = from; at < data.length; ) {
    if (at > data.length - HEADER2 || data[at] !== RecordType.compressed2) return undefined;
    for (let k = 1; k < 6; k++) if (data[at + k] !== 0) return undefined;
    const size = data[at + 6]! | (data[at + 7]! << 8);
    if (size < HEADER2 || size > data.length - at) return undefined;
    parts.push(data.subarray(at + HEADER2, at + size));
    at += size;
  }
  return parts;
}
