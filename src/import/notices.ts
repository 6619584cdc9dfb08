import type { ImportNotice } from '../domain/log-facts.ts';

interface Entry {
  severity: ImportNotice['severity'];
  code: string;
  text: string;
  count: number;
  firstAt: number | undefined;
}

/** Counts what was not taken over as it stood, one entry per code and detail. */
export class NoticeBook {
  private readonly entries = new Map<string, Entry>();

  /** One more of `code`; the first text and place are kept. `detail` separates entries of one code. */
  add(
    severity: ImportNotice['severity'],
    code: string,
    text: string,
    at?: number,
    count = 1,
    detail = '',
  ): void {
    const key = `${code}\n${detail}`;
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.entries.set(key, { severity, code, text, count, firstAt: at });
    } else {
      entry.count += count;
    }
  }

  list(): ImportNotice[] {
    return [...this.entries.values()].map(({ firstAt, ...entry }) =>
      firstAt === undefined ? entry : { ...entry, firstAt },
    );
  }
}

/** Text of the recording for a message: one line, printable, cut. */
export function excerpt(bytes: Uint8Array, start: number, end: number, max = 60): string {
  const cut = Math.min(end, start + max);
  let text = '';
  for (let i = start; i < cut; i++) {
    const byte = bytes[i]!;
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 9 ? ' ' : '?';
  }
  return cut < end ? `${text.trim()}…` : text.trim();
}
