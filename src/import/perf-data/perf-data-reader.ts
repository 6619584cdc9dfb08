import { InputError } from '../../domain/errors.ts';
import type { ImportNotice, RecordingFacts } from '../../domain/log-facts.ts';
import type { ImportContext, RecordingFile, RecordingFileReader } from '../importer.ts';
import { NoticeBook } from '../notices.ts';
import { Attrs } from './attrs.ts';
import { ByteStore } from './byte-store.ts';
import { compressed2, compressed2Parts, Decompression } from './compressed.ts';
import { Counts } from './counts.ts';
import { Description } from './description.ts';
import { type FileHeader, readFileHeader } from './file-header.ts';
import { changesSomething, isKnownRecord, RECORD_HEADER, RecordType } from './format.ts';
import { isWrongSize } from './record-sizes.ts';
import { RecordTaker } from './record-taker.ts';
import { StatRecords } from './stat-records.ts';
import { TimeQueue } from './time-queue.ts';
import { isLater } from './time-runs.ts';

/** Bytes of records looked at in one step, and records taken in one. */
const STEP_BYTES = 256 * 1024;
const STEP_RECORDS = 4096;
/** Both halves of a time that is none, or later than all. */
const ALL = -1;
/** Something in the records that cannot be got past. */
interface Damage {
  readonly what: string;
  readonly at: number;
}

/** Addresses still to be looked at. */
interface Stretch {
  at: number;
  end: number;
}

/**
 * Reads perf.data. Records are looked at in the order of the file, once, for their times; a queue of times and addresses
 * brings them into order, as perf does: what a FINISHED_ROUND follows can be taken up to the latest time of the round
 * before it (no later record is earlier). Then each is read again and becomes an event.
 */
export class PerfDataReader implements RecordingFileReader {
  private readonly context: ImportContext;
  private readonly book = new NoticeBook();
  private readonly store: ByteStore;
  private readonly attrs = new Attrs();
  private readonly description: Description;
  private readonly header: FileHeader;
  private readonly queue: TimeQueue;
  private readonly taker: RecordTaker;
  private readonly counts: Counts;
  private readonly stats: StatRecords;
  private readonly outer: Stretch;
  /** What was decompressed and not looked at yet. */
  private readonly inner: Stretch = { at: 0, end: 0 };
  private decompression: Decompression | undefined;
  /** Records looked at, whatever they are. */
  private records = 0;
  private damage: Damage | undefined;
  /** The last record looked at is one of the kernel's, with a time: it belongs to a round. */
  private endsInRound = false;
  private state: 'look' | 'take' | 'last' | 'over' = 'look';
  private limitLow = 0;
  private limitHigh = 0;
  /** Latest time so far, and when the last round ended. */
  private maxLow = 0;
  private maxHigh = 0;
  private roundLow = 0;
  private roundHigh = 0;

  constructor(context: ImportContext, file: RecordingFile) {
    this.context = context;
    this.queue = new TimeQueue(context.name);
    const head = new ByteStore(file, false);
    this.header = readFileHeader(context.name, head, file.size, this.attrs, (text, at) =>
      this.book.add('warning', 'damaged-section', text, at, 1, 'ids'),
    );
    this.store = this.header.mayBeCompressed ? new ByteStore(file, true) : head;
    this.outer = { at: this.header.data.start, end: this.header.data.end };
    this.description = new Description(this.book, this.store, this.attrs, this.header);
    this.counts = new Counts(context, this.book, this.store, this.attrs);
    this.stats = new StatRecords(context, this.book, this.store, this.attrs);
    this.taker = new RecordTaker(context, this.book, {
      store: this.store,
      attrs: this.attrs,
      features: this.description.features,
      counts: this.counts,
    });
  }

  get position(): number {
    return this.outer.at;
  }

  step(): boolean {
    if (this.state === 'look') this.look();
    else if (this.state !== 'over') this.takeSome();
    return this.state !== 'over';
  }

  facts(): Partial<RecordingFacts> {
    const { found } = this.description.features;
    const arch = found.arch ?? this.taker.events.arch();
    return {
      ...found,
      ...(arch === undefined ? {} : { arch }),
      ...this.stats.facts(),
      timeResolution: 1,
    };
  }

  notices(): readonly ImportNotice[] {
    return this.book.list();
  }

  close(): void {
    this.queue.close();
    this.decompression?.close();
  }

  /** Looks at records until a round ends, or it has been enough. */
  private look(): void {
    const { inner, outer } = this;
    const stop = inner.at + outer.at + STEP_BYTES;
    while (inner.at + outer.at < stop) {
      this.samples(inner.at < inner.end ? inner : outer);
      if (inner.at < inner.end) {
        const length = this.record(inner.at, inner.end);
        if (length > 0) {
          inner.at += length;
          if (this.state !== 'look') return;
          continue;
        }
      }
      const over = this.damage !== undefined;
      const length = over ? 0 : this.record(outer.at, outer.end);
      if (length === 0) {
        // What was decompressed before the damage is looked at first.
        if (!over && this.damage !== undefined) continue;
        this.noMoreRecords();
        return;
      }
      outer.at += length;
      if (this.state !== 'look') return;
    }
  }

  /** Looks at the samples that come next, as far as they are plain: the others are left to `record`. */
  private samples(stretch: Stretch): void {
    const { store, queue } = this;
    const timeAt = this.attrs.commonTime;
    const start = store.find(stretch.at, RECORD_HEADER);
    if (timeAt < 0 || start < 0 || this.damage !== undefined) return;
    const { view } = store;
    const limit = Math.min(store.limit, start + stretch.end - stretch.at);
    let p = start;
    while (p + RECORD_HEADER <= limit && view.getUint32(p, true) === RecordType.sample) {
      const size = view.getUint16(p + 6, true);
      if (size < timeAt + 8 || p + size > limit) break;
      const low = view.getInt32(p + timeAt, true);
      const high = view.getInt32(p + timeAt + 4, true);
      if ((low | high) === 0 || high === ALL) break;
      if (isLater(high, low, this.maxHigh, this.maxLow)) {
        this.maxHigh = high;
        this.maxLow = low;
      }
      queue.push(low, high, stretch.at + p - start);
      this.records++;
      p += size;
    }
    if (p > start) this.endsInRound = true;
    stretch.at += p - start;
  }

  /** Nothing is left to look at: what is in the queue is taken, all of it. */
  private noMoreRecords(): void {
    const { inner, outer, header } = this;
    if (this.damage === undefined) {
      const { book } = this;
      if (outer.at < outer.end || inner.at < inner.end) {
        const at = outer.at < outer.end ? outer.at : outer.end;
        const text = `the recording ends inside of a record, at byte ${at}`;
        book.add(header.finished ? 'error' : 'warning', 'damaged-at', text, at);
      } else if (header.missing > 0) {
        const text = `the recording is cut off: ${header.missing} bytes of its records are missing`;
        book.add('error', 'damaged-at', text, outer.end);
      } else if (header.pipe && this.endsInRound) {
        // A pipe says nowhere how much there is; but perf ends all that it writes at once with a FINISHED_ROUND.
        const text = 'the piped recording ends in the middle of a round: what followed is missing';
        book.add('warning', 'unfinished-recording', text, outer.end);
      }
    }
    this.store.expect(this.queue.stretches);
    this.limitLow = ALL;
    this.limitHigh = ALL;
    this.state = 'last';
  }

  private takeSome(): void {
    const { queue, store, taker } = this;
    for (let n = 0; n < STEP_RECORDS; n++) {
      if (!queue.take(this.limitLow, this.limitHigh)) {
        queue.endTaking();
        if (this.state === 'last') this.finish();
        else this.state = 'look';
        return;
      }
      const { address } = queue;
      let p = this.at(address, RECORD_HEADER);
      const size = store.view.getUint16(p + 6, true);
      if (p + size > store.limit) p = this.at(address, size);
      taker.take(p, size, address, queue.timeLow, queue.timeHigh, true);
    }
  }

  /** Where it stands in the store; it was there before. */
  private at(address: number, size: number): number {
    const p = this.store.find(address, size);
    if (p < 0) {
      throw new InputError(
        `${this.context.name}: changed while it was read, at byte ${this.place(address)}`,
      );
    }
    return p;
  }

  /** Offset in the file of an address, that of the compressed record for what was decompressed. */
  private place(address: number): number {
    return address >= this.store.spoolStart ? this.outer.at : address;
  }

  private damaged(what: string, at: number): number {
    this.damage ??= { what, at: this.place(at) };
    this.inner.at = this.inner.end;
    return 0;
  }

  /** Looks at one record: bytes it takes, 0 if it is not complete or damaged. */
  private record(address: number, end: number): number {
    const left = end - address;
    if (left < RECORD_HEADER) return 0;
    const { store } = this;
    const { view } = store;
    let p = store.find(address, RECORD_HEADER);
    if (p < 0) return 0;
    const type = view.getUint32(p, true);
    const size = view.getUint16(p + 6, true);
    if (type === RecordType.compressed2) return this.compressed2(address, left, size);
    if (size < RECORD_HEADER) {
      return this.damaged(`a record of ${size} bytes (a record has 8 or more)`, address);
    }
    if (size > left) return 0;
    p = store.find(address, size);
    if (p < 0) return 0;
    if (
      type !== RecordType.sample &&
      isWrongSize(type, store.bytes, p, size, this.attrs.trailers)
    ) {
      const what = `a record of type ${type} and ${size} bytes, which none of that type has`;
      return this.damaged(what, address);
    }
    this.records++;
    this.endsInRound = false;
    if (!isKnownRecord(type)) {
      const text = 'records of unknown types, passed over';
      this.book.add('warning', 'unknown-record', text, this.place(address));
      return size;
    }
    if (type >= RecordType.firstOfTool) return this.toolRecord(type, p, size, address, left);
    this.kernelRecord(type, p, size, address);
    return size;
  }

  /** Puts a record of the kernel into the queue by its time; what has none is taken at once, as perf does. */
  private kernelRecord(type: number, p: number, size: number, address: number): void {
    const { view } = this.store;
    let at = -1;
    if (type === RecordType.sample) {
      at = this.attrs.commonTime;
      if (at < 0) at = this.attrs.ofSample(view, p, size)?.sample.time ?? -1;
      if (at > size - 8) at = -1;
    } else {
      const back = this.attrs.ofOther(view, p, size)?.trailer?.time ?? -1;
      if (back > 0 && back <= size - RECORD_HEADER) at = size - back;
    }
    if (at >= 0) {
      const low = view.getInt32(p + at, true);
      const high = view.getInt32(p + at + 4, true);
      const none = (low | high) === 0 || (low === ALL && high === ALL);
      if (!none) {
        this.endsInRound = true;
        if (isLater(high, low, this.maxHigh, this.maxLow)) {
          this.maxHigh = high;
          this.maxLow = low;
        }
        if (changesSomething(type)) this.queue.push(low, high, address);
        return;
      }
    }
    this.taker.take(p, size, address, 0, 0, false);
  }

  /** A record perf wrote itself. */
  private toolRecord(type: number, p: number, size: number, address: number, left: number): number {
    switch (type) {
      case RecordType.finishedRound:
        if (this.queue.size > 0) {
          this.state = 'take';
          this.store.expect(this.queue.stretches);
          this.limitLow = this.roundLow;
          this.limitHigh = this.roundHigh;
        }
        this.roundLow = this.maxLow;
        this.roundHigh = this.maxHigh;
        return size;
      case RecordType.compressed: {
        const data = this.store.bytes.slice(p + RECORD_HEADER, p + size);
        return this.unpack(data, address, size);
      }
      case RecordType.idIndex:
        this.counts.idIndex(p, size);
        return size;
      case RecordType.threadMap:
      case RecordType.stat:
      case RecordType.statRound:
        this.stats.record(type, p, size);
        return size;
      default:
        return size + this.description.record(type, p, size, address, left - size);
    }
  }

  private compressed2(address: number, left: number, size: number): number {
    const p = this.store.find(address, Math.min(16, left));
    if (left < 16 || p < 0) return 0;
    const told = this.store.view.getBigUint64(p + 8, true);
    if (told > BigInt(left - 16))
      return told < 0x8000_0000n
        ? 0
        : this.damaged('a compressed record of impossible size', address);
    const { total, dataSize } = compressed2(size, Number(told));
    if (total < 16 || total > left) return 0;
    this.records++;
    const data = this.store.copy(address + 16, dataSize);
    for (const part of compressed2Parts(data)) {
      if (this.unpack(part, address, total) === 0) return 0;
    }
    return total;
  }

  /** Decompresses the data of a record of `size` bytes: `size`, or 0 if it is damaged. */
  private unpack(data: Uint8Array, address: number, size: number): number {
    if (address >= this.store.spoolStart) {
      return this.damaged('a compressed record inside of compressed records', address);
    }
    if (!this.header.mayBeCompressed) {
      return this.damaged('a compressed record, of which the header says nothing', address);
    }
    if (this.decompression === undefined) {
      this.decompression = new Decompression(
        this.context.name,
        this.description.features.compressedMost,
      );
      this.store.useSpool(this.decompression.spool);
      this.inner.at = this.store.spoolStart;
    }
    const wrong = this.decompression.push(data);
    this.inner.end = this.store.spoolStart + this.decompression.spool.size;
    if (wrong === undefined) return size;
    this.damage ??= { what: wrong, at: address };
    return 0;
  }

  /** Everything was taken. */
  private finish(): void {
    const { taker, counts, book, damage, stats } = this;
    taker.finish();
    stats.finish();
    this.description.finish();
    const { name } = this.context;
    if (damage !== undefined) {
      const text = `damaged at byte ${damage.at}: ${damage.what}; what follows is not read`;
      book.add('error', 'damaged-at', text, damage.at);
    }
    if (taker.events.events === 0 && counts.readings === 0 && stats.written === 0) {
      if (damage !== undefined) {
        throw new InputError(
          `${name}: damaged at byte ${damage.at}: ${damage.what}, and no event before it`,
        );
      }
      if (taker.samples > 0) {
        throw new InputError(
          `${name}: ${taker.samples} samples of hardware events and no tracepoint`,
          'record tracepoints and probes: docs/formats.md tells what is read',
        );
      }
      throw new InputError(
        `${name}: no event in ${this.records} records (byte ${this.outer.at})`,
        'perf report --stats tells what the file holds; see docs/formats.md',
      );
    }
    taker.events.report();
    this.state = 'over';
  }
}
