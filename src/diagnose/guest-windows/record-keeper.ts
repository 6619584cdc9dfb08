import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { Observation } from '../../replay/observation.ts';
import type { CounterValue, VcpuReplay } from '../../replay/vcpu-replay.ts';
import { ExitClass, exitClass } from '../../replay/x86/x86-exits.ts';
import { exactly } from '../ledger/amount.ts';
import { happened } from './guest-window.ts';
import { resetMark } from './marks.ts';
import type { NoteWindow } from './note-window.ts';
import { type StatusAccess, statusAccess } from './status-registers.ts';
import type {
  BackingRecord,
  Opening,
  ReadBack,
  RefusedWrite,
  Selected,
  Written,
} from './window-records.ts';

const CYCLE_COUNTER = 31;
const CHAIN = 0x1e;
const PMCR_E = 1n;
const PMCR_RESETS = 0x6n;
/** Fixed counters' part of PEBS_ENABLE and GLOBAL_STATUS. */
const FIXED_SHIFT = 32;

/** The windows that are open, by counter. */
type Open = ReadonlyMap<number, NoteWindow>;

/** What a vCPU's records said last, for the windows that are open and those to come. */
export class RecordKeeper {
  private readonly replay: VcpuReplay;
  private readonly attr: (id: number) => PerfEventAttr | undefined;
  private readonly selectors = new Map<number, Selected>();
  private readonly refused = new Map<number, RefusedWrite>();
  private readonly controls = new Map<number, Written>();
  private readonly readBacks = new Map<number, ReadBack>();
  private readonly creations = new Map<bigint, BackingRecord>();
  private readonly lastCreation = new Map<number, BackingRecord>();
  private readonly periods = new Map<bigint, { seq: number; value: bigint }>();
  private readonly storms = new Map<number, number>();
  private readonly openings = new Map<number, Opening>();
  private readonly hardware = new Map<number, { seq: number; index: number }>();
  private readonly programmed: { seq: number; index: number; event: bigint }[] = [];
  private unplaced: BackingRecord[] = [];
  private pebs: Written | null = null;
  private restoredPmcr: Written | null = null;
  private restoredAt = 0;
  private switchedAfterRestore = 0;
  private pmcr: bigint | undefined;
  private gateWritten = false;
  private lastInterrupt = 0;
  private lastLvtpc = 0;
  private lastEntry = 0;
  private acceptedSinceEntry = 0;
  /** Interrupts whose handler has not found a status bit yet. */
  private unanswered = 0;
  /** Of the last exit. */
  private emulates = false;
  private exitSeq = 0;
  private vmWasReset = false;
  seq = 0;
  /** Level of the PMU's interrupt line as recorded. */
  line = 0;

  constructor(replay: VcpuReplay, attr: (id: number) => PerfEventAttr | undefined) {
    this.replay = replay;
    this.attr = attr;
  }

  // ---- steps of the vCPU -----------------------------------------------------------------------------------------

  exits(code: number): void {
    const kind = exitClass(code);
    this.emulates = kind !== ExitClass.other && kind !== ExitClass.nmi;
    this.exitSeq = this.seq;
  }

  /** The instruction that exited faults: it is not emulated. */
  faults(): void {
    this.emulates = false;
  }

  /** KVM emulates an access to a device. */
  device(): void {
    this.emulates = true;
  }

  /** Right before the entry counts; `missing`: the rules give an interrupt now and none is recorded. */
  enters(open: Open, missing: boolean): void {
    this.tieCreations(open);
    this.tieHardware(open);
    if (this.emulates) {
      for (const window of open.values()) {
        if (window.countable) happened(window.notes.emulatedOn, this.exitSeq);
      }
    }
    this.emulates = false;
    if (missing) {
      for (const [counter, window] of open) {
        const { interruptEnable, overflowStatus } = this.replay.counterSwitches(counter);
        if (interruptEnable !== true || overflowStatus !== true) continue;
        happened(window.notes.interruptMissing, this.seq);
        window.used = true;
      }
    }
    this.acceptedSinceEntry = 0;
    this.lastEntry = this.seq;
  }

  interrupted(open: Open): void {
    this.lastInterrupt = this.seq;
    this.unanswered++;
    this.acceptedSinceEntry++;
    for (const window of open.values()) {
      if (this.acceptedSinceEntry > 1) happened(window.notes.interruptTwice, this.seq);
      if (this.vmWasReset) {
        happened(window.notes.leftover, this.seq);
        window.used = true;
      }
    }
  }

  lvtpcWritten(): void {
    this.lastLvtpc = this.seq;
  }

  switchedOut(seq: number): void {
    if (this.restoredAt > 0 && this.switchedAfterRestore === 0) this.switchedAfterRestore = seq;
  }

  marked(text: string): void {
    if (resetMark(text)) this.vmWasReset = true;
  }

  // ---- register accesses -----------------------------------------------------------------------------------------

  /** A guest write that was done (`refused`: that faulted), before it is applied. */
  wrote(chunk: EventChunk, i: number, refused: boolean, open: Open): void {
    const flags = chunk.flags[i]!;
    const write: Written = {
      seq: this.seq,
      code: chunk.code[i]!,
      space: registerSpace(flags),
      value: chunk.value[i]!,
    };
    if ((flags & EventFlag.noValue) !== 0) return;
    const counter = this.selectorOf(write.code, write.space);
    if (refused) {
      this.emulates = false;
      for (const of of counter >= 0 ? [counter] : []) {
        this.refused.set(of, { ...write, at: amountOf(this.replay.counterValue(of)) });
      }
      return;
    }
    this.vmWasReset = false;
    if (counter >= 0) {
      const known = this.selectors.get(counter);
      const same = known !== undefined && ((known.value ^ write.value) & COUNTED_BITS) === 0n;
      this.selectors.set(counter, { ...write, since: same ? known.since : this.exitSeq });
      this.refused.delete(counter);
    }
    this.registerWritten(write, open);
    const status = statusAccess(write.code, write.space);
    if (status !== undefined) this.statusWritten(status, write, open);
  }

  private registerWritten(write: Written, open: Open): void {
    const { code, space, value } = write;
    if (space === RegisterSpace.msr) {
      const kind = msrKind(decodeMsr(code));
      if (kind === Msr.globalCtrl || kind === Msr.amdCtrl) this.gateWritten = true;
      if (kind === Msr.pebsEnable) this.pebs = write;
      if (kind === Msr.fixedCtrl)
        for (const of of open.keys())
          if (of >= FIXED_BASE) this.selectors.set(of, { ...write, since: this.exitSeq });
      if (kind === Msr.fixedCtrl || kind === Msr.globalCtrl || kind === Msr.selector) {
        this.controls.set(code, write);
      }
      return;
    }
    const register = registerByCode(code, space)?.row.register;
    // Which counter PMXEVTYPER reaches is not followed here.
    if (register === PmuRegister.xevtyper) this.selectors.clear();
    if (register === PmuRegister.pmcr) {
      this.gateWritten = true;
      this.pmcr = value;
    }
    if (register === PmuRegister.swinc && this.pmcr !== undefined && (this.pmcr & PMCR_E) === 0n) {
      for (const [of, window] of open) {
        if (((value >> BigInt(of)) & 1n) === 1n) happened(window.notes.incrementsOff, this.seq);
      }
    }
  }

  private statusWritten(status: StatusAccess, { value }: Written, open: Open): void {
    for (const [counter, window] of open) {
      if (((value >> BigInt(counter)) & 1n) === 0n) continue;
      if (status.write === 'clears') happened(window.notes.statusCleared, this.seq);
      if (status.write === 'sets') happened(window.notes.statusSet, this.seq);
    }
  }

  /** A guest read with a value, after it is applied. */
  read(chunk: EventChunk, i: number, open: Open): void {
    const code = chunk.code[i]!;
    const space = registerSpace(chunk.flags[i]!);
    const value = chunk.value[i]!;
    const seq = this.seq;
    const status = statusAccess(code, space);
    if (status?.reads === true) {
      const empty = value === 0n && this.unanswered > 0;
      this.unanswered = value === 0n ? 0 : Math.max(0, this.unanswered - 1);
      for (const [counter, window] of open) {
        window.notes.statusRead(seq, ((value >> BigInt(counter)) & 1n) === 1n);
        if (empty) happened(window.notes.statusEmpty, seq);
      }
    }
    if (space === RegisterSpace.msr) {
      const written = this.controls.get(code);
      if (written !== undefined && written.value !== value) {
        this.readBacks.set(code, {
          seq,
          code,
          written: written.value,
          writtenSeq: written.seq,
          read: value,
        });
      }
      if (msrKind(decodeMsr(code)) === Msr.perfMetrics)
        this.metricsRead({ seq, code, space, value }, open);
    }
    if (space === RegisterSpace.rdpmc && (code & METRICS_INDEX) !== 0 && (code | 0) >= 0) {
      this.metricsRead({ seq, code, space, value }, open);
    }
    const selected = this.selectorOf(code, space);
    if (selected >= 0 && this.vmWasReset && value !== 0n) {
      const window = open.get(selected);
      if (window !== undefined) {
        happened(window.notes.leftover, seq);
        window.used = true;
      }
    }
  }

  private metricsRead(read: Written, open: Open): void {
    for (const window of open.values()) window.notes.metrics = read;
  }

  /** A recorded outcome next to the prediction. */
  observed(observation: Observation, open: Open): void {
    const { verdict, counter, seq, low, span, recorded, code, space } = observation;
    if (counter < 0 || observation.recordedUndef || observation.predictedUndef) return;
    const window = open.get(counter);
    if (window === undefined) return;
    const { notes } = window;
    window.used = true;
    notes.reading({
      seq,
      value: recorded,
      low32: space === RegisterSpace.rdpmc && code >>> 31 === 1,
    });
    if (recorded >> BigInt(window.width) !== 0n)
      notes.tooWide ??= { seq, code, space, value: recorded };
    if (verdict !== 'contradicted' || span === U64_MAX) return;
    notes.contradiction({ seq, predicted: { low, high: low + span }, recorded });
  }

  private selectorOf(code: number, space: RegisterSpace): number {
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

  /** The VMM sets a register, before it is applied. */
  vmmSet(chunk: EventChunk, i: number): void {
    const code = chunk.code[i]!;
    const space = registerSpace(chunk.flags[i]!);
    const value = chunk.value[i]!;
    this.restoredAt = this.seq;
    this.switchedAfterRestore = 0;
    if (space === RegisterSpace.msr) return;
    const register = registerByCode(code, space)?.row.register;
    if (register === PmuRegister.pmcr && (value & PMCR_RESETS) !== 0n) {
      this.restoredPmcr = { seq: this.seq, code, space, value };
    }
  }

  /** The VM moved. */
  migrated(seq: number): void {
    this.restoredAt = seq;
    this.switchedAfterRestore = 0;
  }

  // ---- host events -----------------------------------------------------------------------------------------------

  created(chunk: EventChunk, i: number, open: Open): void {
    const record: BackingRecord = {
      seq: this.seq,
      attr: this.attr(chunk.code[i]!),
      config: chunk.aux0[i]!,
      period: chunk.value[i]!,
    };
    const pointer = chunk.object[i]!;
    this.creations.set(pointer, record);
    this.periods.set(pointer, { seq: this.seq, value: record.period });
    const counter = chunk.counter[i]!;
    if (counter >= 0) this.tie(counter, record, open.get(counter));
    else this.unplaced.push(record);
  }

  private tie(counter: number, record: BackingRecord, window: NoteWindow | undefined): void {
    const before = this.lastCreation.get(counter);
    this.lastCreation.set(counter, record);
    if (before !== undefined && alike(before, record) && window !== undefined) {
      happened(window.notes.createdAlike, record.seq);
    }
  }

  /** x86 creations name no counter: the replay knows by now whose they are, or one selector alone was written. */
  private tieCreations(open: Open): void {
    if (this.unplaced.length === 0) return;
    const programmed = [...this.selectors].filter(([, { since }]) => since === this.exitSeq);
    for (const [counter, window] of open) {
      const pointer = this.replay.counterState(counter).backing?.pointer ?? 0n;
      const record = this.creations.get(pointer);
      if (record === undefined || !this.unplaced.includes(record)) continue;
      this.tie(counter, record, window);
      this.unplaced = this.unplaced.filter((other) => other !== record);
    }
    const [only] = programmed;
    if (programmed.length === 1 && only !== undefined && this.unplaced.length === 1) {
      this.tie(only[0], this.unplaced[0]!, open.get(only[0]));
    }
    this.unplaced = [];
  }

  /** The host's selector writes since the exit: by now the guest's own programming is known. */
  private tieHardware(open: Open): void {
    for (const { seq, index, event } of this.programmed) {
      for (const [counter, window] of open) {
        if (window.event === undefined || BigInt(window.event) !== event) continue;
        this.hardware.set(counter, { seq, index });
      }
    }
    this.programmed.length = 0;
  }

  periodSet(pointer: bigint, value: bigint): void {
    this.periods.set(pointer, { seq: this.seq, value });
  }

  overflowed(window: NoteWindow, count: bigint): void {
    // A counter that is wider than where it overflows does not wrap there.
    const { overflowBits } = this.replay.counterSwitches(window.counter);
    window.notes.overflowed(this.seq, count, window.width, overflowBits === window.width);
    if (this.vmWasReset) happened(window.notes.leftover, this.seq);
  }

  /** The host programmed a hardware counter. */
  hostWrote(code: number, value: bigint): void {
    const decoded = decodeMsr(code);
    if (msrKind(decoded) !== Msr.selector || (value & SELECTOR_EN) === 0n) return;
    this.programmed.push({ seq: this.seq, index: msrIndex(decoded), event: value & 0xffffn });
  }

  // ---- windows ---------------------------------------------------------------------------------------------------

  /** The event applied next ends the window of `counter` and begins another. */
  begins(counter: number, by: Opening['by'], chunk: EventChunk, i: number): void {
    const { perf } = this.replay;
    const span = perf.countSpan(counter);
    const low = perf.countLow(counter);
    this.openings.set(counter, {
      by,
      seq: this.seq,
      write: {
        seq: this.seq,
        code: chunk.code[i]!,
        space: registerSpace(chunk.flags[i]!),
        value: chunk.value[i]!,
      },
      wasCounting: this.replay.counterState(counter).counting,
      before: amountOf(this.replay.counterValue(counter)),
      live: span === U64_MAX ? null : { low, high: low + span },
    });
  }

  /** How the window that opens now began. */
  opening(counter: number): Opening {
    const known = this.openings.get(counter);
    this.openings.delete(counter);
    const none = { wasCounting: false, before: null, live: null } as const;
    return (
      known ?? { by: this.seq === 0 ? 'start' : 'control', seq: this.seq, write: null, ...none }
    );
  }

  /** Completes the notes of a window that ends. */
  closing(counter: number, window: NoteWindow, value: CounterValue): void {
    const { notes } = window;
    const state = this.replay.counterState(counter);
    const switches = this.replay.counterSwitches(counter);
    const pointer = state.backing?.pointer ?? 0n;
    notes.selector = this.selectors.get(counter) ?? null;
    notes.refusedControl = this.refused.get(counter) ?? null;
    notes.backing = this.lastCreation.get(counter) ?? null;
    notes.period = this.periods.get(pointer) ?? null;
    notes.interruptEnable = switches.interruptEnable;
    notes.overflowBits = switches.overflowBits;
    notes.chained = counter < CYCLE_COUNTER && this.isChained(counter);
    notes.gateWritten = this.gateWritten;
    notes.lastInterrupt = this.lastInterrupt;
    notes.lastLvtpc = this.lastLvtpc;
    notes.lastEntry = this.lastEntry;
    const bit = counter >= FIXED_BASE ? FIXED_SHIFT + counter - FIXED_BASE : counter;
    notes.pebs =
      this.pebs !== null && ((this.pebs.value >> BigInt(bit)) & 1n) === 1n ? this.pebs : null;
    notes.hardwareIndex = this.hardware.get(counter) ?? null;
    notes.readBack = this.readBackOf(counter);
    notes.restoredPmcr = this.restoredPmcr;
    notes.restoredAt = this.restoredAt;
    notes.switchedAfterRestore = this.switchedAfterRestore;
    const stormy = window.interrupted > 0 && notes.wraps === 0 && notWrapped(window, value);
    const length = stormy ? (this.storms.get(counter) ?? 0) + 1 : 0;
    this.storms.set(counter, length);
    notes.stormLength = length;
  }

  private isChained(counter: number): boolean {
    const odd = counter | 1;
    return odd < CYCLE_COUNTER && this.replay.counters.includes(odd)
      ? this.replay.counterState(odd).event === CHAIN && this.replay.slot >= 0
      : false;
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

const SELECTOR_EN = 1n << 22n;
/** Bits of a selector or type register that say what is counted, enable and interrupt bits of x86 apart. */
const COUNTED_BITS = ~(SELECTOR_EN | (1n << 20n));
/** RDPMC index bit of PERF_METRICS. */
const METRICS_INDEX = 0x2000_0000;

function amountOf({ low, span }: CounterValue): Opening['before'] {
  if (span === U64_MAX) return null;
  return span === 0n ? exactly(low) : { low, high: low + span };
}

/** The counter surely did not pass its end since the window began. */
function notWrapped(window: NoteWindow, { low, span, width }: CounterValue): boolean {
  const start = window.startValue;
  if (span === U64_MAX || start === null) return false;
  return low >= start.high && low + span < 1n << BigInt(width);
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
