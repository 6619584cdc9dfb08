import { textOf } from '../byte-table.ts';
import type { StreamImporter } from '../importer.ts';
import type { LineHead } from './line-head.ts';
import { contains, sniffLines } from './sniff.ts';
import { type Dialect, TextReader } from './text-reader.ts';

const HASH = 0x23;
const MAX_ASIDE = 512;

/** `entries-in-buffer/entries-written: 1315/374796`: what was overwritten is lost. */
function lostOfHeader(reader: TextReader, line: string): void {
  const found = /entries-in-buffer\/entries-written:\s*(\d{1,19})\/(\d{1,19})/.exec(line);
  if (found === null) return;
  const lost = BigInt(found[2]!) - BigInt(found[1]!);
  if (lost > 0n) reader.lost(lost, -1);
}

/** `CPU:0 [738 EVENTS DROPPED]`, `CPU:0 [EVENTS DROPPED]`, `CPU:1 [LOST 12 EVENTS]`. */
function lostOfLine(reader: TextReader, line: string): boolean {
  const found =
    /^\s*CPU:(\d{1,4}) \[(?:LOST (\d{1,19}) EVENTS|(?:(\d{1,19}) )?EVENTS DROPPED)\]/i.exec(line);
  if (found === null) return false;
  const count = found[2] ?? found[3];
  reader.lost(count === undefined ? -1 : BigInt(count), Number(found[1]));
  return true;
}

function aside(reader: TextReader, bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  const line = textOf(bytes, start, Math.min(end, start + MAX_ASIDE));
  if (bytes[start] === HASH) {
    // Only printed when some buffer ran over: what this CPU did before is not in the file.
    const started = /^##### CPU (\d{1,4}) buffer started ####/.exec(line);
    if (started !== null) reader.lost(-1, Number(started[1]));
    else lostOfHeader(reader, line);
    return true;
  }
  if (lostOfLine(reader, line)) return true;
  const version = /^version = (\d+)/.exec(line);
  if (version !== null) {
    reader.found.toolVersion = `trace.dat version ${version[1]}`;
    return true;
  }
  return (
    /^\s*(cpus=\d+|CPU:? ?\d+ is empty|buffer .*|\[?\d* ?EVENTS DROPPED\]?)\s*$/i.test(line) ||
    // A stack trace under a line.
    /^\s*=> |^\s*<stack trace>/.test(line) ||
    /^\s*$/.test(line)
  );
}

function head(
  lines: LineHead,
  bytes: Uint8Array,
  start: number,
  end: number,
  record: Parameters<Dialect['head']>[4],
): number {
  return lines.ftrace(bytes, start, end, record);
}

const REPORT: Dialect = { format: 'trace-cmd-report', head, aside };
const TRACEFS: Dialect = { format: 'tracefs', head, aside };

/** Text of `trace-cmd report`, with or without -t and -R. */
export const traceCmdReport: StreamImporter = {
  format: REPORT.format,
  sniff(bytes) {
    const score = sniffLines(bytes, REPORT);
    if (score === 0) return 0;
    return /^(version = \d+\n)?cpus=\d/.test(firstText(bytes)) ? 1 : score;
  },
  open: (context) => new TextReader(context, REPORT),
};

/** The kernel's own `trace` file (or trace_pipe). */
export const tracefs: StreamImporter = {
  format: TRACEFS.format,
  sniff(bytes) {
    const score = sniffLines(bytes, TRACEFS);
    if (contains(bytes, '# tracer: ') || contains(bytes, '# entries-in-buffer/'))
      return score === 0 ? 0.5 : 1;
    // Without a header the two look alike but for the flags column, which trace-cmd leaves out.
    return score > 0 && /\] [A-Za-z.#0-9]{4,5} +\d+\.\d{6}: /.test(firstText(bytes))
      ? score + 0.01
      : score - 0.01;
  },
  open: (context) => new TextReader(context, TRACEFS),
};

function firstText(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes.subarray(0, 2048));
}
