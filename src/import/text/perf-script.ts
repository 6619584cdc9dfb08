import { textOf } from '../byte-table.ts';
import type { StreamImporter } from '../importer.ts';
import { headerFact } from './header-facts.ts';
import type { LineHead } from './line-head.ts';
import { contains, sniffLines } from './sniff.ts';
import { type Dialect, TextReader } from './text-reader.ts';

const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
/** Header lines beyond this are not looked at. */
const MAX_HEADER_LINE = 8192;
const MAX_RECORD = 256;

/** A line of a callchain: white space and an address. */
function isCallchain(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end && (bytes[p] === SPACE || bytes[p] === TAB)) p++;
  if (p === start) return false;
  const first = p;
  while (p < end && isHex(bytes[p]!)) p++;
  return p - first >= 3 && (p === end || bytes[p] === SPACE);
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

/**
 * `PERF_RECORD_…` lines (--show-lost-events, --show-task-events, …): lost records are taken over. `here`: the line had
 * a time of its own.
 */
function perfRecord(reader: TextReader, text: string, here: boolean): boolean {
  const record = /^(?:unknown:\s+)?PERF_RECORD_(\w+)/.exec(text);
  if (record === null) return false;
  if (!/^LOST(_SAMPLES)?$/.test(record[1]!)) {
    reader.book.add('info', 'perf-record-line', 'PERF_RECORD_ lines, not needed', reader.lines);
    return true;
  }
  const lost = /\blost(?: samples)?[ :=]*(\d{1,19})/.exec(text.slice(record[0].length));
  const count = lost === null ? -1 : BigInt(lost[1]!);
  if (here) reader.mapper.lost(count, reader.record.pcpu, true);
  else reader.lost(count, -1);
  return true;
}

const DIALECT: Dialect = {
  format: 'perf-script',
  head: (head: LineHead, bytes, start, end, record) => head.perf(bytes, start, end, record),
  aside(reader, bytes, start, end) {
    if (start === end) return true;
    if (bytes[start] === HASH) {
      headerFact(reader.found, textOf(bytes, start, Math.min(end, start + MAX_HEADER_LINE)));
      return true;
    }
    if (isCallchain(bytes, start, end)) {
      reader.book.add('info', 'callchain-line', 'lines of callchains, not needed', reader.lines);
      return true;
    }
    let p = start;
    while (p < end && (bytes[p] === SPACE || bytes[p] === TAB)) p++;
    return p === end || perfRecord(reader, textOf(bytes, p, Math.min(end, p + MAX_RECORD)), false);
  },
  special(reader, bytes, at, end) {
    if (perfRecord(reader, textOf(bytes, at, Math.min(end, at + MAX_RECORD)), true)) return true;
    let stop = at;
    while (stop < end && bytes[stop] !== SPACE) stop++;
    const token = textOf(bytes, at, stop);
    // Only a period tells a sample of a hardware or software event, unless a rule knows the name (-F +period).
    if (!reader.hasPeriod || !token.endsWith(':')) return false;
    const name = token.slice(token.indexOf(':') + 1, -1);
    if (reader.context.rules.has(name)) return false;
    reader.samples++;
    const text = 'samples of hardware or software events, left out';
    reader.book.add('info', 'hardware-sample', text, reader.lines);
    return true;
  },
  finish(reader) {
    // arm64 marks everything recorded while a vCPU is loaded as a guest sample, and perf script leaves those out
    // unless it is told of guests. What is left looks healthy: the host's side of the vCPU thread.
    const { guestModeSeen, vcpuSeen } = reader.mapper.threads;
    if (guestModeSeen || !vcpuSeen) return;
    const loaded = reader.names.countWhere((rule) => rule.vcpuLoaded === true);
    const arm64 = reader.names.countWhere((rule) => rule.arch === 'arm64');
    const x86 = reader.names.countWhere((rule) => rule.arch === 'x86');
    const switches = reader.names.countWhere((rule) => rule.name === 'sched_switch');
    if (loaded > 0 || arm64 === 0 || x86 > 0 || switches === 0) return;
    reader.book.add(
      'warning',
      'guest-samples-missing',
      'nothing recorded while a vCPU was loaded is in this text: print it again with perf script --header --ns --guest-code',
    );
  },
};

/** How `perf script --header` begins. */
const HEADER = '# ========\n# captured on';

/** Text of `perf script`. */
export const perfScript: StreamImporter = {
  format: DIALECT.format,
  sniff: (head) =>
    Math.max(sniffLines(head, DIALECT), contains(head, HEADER, HEADER.length) ? 0.9 : 0),
  open: (context) => new TextReader(context, DIALECT),
};
