const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over bytes[start, end): the hash ByteTable expects. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME);
  return hash;
}

interface Slot<T> {
  readonly hash: number;
  readonly key: Uint8Array;
  readonly value: T;
}

/** A hash table from byte strings to values: looking one up makes no string. */
export class ByteTable<T> {
  private slots: (Slot<T> | undefined)[] = new Array(64).fill(undefined);
  size = 0;

  get(bytes: Uint8Array, start: number, end: number, hash: number): T | undefined {
    const slots = this.slots;
    const mask = slots.length - 1;
    const length = end - start;
    for (let i = (hash ^ (hash >>> 15)) & mask; ; i = (i + 1) & mask) {
      const slot = slots[i];
      if (slot === undefined) return undefined;
      if (slot.hash === hash && slot.key.length === length) {
        let k = 0;
        while (k < length && slot.key[k] === bytes[start + k]) k++;
        if (k === length) return slot.value;
      }
    }
  }

  /** The key must not be in the table yet. */
  add(key: Uint8Array, value: T): void {
    if (this.size * 2 >= this.slots.length) {
      const old = this.slots;
      this.slots = new Array(old.length * 2).fill(undefined);
      for (const slot of old) if (slot !== undefined) this.place(slot);
    }
    this.place({ hash: hashBytes(key, 0, key.length), key, value });
    this.size++;
  }

  private place(slot: Slot<T>): void {
    const mask = this.slots.length - 1;
    let i = (slot.hash ^ (slot.hash >>> 15)) & mask;
    while (this.slots[i] !== undefined) i = (i + 1) & mask;
    this.slots[i] = slot;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8');

/** A copy of bytes[start, end). (Buffer's slice is none.) */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 text; what is not valid becomes U+FFFD, control characters `?`. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names in recordings are not trusted
  return decoder.decode(bytes.subarray(start, end)).replace(/[\u0000-\u001f\u007f]/g, '?');
}
