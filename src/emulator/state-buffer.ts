/** Whether a counter has a backing event. */
export const Backing = { none: 0, live: 1, maybe: 2 } as const;
/** Whether that event is enabled (and not paused). */
export const Gate = { off: 0, on: 1, maybe: 2 } as const;

/** The state of an emulated PMU: columns of one buffer, so that a snapshot is one copy. */
export class StateBuffer {
  protected readonly buffer: ArrayBuffer;
  #taken = 0;
  /** Sequence number of the event being applied: what `since` is set to. Not part of a snapshot. */
  seq = -1;

  constructor(bytes: number) {
    this.buffer = new ArrayBuffer(bytes);
  }

  #take(bytes: number): number {
    this.#taken += bytes;
    return this.#taken - bytes;
  }

  // Columns, one after the other; those with longer elements first.
  protected u64(length: number): BigUint64Array {
    return new BigUint64Array(this.buffer, this.#take(8 * length), length);
  }
  protected f64(length: number): Float64Array {
    return new Float64Array(this.buffer, this.#take(8 * length), length);
  }
  protected u32(length: number): Uint32Array {
    return new Uint32Array(this.buffer, this.#take(4 * length), length);
  }
  protected i32(length: number): Int32Array {
    return new Int32Array(this.buffer, this.#take(4 * length), length);
  }
  protected u8(length: number): Uint8Array {
    return new Uint8Array(this.buffer, this.#take(length), length);
  }

  snapshot(): Uint8Array {
    return new Uint8Array(this.buffer.slice(0));
  }

  /** Takes a snapshot back; false (and no change) if it is not of this size. */
  restore(bytes: Uint8Array): boolean {
    if (bytes.byteLength !== this.buffer.byteLength) return false;
    new Uint8Array(this.buffer).set(bytes);
    return true;
  }
}
