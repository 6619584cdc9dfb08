import type { EventChunk } from '../../domain/event-chunk.ts';
import type { Observation } from '../../replay/observation.ts';
import type { Replayer } from '../../replay/replayer.ts';

const NO_HALVES = new Uint32Array(0);

/**
 * The event that is looked at, and how far the replay has come. The replay is behind: it applies events in pieces as
 * long as whoever looks at the vCPUs allows, who calls `before` or `after` first.
 */
export class Cursor {
  chunk!: EventChunk;
  /** Index of the present event in its chunk. */
  i = 0;
  seq = 0;
  /** Running maximum of the time, ns after the epoch. */
  now = 0;
  private readonly replayer: Replayer;
  private readonly epoch: bigint;
  private readonly epochLow: number;
  private readonly epochHigh: number;
  private readonly observe: (observation: Observation) => void;
  private applied = 0;
  /** The u64 columns of the chunk as halves, low first: no bigint per event. */
  private times = NO_HALVES;
  objects = NO_HALVES;
  payloads = NO_HALVES;
  /** Of event-read: the event's time enabled and running. */
  enabledTimes = NO_HALVES;
  runningTimes = NO_HALVES;

  constructor(replayer: Replayer, epoch: bigint, observe: (observation: Observation) => void) {
    this.replayer = replayer;
    this.epoch = epoch;
    this.epochLow = Number(epoch & 0xffff_ffffn);
    this.epochHigh = Number(epoch >> 32n);
    this.observe = observe;
  }

  /** Time of the present event, ns on the log's clock. */
  get time(): bigint {
    return this.epoch + BigInt(this.now);
  }

  begin(chunk: EventChunk): void {
    this.chunk = chunk;
    this.times = halvesOf(chunk.time);
    this.objects = halvesOf(chunk.object);
    this.payloads = halvesOf(chunk.value);
    this.enabledTimes = halvesOf(chunk.aux0);
    this.runningTimes = halvesOf(chunk.aux1);
    this.applied = 0;
  }

  /** Event `i` of the chunk is the present one. */
  at(i: number): void {
    const { times } = this;
    const now = (times[2 * i + 1]! - this.epochHigh) * 2 ** 32 + (times[2 * i]! - this.epochLow);
    if (now > this.now) this.now = now;
    this.i = i;
    this.seq = this.chunk.seq[i]!;
  }

  /** Applies everything before the present event. */
  before(): void {
    this.applyTo(this.i);
  }

  /** Applies the present event too. */
  after(): void {
    this.applyTo(this.i + 1);
  }

  /** Applies what is left of the chunk. */
  finish(): void {
    this.applyTo(this.chunk.length);
  }

  private applyTo(end: number): void {
    if (end <= this.applied) return;
    this.replayer.apply(this.chunk, this.applied, end, this.observe);
    this.applied = end;
  }
}

function halvesOf(column: BigUint64Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(column.buffer as ArrayBuffer, column.byteOffset, 2 * column.length);
}
