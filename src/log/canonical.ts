/** What the database columns of a log can hold, as better-sqlite3 gives them with safe integers. */
export type SqlValue = bigint | string | Uint8Array | null;

/** A stored value of a type no importer writes: only damage makes one. The callers add the file. */
export class RowError extends Error {}

export function asInteger(value: unknown): bigint {
  if (typeof value !== 'bigint') throw new RowError(`a stored number is ${kindOf(value)}`);
  return value;
}

/** An integer as a double; beyond 2^53 the nearest one, which no check will take for a good value. */
export function asNumber(value: unknown): number {
  return Number(asInteger(value));
}

/** A u64 stored in two's complement. */
export function asUnsigned(value: unknown): bigint {
  return BigInt.asUintN(64, asInteger(value));
}

export function asText(value: unknown): string {
  if (typeof value !== 'string') throw new RowError(`a stored text is ${kindOf(value)}`);
  return value;
}

export function asBlob(value: unknown): Buffer {
  if (!Buffer.isBuffer(value)) throw new RowError(`a stored blob is ${kindOf(value)}`);
  return value;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'missing';
  return typeof value === 'object' ? 'a blob' : typeof value === 'string' ? 'a text' : 'a number';
}

const TAG = { null: 0, integer: 1, text: 2, blob: 3 } as const;

/**
 * The bytes a row of values is hashed by: per value a tag byte, then 8 bytes little-endian in two's complement (1,
 * integer), or a length of 4 bytes little-endian and the UTF-8 or raw bytes (2, text; 3, blob); nothing for null (0).
 */
export function canonicalBytes(values: readonly SqlValue[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const value of values) {
    if (value === null) {
      parts.push(Uint8Array.of(TAG.null));
    } else if (typeof value === 'bigint') {
      const part = Buffer.alloc(9, TAG.integer);
      part.writeBigInt64LE(BigInt.asIntN(64, value), 1);
      parts.push(part);
    } else if (typeof value === 'number') {
      throw new RowError('a stored value is a fraction');
    } else {
      const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
      const head = Buffer.alloc(5, typeof value === 'string' ? TAG.text : TAG.blob);
      head.writeUInt32LE(bytes.length, 1);
      parts.push(head, bytes);
    }
  }
  return Buffer.concat(parts);
}
