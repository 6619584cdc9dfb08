/** Seeded damage to recordings: what disks, editors, pipes, broken tools and other tools' versions do to text. */

/** Whole numbers below a bound, always the same ones for a seed. */
export type Random = (below: number) => number;

export function random(seed: number): Random {
  let state = (seed * 0x9e3779b1) >>> 0;
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Numbers that fit no column, or just do. */
const NUMBERS = [
  '0',
  '-1',
  '-281',
  '127',
  '128',
  '255',
  '32767',
  '32768',
  '65536',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '99999999999',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '123456789012345678901234567890',
  '0xffffffffffffffff',
  '0x1ffffffffffffffff',
  '1e99',
  '0.0000000001',
  'nan',
  '',
];
const JUNK = [
  '\0\0\0',
  '\xff\xfe\xc3\x28',
  '\x1b[31m',
  '\r',
  '{"',
  '==> ',
  ']: ',
  'x'.repeat(70000),
];
const NUMBER = /0x[0-9a-f]+|\d+/g;

type Damage = (lines: string[], random: Random) => void;

const DAMAGES: readonly Damage[] = [
  function flipBits(lines, below) {
    const at = below(lines.length);
    const bytes = Buffer.from(lines[at]!, 'latin1');
    if (bytes.length === 0) return;
    const byte = below(bytes.length);
    bytes[byte] = bytes[byte]! ^ (1 << below(8));
    lines[at] = bytes.toString('latin1');
  },
  function cutLine(lines, below) {
    const at = below(lines.length);
    lines[at] = lines[at]!.slice(0, below(lines[at]!.length + 1));
  },
  function cutStart(lines, below) {
    const at = below(lines.length);
    lines[at] = lines[at]!.slice(below(lines[at]!.length + 1));
  },
  function repeatLine(lines, below) {
    const at = below(lines.length);
    lines.splice(below(lines.length), 0, ...new Array(1 + below(3)).fill(lines[at]!));
  },
  function swapLines(lines, below) {
    const [a, b] = [below(lines.length), below(lines.length)];
    [lines[a], lines[b]] = [lines[b]!, lines[a]!];
  },
  function loseLines(lines, below) {
    lines.splice(below(lines.length), 1 + below(lines.length >> 2));
    if (lines.length === 0) lines.push('');
  },
  function joinLines(lines, below) {
    const at = below(lines.length);
    lines.splice(at, 2, lines.slice(at, at + 2).join(''));
  },
  function changeNumber(lines, below) {
    const at = below(lines.length);
    const numbers = [...lines[at]!.matchAll(NUMBER)];
    if (numbers.length === 0) return;
    const { index, 0: text } = numbers[below(numbers.length)]!;
    const other = NUMBERS[below(NUMBERS.length)]!;
    lines[at] = lines[at]!.slice(0, index) + other + lines[at]!.slice(index + text.length);
  },
  // A recording of another machine: the same number is another one everywhere.
  function changeNumberEverywhere(lines, below) {
    const numbers = [...lines[below(lines.length)]!.matchAll(NUMBER)];
    if (numbers.length === 0) return;
    const number = numbers[below(numbers.length)]![0];
    const other = NUMBERS[below(NUMBERS.length)]!;
    const whole = new RegExp(`(?<![0-9a-fx])${number}(?![0-9a-f])`, 'g');
    for (const [at, line] of lines.entries()) lines[at] = line.replace(whole, other);
  },
  function exchangeWord(lines, below) {
    const at = below(lines.length);
    const words = lines[at]!.split(/(?<=\s)/);
    const others = lines[below(lines.length)]!.split(/(?<=\s)/);
    words[below(words.length)] = others[below(others.length)]!;
    lines[at] = words.join('');
  },
  function insertJunk(lines, below) {
    const at = below(lines.length);
    const place = below(lines[at]!.length + 1);
    const junk = JUNK[below(JUNK.length)]!;
    lines[at] = lines[at]!.slice(0, place) + junk + lines[at]!.slice(place);
  },
];

/** A recording after one to six random damages. */
export function mutated(recording: Uint8Array, seed: number): Uint8Array {
  const below = random(seed);
  const lines = Buffer.from(recording).toString('latin1').split('\n');
  for (let left = 1 + below(6); left > 0; left--) DAMAGES[below(DAMAGES.length)]!(lines, below);
  return Buffer.from(lines.join('\n'), 'latin1');
}
