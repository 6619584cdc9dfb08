import type { PerfAttr } from './attr.ts';
import { ANY_TRAILER, type Trailers } from './record-sizes.ts';

/** Attrs and ids kept; perf itself runs out of file descriptors long before. */
const MAX_ATTRS = 65536;
const MAX_IDS = 1 << 21;
/** Ids are counted from 1 since the machine was started: of most recordings all are below this. */
const SMALL_IDS = 65536;

/** An id as a key: exact below 2^53, which no kernel reaches by counting. */
export function idKey(low: number, high: number): number {
  return high * 4294967296 + low;
}

/** The events of a recording, and which ids their samples bear. */
export class Attrs {
  readonly list: PerfAttr[] = [];
  /** Where all samples have their id and time, −1 if they differ or have none. */
  commonId = -1;
  commonTime = -1;
  /** How long the trailers of records other than samples are. */
  trailers: Trailers = ANY_TRAILER;
  /** By ids below SMALL_IDS, without a gap. */
  private readonly bySmallId: (PerfAttr | undefined)[] = [];
  private readonly byId = new Map<number, PerfAttr>();
  private lastId = -1;
  private last: PerfAttr | undefined;

  add(attr: PerfAttr): boolean {
    if (this.list.length >= MAX_ATTRS) return false;
    const { list } = this;
    list.push(attr);
    const trailer = attr.trailer?.size ?? 0;
    if (list.length === 1) {
      this.trailers = { least: trailer, most: trailer };
      this.commonId = attr.sample.id;
      this.commonTime = attr.sample.time;
    } else {
      if (this.commonId !== attr.sample.id) this.commonId = -1;
      if (this.commonTime !== attr.sample.time) this.commonTime = -1;
      const { least, most } = this.trailers;
      this.trailers = { least: Math.min(least, trailer), most: Math.max(most, trailer) };
    }
    this.lastId = -1;
    return true;
  }

  addId(low: number, high: number, attr: PerfAttr): void {
    this.lastId = -1;
    if (high === 0 && low < SMALL_IDS) {
      // A sparse array would make every look-up slow.
      while (this.bySmallId.length <= low) this.bySmallId.push(undefined);
      this.bySmallId[low] = attr;
    } else if (this.byId.size < MAX_IDS) {
      this.byId.set(idKey(low, high), attr);
    }
  }

  /** The event with this id; id 0 and recordings of one event need none. */
  find(low: number, high: number): PerfAttr | undefined {
    const { list } = this;
    if (high === 0 && low < SMALL_IDS && list.length > 1) {
      return low === 0 ? list[0] : this.bySmallId[low];
    }
    const key = idKey(low, high);
    if (key === this.lastId) return this.last;
    const found = list.length === 1 || key === 0 ? list[0] : this.byId.get(key);
    this.lastId = key;
    this.last = found;
    return found;
  }

  /** The event of the sample at bytes[at]; undefined: no event has its id. */
  ofSample(view: DataView, at: number, size: number): PerfAttr | undefined {
    const { list } = this;
    const first = list[0];
    if (first === undefined || list.length === 1) return first;
    // All events of a recording have the id at the same place (perf sees to that), or none has one.
    const place = this.commonId >= 0 ? this.commonId : first.sample.id;
    if (place < 0) return first;
    if (place + 8 > size) return undefined;
    return this.find(view.getUint32(at + place, true), view.getUint32(at + place + 4, true));
  }

  /** The event whose trailer a record that is no sample has. */
  ofOther(view: DataView, at: number, size: number): PerfAttr | undefined {
    const first = this.list[0];
    if (first?.trailer === undefined || this.list.length === 1) return first;
    const place = first.trailer.id;
    if (place < 0 || place > size - 8) return first;
    const p = at + size - place;
    return this.find(view.getUint32(p, true), view.getUint32(p + 4, true)) ?? first;
  }
}
