import { U64_MAX } from '../../domain/u64.ts';
import type { CounterState } from '../../replay/state-view.ts';
import type { CounterValue } from '../../replay/vcpu-replay.ts';
import type { Amount } from '../ledger/amount.ts';
import {
  type ClosedGate,
  type Competitors,
  type GuestWindow,
  type Happenings,
  type HostSpan,
  noHappenings,
  type Sums,
} from './guest-window.ts';
import { Notes, type NoteWindow } from './note-window.ts';
import { between, type Totals } from './vcpu-totals.ts';
import { NestedTime, PcpuStays, Reads, SmiSamples } from './window-notes.ts';
import type { Opening } from './window-records.ts';

/** A counter of this many bits takes hours to come round. */
const NEVER_ROUND = 48;

/** The value as an amount; null when it is not known. */
export function valueAmount({ low, span }: CounterValue): Amount | null {
  return span === U64_MAX ? null : { low, high: low + span };
}

/**
 * How far a counter of `width` bits moved between two values. Wraps that were recorded say how often it wrapped;
 * without any it wrapped at most once. `jumped`: a recorded value contradicts the rules, so that it may have gone back.
 */
export function growth(
  start: Amount,
  end: Amount,
  width: number,
  wraps: number,
  jumped = false,
): Amount {
  const size = 1n << BigInt(width);
  let low = end.low - start.high;
  let high = end.high - start.low;
  if (jumped && wraps === 0) return { low, high };
  if (wraps > 0 && end.high >= size) {
    // The end is bounded across a wrap already: at least the recorded wraps were passed.
    const before = BigInt(wraps - 1) * size;
    const passed = BigInt(wraps) * size - start.high;
    low += before;
    return { low: low > passed ? low : passed, high: high + before };
  }
  // Nobody sees a counter this wide go all the way round: an overflow record before it wrapped is of an earlier value.
  const early = wraps > 0 && width >= NEVER_ROUND && low >= 0n ? 1 : 0;
  const turns = wraps > 0 ? BigInt(wraps - early) : high < 0n ? 1n : 0n;
  low += turns * size;
  high += turns * size;
  return { low: low < 0n ? 0n : low, high: high < 0n ? 0n : high };
}

/** What is closed, in words: `PMCR.E is 0 and PMCNTEN bit is 0`; where a gate closed does not matter. */
function closedGates(state: CounterState): string {
  return state.gates.map((gate) => gate.replace(/ since @\d+$/, '')).join(' and ');
}

/** A gate only the guest itself closes, or one that may be closed. */
const GUESTS_OWN = / is 0$| not known$|^denied /;

/** True if nothing on the guest's side keeps the counter from counting. */
function guestOpen(state: CounterState): boolean {
  return !state.gates.some((gate) => GUESTS_OWN.test(gate));
}

const SUMMED = ['entries', 'exits', 'emulatedExits'] as const;

const noSums = (): Sums => ({ ns: 0, entries: 0, exits: 0, emulatedExits: 0 });

/** A window while it is open. */
export class OpenWindow implements NoteWindow {
  readonly happenings: Happenings = noHappenings();
  readonly pcpus = new Set<number>();
  readonly hosts: HostSpan[] = [];
  reads = 0;
  firstRead = 0;
  lastRead = 0;
  /** It was seen able to count, or a read of it was recorded: otherwise nobody is interested. */
  used = false;
  readonly counter: number;
  readonly event: number | undefined;
  readonly width: number;
  private readonly vcpu: number;
  private readonly eventName: string;
  private readonly fromSeq: number;
  private readonly fromTime: bigint;
  private readonly start: Totals;
  readonly startValue: Amount | null;
  readonly notes: Notes;
  private readonly gates = new Map<string, ClosedGate>();
  private closed: string;
  private guestIsOpen: boolean;
  /** Running sums up to which everything is settled. */
  private readonly settled: Sums;
  private readonly counting = noSums();
  private readonly enabled = noSums();
  private readonly stays: PcpuStays;
  readonly smi = new SmiSamples();
  readonly nested = new NestedTime();
  competitors: Competitors | null = null;
  filter: GuestWindow['filter'] = null;
  private readonly seen: Reads;
  private stillNs = 0;
  /** counting.ns at the last read of the event's times. */
  private timesAt = 0;

  constructor(
    vcpu: number,
    state: CounterState,
    value: CounterValue,
    seq: number,
    time: bigint,
    totals: Totals,
    opening: Opening,
  ) {
    this.notes = new Notes(opening);
    this.vcpu = vcpu;
    this.counter = state.counter;
    this.event = state.event;
    this.eventName = state.eventName;
    this.width = state.width;
    this.fromSeq = seq;
    this.fromTime = time;
    this.start = totals;
    this.startValue = valueAmount(value);
    this.settled = { ...noSums(), ns: totals.guestNs };
    for (const name of SUMMED) this.settled[name] = totals[name];
    this.closed = closedGates(state);
    this.guestIsOpen = guestOpen(state);
    this.used = state.counting;
    this.stays = new PcpuStays(seq, value, 0);
    this.seen = new Reads(seq, value);
  }

  /** The guest wants it to count. */
  get wanted(): boolean {
    return this.guestIsOpen;
  }

  /** The gates are now as `state` says; `totals` are the running sums. */
  gatesAre(state: CounterState, totals: Totals, seq: number): void {
    this.settle(totals, seq);
    this.closed = closedGates(state);
    this.guestIsOpen = guestOpen(state);
    if (state.counting) this.used = true;
  }

  /** The vCPU leaves `pcpu`. */
  leavePcpu(pcpu: number, value: CounterValue, totals: Totals, seq: number): void {
    this.settle(totals, seq);
    this.stays.leave(pcpu, seq, value, this.enabled.ns);
  }

  /** The guest read it. */
  readBy(value: CounterValue, totals: Totals, seq: number): void {
    this.settle(totals, seq);
    this.seen.read(seq, value, this.counting, this.enabled);
    this.reads++;
    this.used = true;
    if (this.firstRead === 0) this.firstRead = seq;
    this.lastRead = seq;
  }

  /**
   * A read of the backing event's times; `still`: its time running had not moved since the read before, so that what
   * passed for counting since was none.
   */
  timesRead(still: boolean, totals: Totals, seq: number): void {
    this.settle(totals, seq);
    if (still) this.stillNs += this.counting.ns - this.timesAt;
    this.timesAt = this.counting.ns;
  }

  /** A sample of MSR_SMI_COUNT. */
  sampleSmi(count: number, value: CounterValue, totals: Totals, seq: number): void {
    this.settle(totals, seq);
    this.smi.sample(seq, count, value, this.enabled.ns);
  }

  /** A recorded value contradicts what the rules predict. */
  get jumped(): boolean {
    return this.notes.contradicted.length > 0;
  }

  /** The guest's own gates are open, the VMM's filter apart. */
  get countable(): boolean {
    return !/ is 0| not known/.test(this.closed);
  }

  get interrupted(): number {
    return this.happenings.interrupt.count;
  }

  private settle(totals: Totals, seq: number): void {
    const { settled } = this;
    const ns = totals.guestNs - settled.ns;
    const add = (to: Sums): void => {
      to.ns += ns;
      for (const name of SUMMED) to[name] += totals[name] - settled[name];
    };
    const counting = this.closed === '';
    if (counting) add(this.counting);
    if (this.guestIsOpen) add(this.enabled);
    settled.ns = totals.guestNs;
    for (const name of SUMMED) settled[name] = totals[name];
    if (counting) return;
    const known = this.gates.get(this.closed);
    if (known !== undefined) {
      known.guestNs += ns;
      known.toSeq = seq;
    } else
      this.gates.set(this.closed, { gate: this.closed, guestNs: ns, fromSeq: seq, toSeq: seq });
  }

  /** Ends the window with the value the counter has now. */
  close(
    value: CounterValue,
    reason: string,
    seq: number,
    time: bigint,
    totals: Totals,
    pcpu: number,
  ): GuestWindow {
    this.leavePcpu(pcpu, value, totals, seq);
    this.nested.leave(seq, value);
    const endValue = valueAmount(value);
    const { startValue, width } = this;
    return {
      vcpu: this.vcpu,
      counter: this.counter,
      event: this.event,
      eventName: this.eventName,
      width,
      fromSeq: this.fromSeq,
      toSeq: seq,
      fromTime: this.fromTime,
      toTime: time,
      startValue,
      endValue,
      guest:
        startValue === null || endValue === null
          ? null
          : growth(startValue, endValue, width, this.notes.wraps, this.jumped),
      guestReason: reason,
      reads: this.reads,
      firstRead: this.firstRead,
      lastRead: this.lastRead,
      totals: between(this.start, totals),
      happenings: this.happenings,
      records: this.notes,
      gates: [...this.gates.values()],
      countingNs: this.counting.ns,
      counting: this.counting,
      enabled: this.enabled,
      pcpus: this.pcpus,
      stays: this.stays.all,
      smi: this.smi.intervals,
      intervals: this.seen.intervals,
      atRead: this.seen.last,
      filter: this.filter,
      stillNs: this.stillNs,
      nested: this.nested,
      competitors: this.competitors,
      hosts: this.hosts,
    };
  }
}
