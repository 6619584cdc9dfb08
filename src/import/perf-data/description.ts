import type { NoticeBook } from '../notices.ts';
import { parseAttr } from './attr.ts';
import type { Attrs } from './attrs.ts';
import type { ByteStore } from './byte-store.ts';
import { Features } from './features.ts';
import type { FileHeader, Range } from './file-header.ts';
import { Feature, RECORD_HEADER, RecordType } from './format.ts';
import { Section, SectionError, zeroEnded } from './section.ts';

/** EVENT_UPDATE that gives a name. */
const UPDATE_NAME = 2n;

/** What a recording says of itself: in sections of the file, or through a pipe in records. */
export class Description {
  readonly features = new Features();
  private readonly book: NoticeBook;
  private readonly store: ByteStore;
  private readonly attrs: Attrs;

  /** Reads the sections of `header`; `attrs` has the events of file mode. */
  constructor(book: NoticeBook, store: ByteStore, attrs: Attrs, header: FileHeader) {
    this.book = book;
    this.store = store;
    this.attrs = attrs;
    for (const { feature, range } of header.features) this.feature(feature, range);
    this.features.nameEvents(attrs);
    if (!header.finished) {
      const text =
        'perf record did not finish this file: read to its end; it lacks machine and formats';
      book.add('warning', 'unfinished-recording', text, 48);
    } else if (header.featuresMissing) {
      const text =
        'the part behind the records (machine, formats of the tracepoints) is not in the file';
      book.add('warning', 'damaged-section', text, header.data.end);
    }
  }

  /** A record of perf's own; `left` bytes come after it. Returns how many of them belong to it. */
  record(type: number, p: number, size: number, address: number, left: number): number {
    const { view, bytes } = this.store;
    switch (type) {
      case RecordType.headerAttr:
        this.headerAttr(p, size);
        return 0;
      case RecordType.eventUpdate:
        if (size > 24 && view.getBigUint64(p + 8, true) === UPDATE_NAME) {
          const attr = this.attrs.find(view.getUint32(p + 16, true), view.getUint32(p + 20, true));
          if (attr !== undefined) attr.name = zeroEnded(bytes.subarray(p + 24, p + size));
        }
        return 0;
      case RecordType.headerFeature:
        if (size >= 16) {
          const feature = view.getUint32(p + 8, true);
          this.feature(feature, { start: address + 16, end: address + size });
          if (feature === Feature.eventDesc) this.features.nameEvents(this.attrs);
        }
        return 0;
      case RecordType.tracingData: {
        const length = size >= 12 ? Math.min(view.getUint32(p + 8, true), left) : 0;
        this.feature(Feature.tracingData, { start: address + size, end: address + size + length });
        return length;
      }
      case RecordType.auxtrace: {
        const told = size >= 16 ? Number(view.getBigUint64(p + 8, true)) : 0;
        const length = Math.min(told, left);
        const text = 'bytes of hardware traces (AUX), left out';
        this.book.add('info', 'auxtrace', text, address, length);
        return length;
      }
      default:
        return 0;
    }
  }

  /** The records are over. */
  finish(): void {
    const { book, features } = this;
    features.nameEvents(this.attrs);
    if (features.isDirectory) {
      const text =
        'perf record --threads: the samples are in other files of its directory, which are not read';
      book.add('warning', 'directory-format', text);
    }
    const clock = features.wallClock;
    if (clock !== undefined && clock.wall > 0n) {
      const text = `wall clock ${clock.wall} ns (since 1970) = ${clock.here} ns of this recording`;
      book.add('info', 'wall-clock', text);
    }
  }

  private headerAttr(p: number, size: number): void {
    const { view, bytes } = this.store;
    if (size < 16) return;
    const own = view.getUint32(p + 12, true);
    const length = Math.min(own >= 64 ? own : 64, size - RECORD_HEADER);
    const attr = parseAttr(bytes.slice(p + RECORD_HEADER, p + RECORD_HEADER + length));
    if (attr === undefined || !this.attrs.add(attr)) return;
    for (let at = RECORD_HEADER + length; at + 8 <= size; at += 8) {
      this.attrs.addId(view.getUint32(p + at, true), view.getUint32(p + at + 4, true), attr);
    }
  }

  private feature(feature: number, { start, end }: Range): void {
    try {
      this.features.read(feature, new Section(this.store, start, end));
    } catch (error) {
      if (!(error instanceof SectionError)) throw error;
      const name = Object.entries(Feature).find(([, bit]) => bit === feature)?.[0] ?? feature;
      const text = `header section ${name} is damaged at byte ${error.at}: ${error.message}`;
      this.book.add('warning', 'damaged-section', text, error.at, 1, String(feature));
    }
  }
}
