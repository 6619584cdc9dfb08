import { InputError } from '../../domain/errors.ts';
import type { RecordingFile } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import { CpuCursor, type DamageReport } from './cpu-cursor.ts';
import { CpuPages } from './cpu-pages.ts';
import { MAX_CPUS, type TraceDat } from './description.ts';
import { knownRecordHeader, pageLayout } from './ring-buffer-page.ts';
import { tellUnclaimed } from './unclaimed.ts';

/** What is read ahead or unpacked for all CPUs together. */
const MAX_PIECES = 256 * 1024 * 1024;
/** Pages of all CPUs in memory together. */
const MAX_MEMORY = 128 * 1024 * 1024;
const MIN_PAGE = 256;
const MAX_PAGE = 1024 * 1024;
/** Further ones are told together. */
const MAX_TOLD = 64;

/** One stretch of the file that holds pages. */
interface Stretch {
  readonly cpu: number;
  readonly buffer: string;
  readonly packed: boolean;
  readonly pageSize: number;
  readonly offset: number;
  readonly size: number;
}

/** A cursor for each CPU of each buffer that has data, in the order trace-cmd report prints equal times. */
export function openCursors(
  file: RecordingFile,
  trace: TraceDat,
  report: DamageReport,
  book: NoticeBook,
): readonly CpuCursor[] {
  const layout = pageLayout(trace.headerPage, 8);
  if (layout === undefined || !knownRecordHeader(trace.headerEvent)) {
    throw new InputError(
      `${file.name}: its kernel lays out the ring buffer in a way that is not known`,
      'import the text of trace-cmd report',
    );
  }
  const stretches = usable(stretchesOf(trace), file, book);
  tellUnclaimed(trace.buffers, book);
  const memory = stretches.reduce((sum, { pageSize }) => sum + pageSize, 0);
  if (memory > MAX_MEMORY) {
    throw new InputError(`${file.name}: pages of ${stretches.length} CPUs take ${memory} bytes`);
  }
  const bytes = new Uint8Array(memory);
  const view = new DataView(bytes.buffer);
  const budget = { left: MAX_PIECES };
  let at = 0;
  return stretches.map((stretch, order) => {
    const { cpu, packed, pageSize, offset, size } = stretch;
    const codec = packed ? trace.codec : undefined;
    const pages = new CpuPages(file, codec, pageSize, { offset, size }, budget);
    const slot = { bytes, view, at, size: pageSize };
    at += pageSize;
    return new CpuCursor(cpu, order, pages, layout, slot, report);
  });
}

function stretchesOf(trace: TraceDat): Stretch[] {
  // The top instance comes first in the report, wherever it is in the file.
  const buffers = [...trace.buffers].sort((a, b) => Number(a.name !== '') - Number(b.name !== ''));
  return buffers.flatMap(({ name, packed, pageSize, cpus }) =>
    cpus.map(({ cpu, offset, size }) => ({ cpu, buffer: name, packed, pageSize, offset, size })),
  );
}

/** Those that can be read at all; each byte of the file belongs to one CPU. */
function usable(stretches: readonly Stretch[], file: RecordingFile, book: NoticeBook): Stretch[] {
  let told = 0;
  const refuse = (stretch: Stretch, what: string): boolean => {
    const buffer = stretch.buffer === '' ? '' : ` of buffer ${stretch.buffer}`;
    const text = `CPU ${stretch.cpu}${buffer}: ${what}`.replace(/[^\x20-\x7e]/g, '?');
    const detail = told++ < MAX_TOLD ? text : '';
    book.add('error', 'damaged-data', text, stretch.offset, 1, detail);
    return false;
  };
  const filled = stretches.filter((stretch) => {
    const { cpu, pageSize, offset, size } = stretch;
    if (size === 0) return false;
    if (cpu >= MAX_CPUS) return refuse(stretch, 'no host has so many CPUs');
    if (pageSize < MIN_PAGE || pageSize > MAX_PAGE || (pageSize & (pageSize - 1)) !== 0) {
      return refuse(stretch, `pages of ${pageSize} bytes`);
    }
    if (offset >= file.size) return refuse(stretch, `its data should begin at byte ${offset}`);
    return true;
  });
  const byOffset = [...filled].sort((a, b) => a.offset - b.offset);
  const overlapping = new Set<Stretch>();
  let end = 0;
  for (const stretch of byOffset) {
    if (stretch.offset < end) overlapping.add(stretch);
    else end = stretch.offset + stretch.size;
  }
  return filled.filter(
    (stretch) => !overlapping.has(stretch) || refuse(stretch, 'its data is that of another CPU'),
  );
}
