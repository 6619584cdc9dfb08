import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { VcpuReplay } from '../../replay/vcpu-replay.ts';
import { valueAmount } from './growth.ts';
import { happened } from './guest-window.ts';
import type { Moment, Notes, NoteWindows } from './note-window.ts';
import { type StatusAccess, statusAccess } from './status-registers.ts';
import type { ReadBack, RefusedWrite, Selected, Written } from './window-records.ts';

const CYCLE_COUNTER = 31;
const PMCR_E = 1n;
/** Fixed counters' part of PEBS_ENABLE. */
const FIXED_SHIFT = 32;
const SELECTOR_EN = 1n << 22n;
/** Bits of a selector or type register that say what is counted, enable and interrupt bits of x86 apart. */
const COUNTED_BITS = ~(SELECTOR_EN | (1n << 20n));
/** RDPMC index bit of PERF_METRICS. */
const METRICS_INDEX = 0x2000_0000;

/** The counter a selector or type register is of; −1: it is none. */
function selectorOf(code: number, space: RegisterSpace): number {
  if (space === RegisterSpace.msr) {
    const decoded = decodeMsr(code);
    const kind = msrKind(decoded);
    return kind === Msr.selector || kind === Msr.amdSelector ? msrIndex(decoded) : -1;
  }
  if (space === RegisterSpace.rdpmc) return -1;
  const match = registerByCode(code, space);
  if (match?.row.register === PmuRegister.evtyper) return match.index;
  return match?.row.register === PmuRegister.ccfiltr ? CYCLE_COUNTER : -1;
}

/** Open counters that a control register of several gates. */
function gatedBy({ code, space }: Written, open: NoteWindows): readonly number[] {
  if (space !== RegisterSpace.msr) return [];
  const kind = msrKind(decodeMsr(code));
  const counters = open.all.map(({ counter }) => counter);
  if (kind === Msr.globalCtrl || kind === Msr.amdCtrl) return counters;
  return kind === Msr.fixedCtrl ? counters.filter((counter) => counter >= FIXED_BASE) : [];
}

/** What the guest wrote to control and status registers last, and what it read back of them. */
export class AccessNotes {
  /** What each counter was programmed for last. */
  readonly selectors = new Map<number, Selected>();
  private readonly moment: Moment;
  private readonly replay: VcpuReplay;
  private readonly refused = new Map<number, RefusedWrite>();
  private readonly controls = new Map<number, Written>();
  private readonly readBacks = new Map<number, ReadBack>();
  private pebs: Written | null = null;
  private pmcr: bigint | undefined;
  private gateWritten = false;
  /** Interrupts whose handler has not found a status bit yet. */
  private unanswered = 0;

  constructor(moment: Moment, replay: VcpuReplay) {
    this.moment = moment;
    this.replay = replay;
  }

  interrupted(): void {
    this.unanswered++;
  }

  /** A guest write with a value that was done (`refused`: that faulted), before it is applied. */
  wrote(chunk: EventChunk, i: number, refused: boolean, open: NoteWindows): void {
    const { seq, exitSeq } = this.moment;
    const code = chunk.code[i]!;
    const space = registerSpace(chunk.flags[i]!);
    const write: Written = { seq, code, space, value: chunk.value[i]! };
    const counter = selectorOf(code, space);
    if (refused) {
      for (const of of counter >= 0 ? [counter] : gatedBy(write, open)) {
        this.refused.set(of, { ...write, at: valueAmount(this.replay.counterValue(of)) });
      }
      return;
    }
    for (const [of, before] of this.refused) if (before.code === code) this.refused.delete(of);
    if (counter >= 0) {
      const known = this.selectors.get(counter);
      const same = known !== undefined && ((known.value ^ write.value) & COUNTED_BITS) === 0n;
      this.selectors.set(counter, { ...write, since: same ? known.since : exitSeq });
      this.refused.delete(counter);
    }
    if (space === RegisterSpace.msr) this.msrWritten(write, open);
    else this.registerWritten(write, open);
    const status = statusAccess(code, space);
    if (status !== undefined) this.statusWritten(status, write, open);
  }

  private msrWritten(write: Written, open: NoteWindows): void {
    const kind = msrKind(decodeMsr(write.code));
    if (kind === Msr.globalCtrl || kind === Msr.amdCtrl) this.gateWritten = true;
    if (kind === Msr.pebsEnable) this.pebs = write;
    if (kind === Msr.fixedCtrl) {
      for (const { counter } of open.all) {
        if (counter < FIXED_BASE) continue;
        this.selectors.set(counter, { ...write, since: this.moment.exitSeq });
      }
    }
    if (kind === Msr.fixedCtrl || kind === Msr.globalCtrl || kind === Msr.selector) {
      this.controls.set(write.code, write);
    }
  }

  private registerWritten({ code, space, value }: Written, open: NoteWindows): void {
    const register = registerByCode(code, space)?.row.register;
    // Which counter PMXEVTYPER reaches is not followed here.
    if (register === PmuRegister.xevtyper) this.selectors.clear();
    if (register === PmuRegister.pmcr) {
      this.gateWritten = true;
      this.pmcr = value;
    }
    if (register === PmuRegister.swinc && this.pmcr !== undefined && (this.pmcr & PMCR_E) === 0n) {
      for (const window of open.all) {
        if (((value >> BigInt(window.counter)) & 1n) !== 1n) continue;
        happened(window.notes.incrementsOff, this.moment.seq);
        window.used = true;
      }
    }
  }

  private statusWritten(status: StatusAccess, { value }: Written, open: NoteWindows): void {
    for (const window of open.all) {
      if (((value >> BigInt(window.counter)) & 1n) === 0n) continue;
      if (status.write === 'clears') happened(window.notes.statusCleared, this.moment.seq);
      if (status.write !== 'sets') continue;
      happened(window.notes.statusSet, this.moment.seq);
      window.used = true;
    }
  }

  /**
   * A guest read with a value, after it is applied. `leftover`: the VM was reset and the guest has not written since, so
   * that a selector still on is one of the run before.
   */
  read(chunk: EventChunk, i: number, leftover: boolean, open: NoteWindows): void {
    const code = chunk.code[i]!;
    const space = registerSpace(chunk.flags[i]!);
    const value = chunk.value[i]!;
    const { seq } = this.moment;
    if (statusAccess(code, space)?.reads === true) this.statusRead(value, open);
    if (space === RegisterSpace.msr) this.msrRead({ seq, code, space, value }, open);
    if (space === RegisterSpace.rdpmc && (code & METRICS_INDEX) !== 0 && (code | 0) >= 0) {
      this.metricsRead({ seq, code, space, value }, open);
    }
    if (!leftover || value === 0n) return;
    const window = open.of(selectorOf(code, space));
    if (window === undefined) return;
    happened(window.notes.leftover, seq);
    window.used = true;
  }

  private statusRead(value: bigint, open: NoteWindows): void {
    const { seq } = this.moment;
    const empty = value === 0n && this.unanswered > 0;
    this.unanswered = value === 0n ? 0 : Math.max(0, this.unanswered - 1);
    for (const { counter, notes } of open.all) {
      notes.statusRead(seq, ((value >> BigInt(counter)) & 1n) === 1n);
      if (empty) happened(notes.statusEmpty, seq);
    }
  }

  private msrRead(read: Written, open: NoteWindows): void {
    const { seq, code, value } = read;
    const written = this.controls.get(code);
    if (written !== undefined && written.value !== value) {
      const { value: wrote, seq: writtenSeq } = written;
      this.readBacks.set(code, { seq, code, written: wrote, writtenSeq, read: value });
    }
    if (msrKind(decodeMsr(code)) === Msr.perfMetrics) this.metricsRead(read, open);
  }

  private metricsRead(read: Written, open: NoteWindows): void {
    for (const { notes } of open.all) notes.metrics = read;
  }

  /** An RDPMC whose value is not recorded. */
  untold(code: number, open: NoteWindows): void {
    for (const { notes } of open.all) {
      if (code >>> 31 === 1) notes.lowHalfUntold = this.moment.seq;
      else if ((code & METRICS_INDEX) !== 0) notes.metricsUntold = this.moment.seq;
    }
  }

  /** Completes the notes of a window of `counter` that ends. */
  closing(counter: number, notes: Notes): void {
    notes.selector = this.selectors.get(counter) ?? null;
    notes.refusedControl = this.refused.get(counter) ?? null;
    notes.gateWritten = this.gateWritten;
    const bit = counter >= FIXED_BASE ? FIXED_SHIFT + counter - FIXED_BASE : counter;
    const { pebs } = this;
    notes.pebs = pebs !== null && ((pebs.value >> BigInt(bit)) & 1n) === 1n ? pebs : null;
    notes.readBack = this.readBackOf(counter);
  }

  private readBackOf(counter: number): ReadBack | null {
    for (const readBack of this.readBacks.values()) {
      const decoded = decodeMsr(readBack.code);
      const kind = msrKind(decoded);
      if (kind === Msr.fixedCtrl ? counter >= FIXED_BASE : msrIndex(decoded) === counter)
        return readBack;
    }
    return null;
  }
}
