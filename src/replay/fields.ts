/**
 * Visits the plain fields of a state in one order, to write them down or to take them back: one list serves both, so
 * they cannot differ. Each call hands over the present value and gets the one to keep.
 */
export interface FieldVisitor {
  number(value: number): number;
  flag(value: boolean): boolean;
  u64(value: bigint): bigint;
}

/** Collects fields; `bytes` is what a FieldReader takes back. */
export class FieldWriter implements FieldVisitor {
  private readonly numbers: number[] = [];
  private readonly u64s: bigint[] = [];

  number(value: number): number {
    this.numbers.push(value);
    return value;
  }

  flag(value: boolean): boolean {
    this.numbers.push(Number(value));
    return value;
  }

  u64(value: bigint): bigint {
    this.u64s.push(value);
    return value;
  }

  bytes(): Uint8Array {
    const { numbers, u64s } = this;
    const buffer = new ArrayBuffer(8 * (2 + numbers.length + u64s.length));
    new Float64Array(buffer, 0, 2 + numbers.length).set([numbers.length, u64s.length, ...numbers]);
    new BigUint64Array(buffer, 8 * (2 + numbers.length)).set(u64s);
    return new Uint8Array(buffer);
  }
}

/** Gives fields back in the order they were written. `length` is how many bytes they took. */
export class FieldReader implements FieldVisitor {
  readonly length: number;
  private readonly numbers: Float64Array;
  private readonly u64s: BigUint64Array;
  private nextNumber = 2;
  private nextU64 = 0;

  /** `bytes` begins with what a FieldWriter made, 8-byte aligned in its buffer. */
  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset } = bytes;
    const counts = new Float64Array(buffer, byteOffset, 2);
    const numbers = 2 + counts[0]!;
    this.numbers = new Float64Array(buffer, byteOffset, numbers);
    this.u64s = new BigUint64Array(buffer, byteOffset + 8 * numbers, counts[1]!);
    this.length = 8 * (numbers + counts[1]!);
  }

  number(_value: number): number {
    return this.numbers[this.nextNumber++]!;
  }

  flag(_value: boolean): boolean {
    return this.numbers[this.nextNumber++]! !== 0;
  }

  u64(_value: bigint): bigint {
    return this.u64s[this.nextU64++]!;
  }
}
