import { type CpuPages, PageResult } from './cpu-pages.ts';
import {
  COMMIT_MISSED,
  COMMIT_SIZE,
  COMMIT_STORED,
  type PageLayout,
  RecordType,
} from './ring-buffer-page.ts';

/** What is next on a CPU. */
export const Next = { record: 0, pageOver: 1, end: 2 } as const;
export type Next = (typeof Next)[keyof typeof Next];

/** Told of what cannot be read. */
export interface DamageReport {
  /** Records of this CPU are lost because of what is at byte `at`. */
  damage(cursor: CpuCursor, at: number, what: string): void;
}

/** Space in the memory all cursors share: pages there never move, so their views stay good. */
export interface PageSlot {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly at: number;
  readonly size: number;
}

/** Walks the records of one CPU in one buffer. */
export class CpuCursor {
  readonly cpu: number;
  /** Position among all cursors: of equal times the lower comes first. */
  readonly order: number;
  // The record last got by `next`.
  timeLow = 0;
  timeHigh = 0;
  /** Its bytes, common_type first, are bytes[start, end) of the slot. */
  start = 0;
  end = 0;
  /**
   * Records lost before it: 0 none, −1 nobody knows how many. The reader sets it back.
   */
  lost: bigint | -1 | 0 = 0;
  private readonly pages: CpuPages;
  private readonly layout: PageLayout;
  readonly slot: PageSlot;
  private readonly report: DamageReport;
  /** The next record header, and the end of records, in the slot. */
  private at = 0;
  private limit = 0;
  private isCut = false;

  constructor(
    cpu: number,
    order: number,
    pages: CpuPages,
    layout: PageLayout,
    slot: PageSlot,
    report: DamageReport,
  ) {
    this.cpu = cpu;
    this.order = order;
    this.pages = pages;
    this.layout = layout;
    this.slot = slot;
    this.report = report;
  }

  /** Where in the file the record is (packed: where the piece begins that it is in). */
  get fileAt(): number {
    return this.pages.at;
  }

  get used(): number {
    return this.pages.used;
  }

  /** Goes to the next record of this page. */
  next(): Next {
    const { view } = this.slot;
    const limit = this.limit;
    let at = this.at;
    while (at + 4 <= limit) {
      const header = view.getUint32(at, true);
      const type = header & 31;
      const delta = header >>> 5;
      let length: number;
      let start = at + 4;
      if (type > 0 && type <= RecordType.longest) {
        length = type * 4;
      } else {
        if (type === RecordType.padding && delta === 0) break;
        if (start + 4 > limit) {
          this.pageDamage(at, 'a record reaches beyond its page');
          break;
        }
        const word = view.getUint32(start, true);
        start += 4;
        if (type === RecordType.timeExtend) {
          this.addTime((word << 27) | delta, word >>> 5);
          at = start;
          continue;
        }
        if (type === RecordType.timeStamp) {
          this.setTime(((word << 27) | delta) >>> 0, word >>> 5);
          at = start;
          continue;
        }
        // The length counts the word it is in.
        if (word < 4) {
          this.pageDamage(at, 'a record without a length');
          break;
        }
        length = word - 4;
      }
      const end = start + length;
      if (end > limit) {
        this.pageDamage(at, 'a record reaches beyond its page');
        break;
      }
      this.addTime(delta, 0);
      at = (end + 3) & ~3;
      // A record that was taken back.
      if (type === RecordType.padding) continue;
      this.start = start;
      this.end = end;
      this.at = at;
      return Next.record;
    }
    if (at < limit && at + 4 > limit) this.pageDamage(at, 'a record reaches beyond its page');
    this.at = this.limit;
    return Next.pageOver;
  }

  /** Goes to the next page; `record` says that there is one (which may hold no record). */
  nextPage(): Next {
    if (this.isCut) return Next.end;
    const { pages, slot, layout } = this;
    this.at = this.limit = slot.at;
    const result = pages.get(slot.bytes, slot.at);
    if (result === PageResult.end) return Next.end;
    if (result === PageResult.damaged) {
      this.lose(pages.damagedAt, pages.damage);
      return Next.pageOver;
    }
    const base = slot.at;
    const { view } = slot;
    const there = pages.length;
    if (there < layout.data) {
      this.isCut = true;
      this.lose(pages.at, 'the data ends within a page');
      return Next.pageOver;
    }
    const commit = view.getUint32(base + layout.commit, true);
    const size = commit & COMMIT_SIZE;
    this.timeLow = view.getUint32(base + layout.timestamp, true);
    this.timeHigh = view.getUint32(base + layout.timestamp + 4, true);
    if ((commit & COMMIT_MISSED) !== 0) this.missed(commit, size);
    const rest = commit & ~(COMMIT_SIZE | COMMIT_MISSED | COMMIT_STORED);
    const high = layout.long === 8 ? view.getUint32(base + layout.commit + 4, true) : 0;
    if (rest !== 0 || high !== 0) {
      this.lose(pages.at, 'a page whose size is none');
      return Next.pageOver;
    }
    if (size === 0 && !isZero(slot.bytes, base + layout.data, base + Math.min(there, slot.size))) {
      // No kernel hands out a page without records, unless it was never written.
      this.lose(pages.at, 'a page that says it is empty, and is not');
      return Next.pageOver;
    }
    if (layout.data + size > slot.size) {
      this.lose(pages.at, `a page with ${size} bytes of records`);
      return Next.pageOver;
    }
    this.at = base + layout.data;
    this.limit = this.at + size;
    if (layout.data + size > there) {
      // Those records that are whole are still good.
      this.isCut = true;
      this.limit = base + there;
      this.lose(pages.at, 'the data ends within a page');
    }
    return Next.record;
  }

  /** The page says that records were lost before it. */
  private missed(commit: number, size: number): void {
    const { layout, slot } = this;
    const at = layout.data + size;
    if (this.lost === -1) return;
    if (
      (commit & COMMIT_STORED) === 0 ||
      at + layout.long > Math.min(slot.size, this.pages.length)
    ) {
      this.lost = -1;
      return;
    }
    let count = BigInt(slot.view.getUint32(slot.at + at, true));
    if (layout.long === 8) count |= BigInt(slot.view.getUint32(slot.at + at + 4, true)) << 32n;
    this.lost = BigInt(this.lost) + count;
  }

  private pageDamage(at: number, what: string): void {
    if (this.isCut) return;
    this.lose(this.pages.at, `${what} (byte ${at - this.slot.at} of a page)`);
  }

  private lose(at: number, what: string): void {
    this.lost = -1;
    this.report.damage(this, at, what);
  }

  private addTime(low: number, high: number): void {
    const sum = this.timeLow + (low >>> 0);
    this.timeLow = sum >>> 0;
    this.timeHigh = (this.timeHigh + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  }

  /** An absolute time has 59 bits: the rest is that of the time before it. */
  private setTime(low: number, high: number): void {
    let top = this.timeHigh & 0xf8000000;
    const now = this.timeHigh & 0x07ffffff;
    // It went past the 59 bits since.
    if (top !== 0 && (high < now || (high === now && low < this.timeLow))) {
      if (now - high > 0x04000000) top += 0x08000000;
    }
    this.timeLow = low;
    this.timeHigh = (top | high) >>> 0;
  }
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** True if the record of `a` comes before that of `b`. */
export function before(a: CpuCursor, b: CpuCursor): boolean {
  if (a.timeHigh !== b.timeHigh) return a.timeHigh < b.timeHigh;
  if (a.timeLow !== b.timeLow) return a.timeLow < b.timeLow;
  return a.order < b.order;
}
