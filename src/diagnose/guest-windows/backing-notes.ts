import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import { Backing } from '../../replay/recorded-perf.ts';
import type { VcpuReplay } from '../../replay/vcpu-replay.ts';
import { happened } from './guest-window.ts';
import type { Moment, Notes, NoteWindow, NoteWindows } from './note-window.ts';
import type { BackingRecord, Selected } from './window-records.ts';

/** Enable bit of a selector. */
const SELECTOR_EN = 1 << 22;

/** Address of the event behind a counter as far as records tell, 0n none. */
export function pointerBehind({ perf }: VcpuReplay, counter: number): bigint {
  return perf.life[counter] === Backing.none ? 0n : perf.pointer[counter]!;
}

/** What host perf was asked for behind the counters, and which hardware counters the host programmed. */
export class BackingNotes {
  private readonly moment: Moment;
  private readonly replay: VcpuReplay;
  private readonly attr: (id: number) => PerfEventAttr | undefined;
  private readonly creations = new Map<bigint, BackingRecord>();
  private readonly lastCreation = new Map<number, BackingRecord>();
  private readonly periods = new Map<bigint, { seq: number; value: bigint }>();
  private readonly hardware = new Map<number, { seq: number; index: number }>();
  /** The host's selector writes since the exit, the last of each index and event. */
  private readonly programmed = new Map<number, number>();
  /** Creations since the exit whose counter is not known. */
  private unplaced: BackingRecord[] = [];

  constructor(moment: Moment, replay: VcpuReplay, attr: (id: number) => PerfEventAttr | undefined) {
    this.moment = moment;
    this.replay = replay;
    this.attr = attr;
  }

  created(chunk: EventChunk, i: number, open: NoteWindows): void {
    const { seq } = this.moment;
    const record: BackingRecord = {
      seq,
      attr: this.attr(chunk.code[i]!),
      config: chunk.aux0[i]!,
      period: chunk.value[i]!,
    };
    const pointer = chunk.object[i]!;
    this.creations.set(pointer, record);
    this.periods.set(pointer, { seq, value: record.period });
    const counter = chunk.counter[i]!;
    if (counter >= 0) this.tie(counter, record, open.of(counter));
    else this.unplaced.push(record);
  }

  periodSet(pointer: bigint, value: bigint): void {
    this.periods.set(pointer, { seq: this.moment.seq, value });
  }

  /** The host wrote an MSR; `low` is the low half of the value. */
  hostWrote(code: number, low: number): void {
    if (!isProgramming(code, low)) return;
    const key = msrIndex(decodeMsr(code)) * 2 ** 16 + (low & 0xffff);
    // The last write goes last.
    this.programmed.delete(key);
    this.programmed.set(key, this.moment.seq);
  }

  /** An entry: by now the replay knows whose the creations and hardware counters are. */
  enters(open: NoteWindows, selectors: ReadonlyMap<number, Selected>): void {
    if (this.unplaced.length > 0) this.tieCreations(open, selectors);
    if (this.programmed.size > 0) this.tieHardware(open);
  }

  private tie(counter: number, record: BackingRecord, window: NoteWindow | undefined): void {
    const before = this.lastCreation.get(counter);
    this.lastCreation.set(counter, record);
    if (before !== undefined && alike(before, record) && window !== undefined) {
      happened(window.notes.createdAlike, record.seq);
    }
  }

  /** x86 creations name no counter: the replay knows by now whose they are, or one selector alone was written. */
  private tieCreations(open: NoteWindows, selectors: ReadonlyMap<number, Selected>): void {
    const { exitSeq } = this.moment;
    const programmed = [...selectors].filter(([, { since }]) => since === exitSeq);
    for (const window of open.all) {
      const { counter } = window;
      const pointer = pointerBehind(this.replay, counter);
      const record = this.creations.get(pointer);
      if (record === undefined || !this.unplaced.includes(record)) continue;
      this.tie(counter, record, window);
      this.unplaced = this.unplaced.filter((other) => other !== record);
    }
    const [only] = programmed;
    if (programmed.length === 1 && only !== undefined && this.unplaced.length === 1) {
      this.tie(only[0], this.unplaced[0]!, open.of(only[0]));
    }
    this.unplaced = [];
  }

  private tieHardware(open: NoteWindows): void {
    for (const [key, seq] of this.programmed) {
      for (const { counter, event } of open.all) {
        if (event !== key % 2 ** 16) continue;
        this.hardware.set(counter, { seq, index: Math.floor(key / 2 ** 16) });
      }
    }
    this.programmed.clear();
  }

  /** Completes the notes of a window of `counter` that ends; `pointer` is its event's address. */
  closing(counter: number, pointer: bigint, notes: Notes): void {
    notes.backing = this.lastCreation.get(counter) ?? null;
    notes.period = this.periods.get(pointer) ?? null;
    notes.hardwareIndex = this.hardware.get(counter) ?? null;
  }
}

/** A write of `low` (the low half of a value) to this MSR enables a selector. */
export function isProgramming(code: number, low: number): boolean {
  return (low & SELECTOR_EN) !== 0 && msrKind(decodeMsr(code)) === Msr.selector;
}

function alike(a: BackingRecord, b: BackingRecord): boolean {
  return (
    a.config === b.config &&
    a.period === b.period &&
    a.attr?.type === b.attr?.type &&
    a.attr?.config1 === b.attr?.config1 &&
    a.attr?.attrFlags === b.attr?.attrFlags
  );
}
