import { grouped } from '../../domain/u64.ts';

/**
 * Text of a recording as it can be shown: a control character becomes `\xNN`, so that no recording can drive the
 * reader's terminal.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** `1 event`, `2,000 events`. */
export function plural(count: number | bigint, one: string, many: string = `${one}s`): string {
  return `${grouped(count)} ${count === 1 || count === 1n ? one : many}`;
}

/** Bytes in the unit that leaves one to four digits: `812 B`, `3.4 KiB`, `118 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A length of time in the unit that reads best, exact to the ns: `4.149 s` is `4.149000000 s` cut after its last digit. */
export function formatDuration(ns: bigint): string {
  const units = [
    ['s', 9],
    ['ms', 6],
    ['us', 3],
    ['ns', 0],
  ] as const;
  const magnitude = ns < 0n ? -ns : ns;
  const [unit, decimals] =
    units.find(([, digits]) => magnitude >= 10n ** BigInt(digits)) ?? units[3];
  const digits = magnitude.toString().padStart(decimals + 1, '0');
  const whole = decimals === 0 ? digits : digits.slice(0, -decimals);
  const fraction = decimals === 0 ? '' : digits.slice(-decimals).replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`} ${unit}`;
}

/** The known word that `text` was most likely meant to be; undefined when none is near. */
export function nearest(text: string, words: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(text.length / 3)) + 1;
  for (const word of words) {
    const distance = word.startsWith(text) && text.length > 2 ? 1 : editDistance(text, word);
    if (distance < least) {
      least = distance;
      best = word;
    }
  }
  return best;
}

/** Insertions, deletions and replacements between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
