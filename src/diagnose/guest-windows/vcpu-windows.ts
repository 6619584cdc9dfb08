import { EventKind } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import type { CounterValue, VcpuReplay } from '../../replay/vcpu-replay.ts';
import type { Cursor } from './cursor.ts';
import { EVIDENCE_KEPT, type GuestWindow, type HappeningName, happened } from './guest-window.ts';
import { HostCounts } from './host-counts.ts';
import { HostPairs } from './host-pairs.ts';
import { OpenWindow } from './open-window.ts';
import { OpenWindows } from './open-windows.ts';
import { RecordKeeper } from './record-keeper.ts';
import { RunningTimes } from './running-times.ts';
import { VcpuTotals } from './vcpu-totals.ts';
import type { Opening } from './window-records.ts';

/** What the windows of a vCPU need to know of the log. */
export interface VcpuOptions {
  readonly attr: (id: number) => PerfEventAttr | undefined;
  /** Vendor of an x86 host; undefined on arm64. */
  readonly vendor?: 'intel' | 'amd' | undefined;
  /** Kinds the log holds at all. */
  readonly recordedKinds: ReadonlySet<EventKind>;
}

/** The windows of one vCPU: opens and closes them, and keeps what is summed and noted for all of them. */
export class VcpuWindows {
  readonly replay: VcpuReplay;
  readonly totals = new VcpuTotals();
  readonly open = new OpenWindows();
  readonly hosts = new HostCounts();
  /** Undefined where no counts of host events are recorded at reschedules. */
  readonly pairs: HostPairs | undefined;
  readonly keeper: RecordKeeper;
  /** Levels the backing event of each counter was created to leave out. */
  private readonly filters = new Map<number, NonNullable<GuestWindow['filter']>>();
  readonly running = new RunningTimes();
  /** CPU the thread was on when a window was last told. */
  pcpu = -1;
  /** What KVM does at the next entry can open or close gates (x86 defers reprogramming to it). */
  stale = false;
  /** The last event at which the gates of any counter may have changed without a record of their own. */
  changedAt = 0;
  /** Entries at which they still may: what was recorded before an entry can take effect at it. */
  private changes = 2;
  /** What was recorded since the last entry can open or close the gates of any counter at the next one. */
  private loose = true;
  /** Counters, as bits, whose gates or programming may have changed since they were looked at; and those before them. */
  private dirty: number | 'all' = 'all';
  private dirtyBefore: number | 'all' = 'all';
  private readonly cursor: Cursor;
  /** Numbers of the counters the vCPU has. */
  private readonly counters: readonly number[];
  private readonly emit: (window: GuestWindow) => void;
  /** A window still wants exits, or exits for halts, as evidence. */
  private wantsExits = false;
  private wantsHalts = false;
  /** Interrupt lines (arm64), and interrupts the guest accepts (x86), are recorded. */
  private readonly lines: boolean;
  private readonly accepts: boolean;
  private lineMissing = false;
  private inAccess = false;
  /** Counters for which events were created in the present access. */
  private readonly created: number[] = [];
  private contradicted = 0;

  constructor(
    replay: VcpuReplay,
    cursor: Cursor,
    options: VcpuOptions,
    emit: (window: GuestWindow) => void,
  ) {
    this.replay = replay;
    this.counters = replay.counters;
    this.cursor = cursor;
    this.emit = emit;
    this.keeper = new RecordKeeper(replay, options.attr);
    const { vendor, recordedKinds: kinds } = options;
    this.lines = kinds.has(EventKind.irqLevel);
    this.accepts = kinds.has(EventKind.interruptAccept);
    const entersRecorded = kinds.has(EventKind.guestEnter) && kinds.has(EventKind.guestExit);
    if (vendor === undefined && kinds.has(EventKind.hwUpdate)) {
      this.pairs = new HostPairs(replay, this.open, entersRecorded);
    }
  }

  /** Brings the running sums up to the present event. */
  settle(): void {
    const { now } = this.cursor;
    this.totals.upTo(now);
    this.totals.sums.guestNs = this.replay.residency.upTo(now);
  }

  /** Something happened to every open window. */
  everywhere(name: HappeningName): void {
    const { seq } = this.cursor;
    for (const window of this.open.all) happened(window.happenings[name], seq);
  }

  /** A PMU interrupt is given to the guest. */
  interrupt(): void {
    this.totals.sums.interrupts++;
    this.everywhere('interrupt');
    this.keeper.interrupted(this.open);
  }

  exits(code: number): void {
    this.totals.exit(this.cursor.now, code);
    this.keeper.exits(code);
    if (this.wantsExits) this.wantsExits = this.noteExit('exited');
    if (this.wantsHalts && this.totals.inHalt) this.wantsHalts = this.noteExit('halted');
    this.pairs?.exited();
  }

  /** The first exits of each window are evidence; how many there were is in its totals. True while one wants more. */
  private noteExit(name: 'exited' | 'halted'): boolean {
    const { seq } = this.cursor;
    let more = false;
    for (const { happenings } of this.open.all) {
      const happening = happenings[name];
      if (happening.evidence.length < EVIDENCE_KEPT) happened(happening, seq);
      more ||= happening.evidence.length < EVIDENCE_KEPT;
    }
    return more;
  }

  /** The present event can change the interrupt line, and the gates of these counters. */
  changed(counters: number | 'all'): void {
    this.changes = 2;
    this.dirty = both(this.dirty, counters);
    if (counters === 'all') this.changedAt = this.cursor.seq;
  }

  /** What KVM asked of perf changed, or the vCPU's state as a whole: it may show at the next entry. */
  changedLoosely(): void {
    this.changed('all');
    this.loose = true;
  }

  enters(pcpu: number): void {
    this.moves(pcpu);
    const { cursor, replay, keeper } = this;
    if (this.changes > 0) {
      this.changes--;
      if (this.loose) this.changed('all');
      this.loose = false;
      if (this.lines) {
        cursor.before();
        this.lineMissing = replay.interruptLine === 1 && keeper.interrupts.line === 0;
      }
    }
    let missing = this.lineMissing;
    if (this.stale) this.entersStale();
    if (this.accepts) {
      cursor.after();
      const { irqContradicted } = replay.tallies;
      missing ||= irqContradicted > this.contradicted;
      this.contradicted = irqContradicted;
    }
    keeper.enters(this.open, missing);
    this.totals.enter(cursor.now);
    this.pairs?.entered();
  }

  /** Before the entry counts, KVM has opened what is pending: the counter counts from here on. */
  private entersStale(): void {
    this.stale = false;
    this.cursor.before();
    this.settle();
    this.cursor.after();
    for (const window of this.open.all) this.gatesOf(window);
  }

  /** The thread runs on `pcpu` now. */
  moves(pcpu: number): void {
    if (this.pcpu === pcpu) return;
    const { open, cursor, replay, totals } = this;
    if (this.pcpu >= 0) {
      cursor.before();
      this.settle();
      for (const window of open.all) {
        window.leavePcpu(this.pcpu, replay.counterValue(window.counter), totals.sums, cursor.seq);
      }
    }
    this.pcpu = pcpu;
    for (const window of open.all) window.pcpus.add(pcpu);
  }

  /** An access of the guest begins: what KVM does until it ends may be for the window after it. */
  accessBegins(): void {
    this.inAccess = true;
    this.pairs?.accessBegins();
  }

  accessEnds(): void {
    this.pairs?.accessEnds();
    if (!this.inAccess) return;
    this.inAccess = false;
    for (const counter of this.created) {
      const window = this.open.of(counter);
      const filter = this.filters.get(counter);
      if (window !== undefined && filter !== undefined) window.filteredBy(filter);
    }
    this.created.length = 0;
  }

  /** An event was created behind the counter of a window. */
  filtered(window: OpenWindow, filter: NonNullable<GuestWindow['filter']>): void {
    this.filters.set(window.counter, filter);
    if (this.inAccess) this.created.push(window.counter);
    else window.filteredBy(filter);
  }

  /** Takes over the gates of a window as they are now. */
  gatesOf(window: OpenWindow, state = this.replay.counterGates(window.counter)): void {
    window.gatesAre(state, this.totals.sums, this.cursor);
  }

  /** A write that can change what counts, applied here: windows end where the event does. */
  programmed(): void {
    const { cursor, replay, open } = this;
    const reached = both(this.dirty, this.dirtyBefore);
    this.dirtyBefore = this.dirty;
    this.dirty = 0;
    if (reached === 0) return;
    cursor.before();
    this.settle();
    const before = this.values((counter) => reached === 'all' || ((reached >>> counter) & 1) === 1);
    cursor.after();
    for (const counter of this.counters) {
      if (reached !== 'all' && ((reached >>> counter) & 1) === 0) continue;
      const window = open.of(counter);
      const state = replay.counterGates(counter);
      if (window !== undefined && window.event === state.event) {
        this.gatesOf(window, state);
        continue;
      }
      if (window !== undefined) this.close(window, before[counter]!);
      this.keeper.begins(counter, 'control', cursor.chunk, cursor.i, state.counting);
      this.opens(counter);
    }
  }

  /**
   * The counters `chosen` says get another value from the present event, which is applied here: their windows end
   * before it and new ones begin after it. `name` happens to all windows.
   */
  split(
    by: Opening['by'],
    name: HappeningName | undefined,
    chosen: (counter: number) => boolean = () => true,
  ): void {
    const { cursor, replay, open, keeper } = this;
    cursor.before();
    this.settle();
    const before = this.values(chosen);
    if (name !== undefined) this.everywhere(name);
    for (const counter of this.counters) {
      if (!chosen(counter)) continue;
      const { counting } = replay.counterGates(counter);
      keeper.begins(counter, by, cursor.chunk, cursor.i, counting);
      const window = open.of(counter);
      if (window !== undefined && counting) {
        happened(window.happenings.writtenWhileCounting, cursor.seq);
      }
    }
    cursor.after();
    for (const counter of this.counters) {
      const window = open.of(counter);
      if (window !== undefined && !chosen(counter)) {
        this.gatesOf(window);
        continue;
      }
      if (window !== undefined) this.close(window, before[counter]!);
      this.opens(counter);
    }
  }

  /** Records were lost. */
  lost(): void {
    this.everywhere('lost');
    this.changedLoosely();
    this.pairs?.forget();
  }

  /** A guest of the guest begins or ends to run. */
  nested(role: 'enter' | 'leave'): void {
    const { cursor, replay } = this;
    if (role === 'enter') this.everywhere('nestedEntry');
    cursor.after();
    for (const { counter, nested } of this.open.all) {
      nested[role](cursor.seq, replay.counterValue(counter));
    }
  }

  /** A sample of MSR_SMI_COUNT on the vCPU's CPU, which is applied. */
  sampleSmi(count: number): void {
    this.settle();
    for (const window of this.open.all) {
      const value = this.replay.counterValue(window.counter);
      window.sampleSmi(count, value, this.totals.sums, this.cursor.seq);
    }
  }

  /** Ends all open windows. */
  end(): void {
    this.settle();
    for (const window of [...this.open.all]) {
      this.close(window, this.replay.counterValue(window.counter));
    }
  }

  /** By counter: the values of the open windows that are chosen, as they are now. */
  private values(chosen: (counter: number) => boolean): readonly CounterValue[] {
    const values: CounterValue[] = [];
    for (const { counter } of this.open.all) {
      if (chosen(counter)) values[counter] = this.replay.counterValue(counter);
    }
    return values;
  }

  private opens(counter: number): void {
    const { replay, totals, cursor } = this;
    const state = replay.counterState(counter);
    const window = new OpenWindow(
      replay.slot,
      state,
      replay.counterValue(counter),
      cursor.seq,
      cursor.time,
      totals.copy(),
      this.keeper.opening(counter),
    );
    if (this.pcpu >= 0) window.pcpus.add(this.pcpu);
    // SW_INCR and CHAIN have no event that could leave something out.
    if (state.backing !== undefined) window.filter = this.filters.get(counter) ?? null;
    this.open.add(window);
    this.wantsExits = true;
    this.wantsHalts = true;
    this.pairs?.guestCounted(window, cursor);
  }

  private close(window: OpenWindow, value: CounterValue): void {
    const { cursor, totals } = this;
    this.open.remove(window);
    this.keeper.closing(window, value);
    this.hosts.finish(window);
    if (!window.told) return;
    this.pairs?.finish(window);
    const reason = this.replay.counterState(window.counter).reason ?? '';
    this.emit(window.close(value, reason, cursor.seq, cursor.time, totals.copy(), this.pcpu));
  }
}

function both(a: number | 'all', b: number | 'all'): number | 'all' {
  return a === 'all' || b === 'all' ? 'all' : (a | b) >>> 0;
}
