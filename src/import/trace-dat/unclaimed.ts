import type { NoticeBook } from '../notices.ts';
import type { BufferData } from './description.ts';

/** The number of packed pieces stands before them and is not counted in a CPU's size. */
const PIECES = 4;

/**
 * trace-cmd puts the data of the CPUs one behind the other, each from the next whole page on. Bytes between them that are
 * nobody's say that an index is damaged: the data of a CPU is missing, and nothing else would tell.
 */
export function tellUnclaimed(buffers: readonly BufferData[], book: NoticeBook): void {
  for (const { stored, cpus, pageSize, packed } of buffers) {
    if (stored === undefined || !(pageSize > 0)) continue;
    const nextPage = (at: number): number => Math.ceil(at / pageSize) * pageSize;
    let end = stored.start;
    const tell = (from: number, to: number): void => {
      if (to <= from) return;
      const text = `${to - end} bytes from byte ${end} on are of no CPU`;
      book.add('warning', 'unclaimed-data', text, end, 1);
    };
    // A CPU without data has a place as well, with a number of pieces of 0.
    const there = cpus.filter(({ offset }) => offset >= stored.start && offset <= stored.end);
    for (const { offset, size } of there.sort((a, b) => a.offset - b.offset)) {
      tell(nextPage(end), offset);
      end = Math.max(end, offset + size + (packed ? PIECES : 0));
    }
    tell(packed ? end : nextPage(end), stored.end);
  }
}
