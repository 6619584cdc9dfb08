import { U64_MAX } from '../domain/u64.ts';
import { RecordedCreations } from './recorded-creations.ts';

/** What is known of the life of a counter's backing event. */
export const Backing = { none: 0, live: 1, unknown: 2 } as const;

/** perf_event states as the kernel numbers them (semantics F.1). */
export const PerfEventState = { error: -2, off: -1, inactive: 0, active: 1 } as const;
/** No record told the state. */
export const STATE_UNKNOWN = 127;

/** A u64 table by counter. */
type U64s = BigUint64Array;

/**
 * What the recording shows of the backing perf events of one vCPU, by counter, in one buffer.
 *
 * Two kinds of counts are kept apart. The *relative* one starts where the emulator says (creation, or the moment a
 * guest-visible value was proved); the *absolute* one is perf's own, what records carry. `offset` is their difference.
 */
export class RecordedEventTables {
  /** Counters there can be; a counter's number is its index in every table. */
  readonly size: number;
  /** All state in one buffer, so that a checkpoint is one copy. */
  readonly buffer: ArrayBuffer;
  /** Address of the backing event, 0 not known. */
  readonly pointer: U64s;
  protected readonly pointerHalves: Uint32Array;
  /** Events created since, not yet asked for by the emulator: their access is still open. */
  protected readonly creations: RecordedCreations;
  protected readonly relLow: U64s;
  protected readonly relSpan: U64s;
  protected readonly offLow: U64s;
  protected readonly offSpan: U64s;
  protected readonly offSpanHalves: Uint32Array;
  /** The last recorded absolute count and the guest residency at that record, −1 none of the present event. */
  protected readonly lastExact: U64s;
  protected readonly exactAt: Float64Array;
  /** Cumulative guest residency (ns) up to which growth is already in relSpan. */
  protected readonly settled: Float64Array;
  /** Seq of the record the count rests on, 0 none, and the guest residency (ns) at that record. */
  readonly evidence: Float64Array;
  readonly evidenceResidency: Float64Array;
  /** Seq of the last failed placement since the last enable, 0 none. */
  readonly placementFailed: Float64Array;
  /** Seq of the event-create record. */
  readonly createdAt: Float64Array;
  /** Event number asked of perf, −1 not known. */
  readonly config: Float64Array;
  /** How often the relative count began anew for the same event: two of them compare only with the same number here. */
  readonly origins: Int32Array;
  /** Changes whenever the relative count begins anew, whatever the reason: another event, a rebase, a doubt. */
  readonly generation: Int32Array;
  /** Backing.* */
  readonly life: Uint8Array;
  /** KVM asked for it to run: 0 no, 1 yes, 2 not known. */
  readonly wanted: Uint8Array;
  /** Last recorded perf_event state, STATE_UNKNOWN if none since the last change. */
  readonly state: Int8Array;
  /** 1: a release was recorded that the emulator has not asked for yet. */
  protected readonly releasedEarly: Uint8Array;

  /** Attr id, sample period of the creation that was not the predicted one. */
  protected readonly recordedAttr: Int32Array;
  protected readonly recordedPeriod: U64s;
  /** 1: the recorded creation was not the predicted one. */
  protected readonly mismatch: Uint8Array;
  /** Where a subclass's part of the buffer begins. */
  protected readonly extraAt: number;

  /** `size` counters; `extra` bytes at the end of the buffer are the subclass's. */
  constructor(size: number, extra: number) {
    this.size = size;
    const u64 = 7;
    const f64 = 7;
    const own = Math.ceil((size * (u64 * 8 + f64 * 8 + 3 * 4 + 5)) / 8) * 8;
    this.extraAt = own + RecordedCreations.bytes;
    this.buffer = new ArrayBuffer(this.extraAt + extra);
    let at = 0;
    const u64s = (): U64s => {
      const view = new BigUint64Array(this.buffer, at, size);
      at += size * 8;
      return view;
    };
    const f64s = (): Float64Array => {
      const view = new Float64Array(this.buffer, at, size);
      at += size * 8;
      return view;
    };
    this.pointer = u64s();
    this.pointerHalves = new Uint32Array(this.buffer, this.pointer.byteOffset, 2 * size);
    this.relLow = u64s();
    this.relSpan = u64s();
    this.offLow = u64s();
    this.offSpan = u64s();
    this.offSpanHalves = new Uint32Array(this.buffer, this.offSpan.byteOffset, 2 * size);
    this.recordedPeriod = u64s();
    this.lastExact = u64s();
    this.settled = f64s();
    this.evidence = f64s();
    this.evidenceResidency = f64s();
    this.exactAt = f64s();
    this.placementFailed = f64s();
    this.createdAt = f64s();
    this.config = f64s();
    this.origins = new Int32Array(this.buffer, at, size);
    at += size * 4;
    this.generation = new Int32Array(this.buffer, at, size);
    at += size * 4;
    this.recordedAttr = new Int32Array(this.buffer, at, size);
    at += size * 4;
    const u8s = (): Uint8Array => {
      const view = new Uint8Array(this.buffer, at, size);
      at += size;
      return view;
    };
    this.life = u8s();
    this.wanted = u8s();
    this.state = new Int8Array(this.buffer, at, size);
    at += size;
    this.releasedEarly = u8s();
    this.mismatch = u8s();
    this.creations = new RecordedCreations(this.buffer, own);
  }

  /** Nothing is known any more: the state before the first record and after lost records. */
  forget(): void {
    for (let i = 0; i < this.size; i++) this.beginAnew(i);
    this.pointer.fill(0n);
    this.creations.clear();
    this.recordedPeriod.fill(0n);
    this.relLow.fill(0n);
    this.relSpan.fill(U64_MAX);
    this.offLow.fill(0n);
    this.offSpan.fill(U64_MAX);
    this.settled.fill(0);
    this.placementFailed.fill(0);
    this.createdAt.fill(0);
    this.config.fill(-1);
    this.life.fill(Backing.unknown);
    this.wanted.fill(2);
    this.state.fill(STATE_UNKNOWN);
    this.releasedEarly.fill(0);
    this.mismatch.fill(0);
    this.recordedAttr.fill(0);
    this.evidence.fill(0);
    this.evidenceResidency.fill(0);
    this.lastExact.fill(0n);
    this.exactAt.fill(-1);
  }

  /** What the relative count was before says nothing of what it is from now on. */
  protected beginAnew(counter: number): void {
    this.generation[counter] = this.generation[counter]! + 1;
  }
}
