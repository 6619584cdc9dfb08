import { type Random, random } from './mutate.ts';

/** Numbers that are too large, too small, or just not, in any width. */
const NUMBERS: readonly bigint[] = [
  ...[
    0n,
    1n,
    2n,
    3n,
    7n,
    8n,
    9n,
    15n,
    16n,
    63n,
    64n,
    127n,
    128n,
    255n,
    256n,
    0x7fffn,
    0x8000n,
    0xffffn,
  ],
  ...[0x10000n, 0xffffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x1fffffffffffffn],
  ...[
    0x20000000000000n,
    0x7fffffffffffffffn,
    0x8000000000000000n,
    0xffffffffffffffffn,
    0xfffffffffffffff8n,
  ],
];
const WIDTHS = [1, 2, 4, 8] as const;
/** Bytes at the beginning, at the end and around a place: where headers and tables are. */
const NEAR = 512;

type Damage = (bytes: Buffer, random: Random) => Buffer;

/** Most of the damage goes where the structure is: the beginning, the end; the rest anywhere. */
function place(bytes: Buffer, below: Random): number {
  const { length } = bytes;
  if (length === 0) return 0;
  switch (below(4)) {
    case 0:
      return below(Math.min(NEAR, length));
    case 1:
      return length - 1 - below(Math.min(4 * NEAR, length));
    default:
      return below(length);
  }
}

/** Writes a number of 1, 2, 4 or 8 bytes, as far as it fits. */
function put(bytes: Buffer, at: number, width: number, value: bigint): void {
  for (let k = 0; k < width && at + k < bytes.length; k++) {
    bytes[at + k] = Number((value >> BigInt(8 * k)) & 0xffn);
  }
}

function get(bytes: Buffer, at: number, width: number): bigint {
  let value = 0n;
  for (let k = 0; k < width && at + k < bytes.length; k++) {
    value |= BigInt(bytes[at + k]!) << BigInt(8 * k);
  }
  return value;
}

const DAMAGES: readonly Damage[] = [
  function flipBit(bytes, below) {
    const at = place(bytes, below);
    bytes[at] = bytes[at]! ^ (1 << below(8));
    return bytes;
  },
  function flipBits(bytes, below) {
    for (let left = 2 + below(30); left > 0; left--) {
      const at = place(bytes, below);
      bytes[at] = bytes[at]! ^ (1 << below(8));
    }
    return bytes;
  },
  function setNumber(bytes, below) {
    const width = WIDTHS[below(4)]!;
    const at = place(bytes, below);
    put(bytes, at - (below(4) > 0 ? at % width : 0), width, NUMBERS[below(NUMBERS.length)]!);
    return bytes;
  },
  function nudgeNumber(bytes, below) {
    const width = WIDTHS[below(4)]!;
    const at = place(bytes, below);
    const aligned = at - (at % width);
    put(bytes, aligned, width, get(bytes, aligned, width) + BigInt(below(33) - 16));
    return bytes;
  },
  /** Sizes, counts and offsets are small numbers among zeros: finds one and changes it. */
  function setSize(bytes, below) {
    const start = place(bytes, below) & ~3;
    for (let at = start; at + 8 <= bytes.length && at < start + 4096; at += 4) {
      const value = get(bytes, at, 8);
      if (value === 0n || value > BigInt(4 * bytes.length)) continue;
      const other = below(2) === 0 ? NUMBERS[below(NUMBERS.length)]! : value * BigInt(below(9));
      put(bytes, at, 8, other);
      break;
    }
    return bytes;
  },
  /** An offset that leads back, or to itself. */
  function pointInside(bytes, below) {
    const at = place(bytes, below) & ~7;
    put(bytes, at, 8, BigInt(below(2) === 0 ? at : below(bytes.length)));
    return bytes;
  },
  function truncate(bytes, below) {
    return bytes.subarray(0, below(2) === 0 ? below(bytes.length) : bytes.length - below(64));
  },
  function fill(bytes, below) {
    const at = place(bytes, below);
    const value = [0, 0xff, 0x20, 0x0a][below(4)]!;
    return bytes.fill(value, at, Math.min(bytes.length, at + 1 + below(300)));
  },
  function remove(bytes, below) {
    const at = place(bytes, below);
    const length = below(2) === 0 ? 1 + below(16) : below(5000);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  },
  function insert(bytes, below) {
    const at = place(bytes, below);
    const junk = Buffer.alloc(1 + below(64), below(256));
    return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)]);
  },
  function copyOver(bytes, below) {
    const [from, to] = [place(bytes, below), place(bytes, below)];
    const piece = Buffer.from(bytes.subarray(from, from + 1 + below(600)));
    piece.copy(bytes, to);
    return bytes;
  },
  function repeat(bytes, below) {
    const at = place(bytes, below);
    const piece = bytes.subarray(at, at + 1 + below(2000));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
];

/** A binary recording after one to four random damages; half of all mutants have only one. */
export function mutatedBinary(recording: Uint8Array, seed: number): Uint8Array {
  const below = random(seed);
  let bytes: Buffer = Buffer.from(recording);
  for (let left = below(2) === 0 ? 1 : 1 + below(4); left > 0; left--) {
    bytes = DAMAGES[below(DAMAGES.length)]!(bytes, below);
  }
  return bytes;
}
