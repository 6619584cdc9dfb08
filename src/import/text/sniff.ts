import { RawRecord } from '../raw-record.ts';
import { LineHead } from './line-head.ts';
import type { Dialect } from './text-reader.ts';

/** Lines looked at. */
const MAX_LINES = 200;

/** Share of the first lines that begin like events of the dialect, ignoring header lines, 0 … 0.95. */
export function sniffLines(bytes: Uint8Array, dialect: Dialect): number {
  const head = new LineHead();
  const record = new RawRecord();
  let from = 0;
  let lines = 0;
  let events = 0;
  while (from < bytes.length && lines < MAX_LINES) {
    const newline = bytes.indexOf(0x0a, from);
    if (newline < 0) break;
    const end = newline > from && bytes[newline - 1] === 0x0d ? newline - 1 : newline;
    const first = bytes[from]!;
    // Comments, blank lines and callchains say nothing about the format.
    if (end > from && first !== 0x23 && first !== 0x09) {
      lines++;
      if (dialect.head(head, bytes, from, end, record) >= 0) events++;
    }
    from = newline + 1;
  }
  if (events === 0) return 0;
  return 0.3 + 0.65 * (events / lines);
}

/** True if the text contains `needle` in its first `within` bytes. */
export function contains(bytes: Uint8Array, needle: string, within = 4096): boolean {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, within));
  return text.includes(needle);
}
