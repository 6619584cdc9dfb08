/**
 * A state as a checkpoint keeps it. Most of a state is the same word over and over (nothing counted, nothing known), so
 * runs of equal 8-byte words are told by their length, and of other words only the bytes that are not 0: an x86 state of
 * 37 kB takes 2 to 3 kB.
 *
 * Layout: events after the cursor that are in the state and length of the state (u32 each, little-endian), then by turns
 * the number of words equal to the one before them (at first: to 0) and the number of words that follow (LEB128 both),
 * each a byte whose bit i says that byte i is there, and those bytes. What the last word lacks is taken as 0.
 */
const HEAD = 8;
const WORD = 8;

/** Packs a state; `ahead`: how many events after the checkpoint's cursor are applied already. */
export function packState(state: Uint8Array, ahead: number): Uint8Array<ArrayBuffer> {
  const words = Math.ceil(state.length / WORD);
  const bytes = new Uint8Array(words * WORD);
  bytes.set(state);
  const halves = new Uint32Array(bytes.buffer);
  // No word takes more than its mask and 8 bytes; no turn of two numbers is for less than one word, but the last.
  const out = new Uint8Array(HEAD + 20 * words + 10);
  const head = new DataView(out.buffer);
  head.setUint32(0, ahead, true);
  head.setUint32(4, state.length, true);
  let at = HEAD;
  const number = (value: number): void => {
    let rest = value;
    for (; rest > 127; rest >>>= 7) out[at++] = (rest & 127) | 128;
    out[at++] = rest;
  };
  const sameAsBefore = (word: number): boolean =>
    halves[2 * word] === (word === 0 ? 0 : halves[2 * word - 2]) &&
    halves[2 * word + 1] === (word === 0 ? 0 : halves[2 * word - 1]);
  for (let word = 0; word < words; ) {
    let to = word;
    while (to < words && sameAsBefore(to)) to++;
    number(to - word);
    word = to;
    while (to < words && !sameAsBefore(to)) to++;
    number(to - word);
    for (; word < to; word++) {
      const mask = at++;
      let there = 0;
      for (let i = 0; i < WORD; i++) {
        const byte = bytes[word * WORD + i]!;
        if (byte === 0) continue;
        there |= 1 << i;
        out[at++] = byte;
      }
      out[mask] = there;
    }
  }
  return out.slice(0, at);
}

/** Takes apart what `packState` made. */
export function unpackState(packed: Uint8Array): {
  readonly state: Uint8Array;
  readonly ahead: number;
} {
  const head = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = head.getUint32(4, true);
  const words = Math.ceil(length / WORD);
  const bytes = new Uint8Array(words * WORD);
  const halves = new Uint32Array(bytes.buffer);
  let at = HEAD;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= packed.length) throw new RangeError('a packed state ends early');
      const byte = packed[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  for (let word = 0; word < words; ) {
    const same = word + number();
    const low = word === 0 ? 0 : halves[2 * word - 2]!;
    const high = word === 0 ? 0 : halves[2 * word - 1]!;
    if (low === 0 && high === 0) word = same;
    for (; word < same; word++) {
      halves[2 * word] = low;
      halves[2 * word + 1] = high;
    }
    for (const to = word + number(); word < to; word++) {
      const mask = packed[at++]!;
      for (let i = 0; i < WORD; i++) {
        if ((mask & (1 << i)) !== 0) bytes[word * WORD + i] = packed[at++]!;
      }
    }
  }
  return { state: bytes.subarray(0, length), ahead: head.getUint32(0, true) };
}
