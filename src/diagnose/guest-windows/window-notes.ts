import type { CounterValue } from '../../replay/vcpu-replay.ts';
import {
  type AtRead,
  EVIDENCE_KEPT,
  type NestedSpans,
  type PcpuStay,
  type ReadInterval,
  type SmiInterval,
  type Sums,
} from './guest-window.ts';

/** A moment at which the counter's value was looked at. */
interface Look {
  readonly seq: number;
  /** Exact value; null when it was not. */
  readonly value: bigint | null;
  readonly ns: number;
}

function look(seq: number, { low, span }: CounterValue, ns: number): Look {
  return { seq, value: span === 0n ? low : null, ns };
}

/** How far the counter moved between two looks; null when one of them was not exact. */
function moved(from: Look, to: Look, width: number): bigint | null {
  return from.value === null || to.value === null
    ? null
    : BigInt.asUintN(width, to.value - from.value);
}

/** What one window's counter did on each physical CPU. */
export class PcpuStays {
  private readonly byPcpu = new Map<number, PcpuStay>();
  private since: Look;
  private readonly width: number;

  constructor(seq: number, value: CounterValue, openNs: number) {
    this.since = look(seq, value, openNs);
    this.width = value.width;
  }

  /** The vCPU was on `pcpu` until now; `openNs` is the running sum of guest time with open gates. */
  leave(pcpu: number, seq: number, value: CounterValue, openNs: number): void {
    const now = look(seq, value, openNs);
    const events = moved(this.since, now, this.width);
    const ns = now.ns - this.since.ns;
    if (pcpu >= 0 && events !== null && ns > 0) {
      let stay = this.byPcpu.get(pcpu);
      if (stay === undefined) {
        stay = { pcpu, openNs: 0, events: 0n, evidence: [] };
        this.byPcpu.set(pcpu, stay);
      }
      stay.openNs += ns;
      stay.events += events;
      if (stay.evidence.length < EVIDENCE_KEPT) stay.evidence.push(this.since.seq, seq);
    }
    this.since = now;
  }

  get all(): readonly PcpuStay[] {
    return [...this.byPcpu.values()];
  }
}

const INTERVALS_KEPT = 64;

/** Samples of MSR_SMI_COUNT inside one window. */
export class SmiSamples {
  private last: (Look & { readonly count: number }) | undefined;
  readonly intervals: SmiInterval[] = [];

  sample(seq: number, count: number, value: CounterValue, openNs: number): void {
    const now = { ...look(seq, value, openNs), count };
    const { last } = this;
    this.last = now;
    if (last === undefined || this.intervals.length >= INTERVALS_KEPT) return;
    const events = moved(last, now, value.width);
    if (events === null) return;
    const smis = count - last.count;
    const guestNs = now.ns - last.ns;
    this.intervals.push({ fromSeq: last.seq, toSeq: seq, smis, guestNs, events });
  }
}

/** Spans of a nested guest inside one window. */
export class NestedTime implements NestedSpans {
  spans = 0;
  events: bigint | null = 0n;
  readonly evidence: number[] = [];
  private since: Look | undefined;

  enter(seq: number, value: CounterValue): void {
    this.since ??= look(seq, value, 0);
  }

  leave(seq: number, value: CounterValue): void {
    const { since } = this;
    if (since === undefined) return;
    this.since = undefined;
    this.spans++;
    const events = moved(since, look(seq, value, 0), value.width);
    this.events = this.events === null || events === null ? null : this.events + events;
    if (this.evidence.length < EVIDENCE_KEPT) this.evidence.push(since.seq, seq);
  }
}

/** Reads of the counter by the guest, with what was summed between them. */
export class Reads {
  readonly intervals: ReadInterval[] = [];
  private readonly start: Look;
  private readonly width: number;
  /** The last read: seq 0 for none, its exact value, and the sums up to it. */
  private seq = 0;
  private value: bigint | null = null;
  private readonly counting: Sums = { ns: 0, entries: 0, exits: 0, emulatedExits: 0 };
  private readonly enabled: Sums = { ns: 0, entries: 0, exits: 0, emulatedExits: 0 };

  constructor(seq: number, value: CounterValue) {
    this.start = look(seq, value, 0);
    this.width = value.width;
  }

  read(seq: number, { low, span }: CounterValue, counting: Sums, enabled: Sums): void {
    const value = span === 0n ? low : null;
    if (this.seq !== 0 && this.intervals.length < INTERVALS_KEPT)
      this.interval(seq, value, enabled);
    this.seq = seq;
    this.value = value;
    copySums(this.counting, counting);
    copySums(this.enabled, enabled);
  }

  private interval(toSeq: number, to: bigint | null, now: Sums): void {
    const { value: from, seq: fromSeq, enabled: before } = this;
    if (from === null || to === null) return;
    const enabled: Sums = {
      ns: now.ns - before.ns,
      entries: now.entries - before.entries,
      exits: now.exits - before.exits,
      emulatedExits: now.emulatedExits - before.emulatedExits,
    };
    this.intervals.push({ fromSeq, toSeq, events: BigInt.asUintN(this.width, to - from), enabled });
  }

  get last(): AtRead | null {
    const { seq, value, counting, enabled } = this;
    if (seq === 0) return null;
    return { seq, events: moved(this.start, { seq, value, ns: 0 }, this.width), counting, enabled };
  }
}

function copySums(to: Sums, from: Sums): void {
  to.ns = from.ns;
  to.entries = from.entries;
  to.exits = from.exits;
  to.emulatedExits = from.emulatedExits;
}
