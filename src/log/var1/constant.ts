/** True if all elements of a column are the same bytes: then it is equal to itself moved by one element. */
export function isConstant(column: Uint8Array | Uint16Array | BigUint64Array | IntArray): boolean {
  const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT: size } = column;
  if (byteLength <= size) return true;
  const all = Buffer.from(buffer, byteOffset, byteLength);
  return all.compare(all, size, byteLength, 0, byteLength - size) === 0;
}

type IntArray = Int8Array | Int16Array | Int32Array | Uint32Array;
