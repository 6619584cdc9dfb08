import type { CounterGates, CounterState } from '../../replay/state-view.ts';
import type { CounterValue } from '../../replay/vcpu-replay.ts';
import type { Amount } from '../ledger/amount.ts';
import { growth, valueAmount } from './growth.ts';
import {
  type ClosedGate,
  type Competitors,
  type GuestWindow,
  type Happenings,
  type HostSpan,
  noHappenings,
  type Sums,
} from './guest-window.ts';
import type { HostEvent } from './host-event.ts';
import { Notes, type NoteWindow } from './note-window.ts';
import type { PairedSpan } from './paired-span.ts';
import { between, type Totals } from './vcpu-totals.ts';
import { NestedTime, PcpuStays, Reads, SmiSamples } from './window-notes.ts';
import type { Opening } from './window-records.ts';

/** What is closed, in words: `PMCR.E is 0 and PMCNTEN bit is 0`; where a gate closed does not matter. */
function closedGates({ gates }: CounterGates): string {
  if (gates.length === 0) return '';
  if (gates.length === 1) return withoutSeq(gates[0]!);
  return gates.map(withoutSeq).join(' and ');
}

function withoutSeq(gate: string): string {
  return gate.includes(' since @') ? gate.replace(/ since @\d+$/, '') : gate;
}

/** A gate only the guest itself closes, or one that may be closed. */
const GUESTS_OWN = / is 0$| not known$|^denied /;

/** True if nothing on the guest's side keeps the counter from counting. */
function guestOpen(state: CounterGates): boolean {
  return !state.gates.some((gate) => GUESTS_OWN.test(gate));
}

/** True if the guest's own gates are open, the VMM's filter apart. */
function isCountable(closed: string): boolean {
  return !/ is 0| not known/.test(closed);
}

/** The present event; `time` is made when asked for. */
interface Moment {
  readonly seq: number;
  readonly time: bigint;
}

/** First and last moment at which the guest wanted a counter to count. */
class EnabledSpan {
  private from: GuestWindow['enabledSpan'] = null;
  private to: GuestWindow['enabledSpan'] = null;

  opens(seq: number, time: bigint): void {
    this.from ??= { fromSeq: seq, fromTime: time, toSeq: seq, toTime: time };
  }

  closes(seq: number, time: bigint): void {
    if (this.from !== null) this.to = { ...this.from, toSeq: seq, toTime: time };
  }

  get all(): GuestWindow['enabledSpan'] {
    return this.to;
  }
}

const noSums = (): Sums => ({ ns: 0, entries: 0, exits: 0, emulatedExits: 0 });

/** Adds to `sums` what `totals` grew by since `from`. */
function addGrowth(sums: Sums, totals: Totals, from: Sums): void {
  sums.ns += totals.guestNs - from.ns;
  sums.entries += totals.entries - from.entries;
  sums.exits += totals.exits - from.exits;
  sums.emulatedExits += totals.emulatedExits - from.emulatedExits;
}

function settleAt(from: Sums, totals: Totals): void {
  from.ns = totals.guestNs;
  from.entries = totals.entries;
  from.exits = totals.exits;
  from.emulatedExits = totals.emulatedExits;
}

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
  readonly highest: bigint;
  private readonly vcpu: number;
  private readonly eventName: string;
  private readonly fromSeq: number;
  private readonly fromTime: bigint;
  private readonly start: Totals;
  readonly startValue: Amount | null;
  readonly notes: Notes;
  private readonly gates = new Map<string, ClosedGate>();
  private closed: string;
  /** The guest wants it to count: its own gates and the VMM's filter are open. */
  wanted: boolean;
  /** The guest's own gates are open, the VMM's filter apart. */
  countable: boolean;
  /** Event at which the gates were looked at last. */
  gatesAt: number;
  /** What was behind it then; −1 not looked at. */
  backingKey = -1;
  private readonly enabledSpan = new EnabledSpan();
  /** Counts of host events that are read next to it, by event. */
  readonly paired = new Map<HostEvent, PairedSpan>();
  /** Seq at which a host event that could be compared was refused a counter, 0 never. */
  hostRefusedAt = 0;
  /** Running sums up to which everything is settled. */
  private readonly settled = noSums();
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
    this.highest = (1n << BigInt(state.width)) - 1n;
    this.fromSeq = seq;
    this.fromTime = time;
    this.start = totals;
    this.startValue = valueAmount(value);
    settleAt(this.settled, totals);
    this.closed = closedGates(state);
    this.wanted = guestOpen(state);
    this.countable = isCountable(this.closed);
    this.gatesAt = seq;
    if (this.wanted) this.enabledSpan.opens(seq, time);
    this.used = state.counting;
    this.stays = new PcpuStays(seq, value, 0);
    this.seen = new Reads(seq, value);
  }

  /** The gates are now as `state` says; `totals` are the running sums. */
  gatesAre(state: CounterGates, totals: Totals, at: Moment): void {
    const { seq } = at;
    this.settle(totals, seq);
    this.gatesAt = seq;
    if (state.counting) this.used = true;
    const closed = closedGates(state);
    if (closed === this.closed) return;
    const wasWanted = this.wanted;
    this.closed = closed;
    this.wanted = guestOpen(state);
    this.countable = isCountable(this.closed);
    if (this.wanted === wasWanted) return;
    if (this.wanted) this.enabledSpan.opens(seq, at.time);
    else this.enabledSpan.closes(seq, at.time);
  }

  /** Its event was created to leave levels out; what was counted before, was counted under the filter before. */
  filteredBy(filter: NonNullable<GuestWindow['filter']>): void {
    if (this.filter === null || !this.used) this.filter = filter;
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

  /** Used, or at least its event was seen enabled. */
  get told(): boolean {
    return this.used || this.happenings.enabled.count > 0;
  }

  get interrupted(): number {
    return this.happenings.interrupt.count;
  }

  private settle(totals: Totals, seq: number): void {
    const { settled } = this;
    const ns = totals.guestNs - settled.ns;
    const counting = this.closed === '';
    if (counting) addGrowth(this.counting, totals, settled);
    if (this.wanted) addGrowth(this.enabled, totals, settled);
    settleAt(settled, totals);
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
    if (this.wanted) this.enabledSpan.closes(seq, time);
    const endValue = valueAmount(value);
    const { startValue, width } = this;
    return {
      vcpu: this.vcpu,
      counter: this.counter,
      used: this.used,
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
      enabledSpan: this.enabledSpan.all,
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
      hostRefusedAt: this.hostRefusedAt,
    };
  }
}
