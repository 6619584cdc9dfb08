import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import { TracepointEvents } from '../tracepoint/tracepoint-events.ts';
import type { PerfAttr } from './attr.ts';
import type { Attrs } from './attrs.ts';
import type { ByteStore } from './byte-store.ts';
import type { Counts } from './counts.ts';
import type { Features } from './features.ts';
import {
  CPUMODE_GUEST_KERNEL,
  CPUMODE_GUEST_USER,
  CPUMODE_MASK,
  MISC_LOST_SAMPLES_BPF,
  RecordType,
  Sample,
  TYPE_TRACEPOINT,
} from './format.ts';
import { readEnd } from './read-values.ts';
import { Tasks } from './tasks.ts';

/** CPU numbers the `pcpu` column can hold. */
const MAX_CPU = 32767;

/** Takes the kernel's records one by one, in order of time, and makes the events. */
export class RecordTaker {
  readonly events: TracepointEvents;
  /** Samples of hardware and software events that were left out. */
  samples = 0;
  private readonly context: ImportContext;
  private readonly book: NoticeBook;
  private readonly store: ByteStore;
  private readonly attrs: Attrs;
  private readonly features: Features;
  private readonly counts: Counts;
  private readonly tasks = new Tasks();
  private readonly entries = new Map<bigint, NonNullable<PerfAttr['entry']>>();
  /** Records lost by LOST records, and by LOST_SAMPLES, which tell the same losses again by event. */
  private lostTold = 0n;
  private lostByEvent = 0n;

  constructor(
    context: ImportContext,
    book: NoticeBook,
    recording: { store: ByteStore; attrs: Attrs; features: Features; counts: Counts },
  ) {
    this.context = context;
    this.book = book;
    this.store = recording.store;
    this.attrs = recording.attrs;
    this.features = recording.features;
    this.counts = recording.counts;
    this.events = new TracepointEvents(context, book);
    this.events.record.commStays = true;
  }

  /**
   * The record of `size` bytes at `p` in the store, which stands at `address` and has that time. `timed`: false if it
   * has none.
   */
  take(
    p: number,
    size: number,
    address: number,
    timeLow: number,
    timeHigh: number,
    timed: boolean,
  ): void {
    const { view } = this.store;
    const type = view.getUint32(p, true);
    if (timed) {
      const time = this.events.record.time;
      time[0] = timeLow;
      time[1] = timeHigh;
    }
    if (type === RecordType.sample) {
      if (timed) {
        this.sample(p, size, address);
      } else {
        const text = 'samples without a time, left out: record with -T';
        this.book.add('warning', 'sample-without-time', text, address);
      }
      return;
    }
    const end = p + size - (this.attrs.ofOther(view, p, size)?.trailer?.size ?? 0);
    switch (type) {
      case RecordType.comm:
        if (p + 16 <= end) {
          this.tasks.name(view.getInt32(p + 12, true), this.store.bytes, p + 16, end);
        }
        break;
      case RecordType.fork:
        if (p + 24 <= end) {
          this.tasks.fork(view.getInt32(p + 16, true), view.getInt32(p + 20, true));
        }
        break;
      case RecordType.lost:
        if (p + 24 <= end) this.lost(p, size, view.getBigUint64(p + 16, true), timed);
        break;
      case RecordType.lostSamples:
        if (p + 16 <= end) this.lostSamples(p, size, timed);
        break;
      case RecordType.throttle:
      case RecordType.unthrottle:
        if (timed) this.throttle(p, size, type, address);
        break;
    }
  }

  /** Everything was taken: what is told only at the end. */
  finish(): void {
    const rest = this.lostByEvent - this.lostTold;
    // Losses after the last record of a buffer have no LOST record.
    if (rest > 0n) this.events.lost(rest, -1);
    let named = 0;
    for (const attr of this.attrs.list) {
      if (attr.lost === 0n || named++ >= 64) continue;
      const text = `${this.nameOf(attr)}: records lost, by perf's count of this event`;
      const count = Number(attr.lost);
      this.book.add('info', 'lost-by-event', text, undefined, count, this.nameOf(attr));
    }
  }

  private sample(p: number, size: number, address: number): void {
    const { view } = this.store;
    const attr = this.attrs.ofSample(view, p, size);
    if (attr === undefined) {
      const text = 'samples with an id that no event of the recording has, left out';
      this.book.add('warning', 'unknown-id', text, address);
      return;
    }
    const layout = attr.sample;
    if (layout.variable > size) {
      this.tooShort(address);
      return;
    }
    const record = this.events.record;
    const cpu = layout.cpu < 0 ? -1 : view.getInt32(p + layout.cpu, true);
    record.pcpu = cpu > MAX_CPU || cpu < 0 ? -1 : cpu;
    record.pid = layout.tid < 0 ? -1 : Math.max(-1, view.getInt32(p + layout.tid, true));
    record.tid = layout.tid < 0 ? -1 : Math.max(-1, view.getInt32(p + layout.tid + 4, true));
    if (attr.type !== TYPE_TRACEPOINT) {
      this.otherSample(attr, p, size, address);
      return;
    }
    const mode = view.getUint16(p + 4, true) & CPUMODE_MASK;
    const guest = mode === CPUMODE_GUEST_KERNEL || mode === CPUMODE_GUEST_USER;
    const raw = layout.rawFirst ? layout.variable : this.rawAt(attr, p, size);
    if (raw < 0 || raw + 4 > size) {
      this.tooShort(address);
      return;
    }
    const start = p + raw + 4;
    const length = view.getUint32(p + raw, true);
    if (length > size - raw - 4) {
      this.tooShort(address);
      return;
    }
    if (attr.sample.rawLast && raw + 4 + length !== size) {
      const text = 'samples longer than what is in them';
      this.book.add('warning', 'odd-sample', text, address);
    }
    // perf does not look up the names of threads in guest mode, so neither is a vCPU known by its name there.
    if (!guest) record.comm = this.tasks.get(record.tid);
    record.commEnd = guest ? 0 : record.comm.length;
    const entry = attr.entry ?? this.entryOf(attr);
    this.events.take(entry, this.store.bytes, start, start + length, address);
  }

  /** Offset of RAW when READ or a callchain is before it, −1 if there is none. */
  private rawAt(attr: PerfAttr, p: number, size: number): number {
    if ((attr.sampleType & Sample.raw) === 0) return -1;
    const { view } = this.store;
    let at = attr.sample.variable;
    if (attr.sampleType & Sample.read) {
      at = readEnd(attr.readFormat, view, p, at, size);
      if (at < 0) return -1;
    }
    if (attr.sampleType & Sample.callchain) {
      if (at + 8 > size) return -1;
      const depth = view.getUint32(p + at, true);
      if (view.getUint32(p + at + 4, true) !== 0 || depth > (size - at) / 8) return -1;
      at += 8 + depth * 8;
    }
    return at;
  }

  /** A sample of a hardware or software event: its counts, if it has some. */
  private otherSample(attr: PerfAttr, p: number, size: number, address: number): void {
    if (attr.sampleType & Sample.read) {
      if (!this.counts.sample(attr, p, size, this.events.record)) this.tooShort(address);
      return;
    }
    this.samples++;
    const text = 'samples of hardware or software events, left out';
    this.book.add('info', 'hardware-sample', text, address);
  }

  private tooShort(address: number): void {
    const text = 'samples shorter than their event says, left out';
    this.book.add('warning', 'short-sample', text, address);
  }

  /** The tracepoint of an event, from then on also in `attr`. */
  private entryOf(attr: PerfAttr): NonNullable<PerfAttr['entry']> {
    const known = this.entries.get(attr.config);
    if (known !== undefined) {
      attr.entry = known;
      return known;
    }
    const id = attr.config <= 0xffffffffn ? Number(attr.config) : -1;
    let format = this.features.formats.get(id);
    if (format === undefined) {
      const [system, name] = attr.name.includes(':') ? attr.name.split(':', 2) : ['', attr.name];
      format = { id, system: system!, name: name || `tracepoint ${attr.config}`, fields: [] };
      const text = `${format.name}: the recording has no format for it, its fields are not read`;
      this.book.add('warning', 'format-missing', text, undefined, 1, format.name);
    }
    const entry = this.events.define(format);
    this.entries.set(attr.config, entry);
    attr.entry = entry;
    return entry;
  }

  private nameOf(attr: PerfAttr): string {
    return (
      attr.entry?.name ??
      (attr.name || `event of type ${attr.type}, config 0x${attr.config.toString(16)}`)
    );
  }

  /** CPU in the record's trailer, −1 none. */
  private cpuOf(p: number, size: number): number {
    const { view } = this.store;
    const back = this.attrs.ofOther(view, p, size)?.trailer?.cpu ?? -1;
    if (back < 0 || back > size - 8) return -1;
    const cpu = view.getInt32(p + size - back, true);
    return cpu > MAX_CPU || cpu < 0 ? -1 : cpu;
  }

  private lost(p: number, size: number, count: bigint, timed: boolean): void {
    this.lostTold += count;
    const cpu = this.cpuOf(p, size);
    if (timed) this.events.mapper.lost(count, cpu, true);
    else this.events.lost(count, cpu);
  }

  /**
   * With a time: a loss the kernel tells (of a PMU's own buffer). Without: perf's sums at the end, which tell by event
   * what LOST records told by buffer.
   */
  private lostSamples(p: number, size: number, timed: boolean): void {
    const { view } = this.store;
    if (view.getUint16(p + 4, true) & MISC_LOST_SAMPLES_BPF) return;
    const count = view.getBigUint64(p + 8, true);
    if (timed) {
      this.lost(p, size, count, true);
      return;
    }
    const attr = this.attrs.ofOther(view, p, size);
    if (attr !== undefined) attr.lost += count;
    this.lostByEvent += count;
  }

  /** The kernel stopped or restarted sampling of an event: kept by name. */
  private throttle(p: number, size: number, type: number, address: number): void {
    const { view } = this.store;
    const record = this.events.record;
    const trailer = this.attrs.ofOther(view, p, size)?.trailer;
    const tid = trailer === undefined ? -1 : trailer.tid;
    record.pid = tid < 0 ? -1 : Math.max(-1, view.getInt32(p + size - tid, true));
    record.tid = tid < 0 ? -1 : Math.max(-1, view.getInt32(p + size - tid + 4, true));
    record.pcpu = this.cpuOf(p, size);
    record.commEnd = 0;
    const name = type === RecordType.throttle ? 'PERF_RECORD_THROTTLE' : 'PERF_RECORD_UNTHROTTLE';
    const text = `${name}: the kernel ${type === RecordType.throttle ? 'stopped' : 'restarted'} the samples of an event for a while; kept by name`;
    this.book.add('warning', 'throttled', text, address, 1, name);
    this.events.mapper.other(this.context.nameId(name));
  }
}
