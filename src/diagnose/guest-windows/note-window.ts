import type { Amount } from '../ledger/amount.ts';
import { EVIDENCE_KEPT, type Happening } from './guest-window.ts';
import {
  type Contradicted,
  type Opening,
  RECORDS_KEPT,
  type Reading,
  type WindowRecords,
} from './window-records.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The event a vCPU is at, and its last exit. */
export interface Moment {
  seq: number;
  exitSeq: number;
}

/** The windows that are open. */
export interface NoteWindows {
  readonly all: readonly NoteWindow[];
  of(counter: number): NoteWindow | undefined;
}

/** What a record is noted in: an open window. */
export interface NoteWindow {
  readonly counter: number;
  readonly event: number | undefined;
  readonly width: number;
  /** Highest value of that width. */
  readonly highest: bigint;
  readonly startValue: Amount | null;
  readonly notes: Notes;
  /** The guest's own gates are open: what KVM emulates would count. */
  readonly countable: boolean;
  /** Interrupts seen in it. */
  readonly interrupted: number;
  used: boolean;
  /** It is handed out when it ends. */
  readonly told: boolean;
}

const none = (): Happening => ({ count: 0, evidence: [] });

/** WindowRecords while their window is open. */
export class Notes implements Mutable<WindowRecords> {
  readonly opening: Opening;
  readonly contradicted: Contradicted[] = [];
  readonly readings: Mutable<Reading>[] = [];
  readonly statusReads: { seq: number; set: boolean }[] = [];
  readonly statusEmpty = none();
  readonly statusCleared = none();
  readonly statusSet = none();
  readonly overflowCounts: { seq: number; count: bigint }[] = [];
  wraps = 0;
  readonly interruptMissing = none();
  readonly interruptTwice = none();
  readonly emulatedOn = none();
  readonly incrementsOff = none();
  selector: WindowRecords['selector'] = null;
  refusedControl: WindowRecords['refusedControl'] = null;
  backing: WindowRecords['backing'] = null;
  readonly createdAlike = none();
  period: WindowRecords['period'] = null;
  interruptEnable: boolean | undefined = undefined;
  overflowBits: number | undefined = undefined;
  chained = false;
  gateWritten = false;
  lastInterrupt = 0;
  lastLvtpc = 0;
  lastEntry = 0;
  stormLength = 0;
  pebs: WindowRecords['pebs'] = null;
  hardwareIndex: WindowRecords['hardwareIndex'] = null;
  readBack: WindowRecords['readBack'] = null;
  restoredPmcr: WindowRecords['restoredPmcr'] = null;
  restoredAt = 0;
  switchedAfterRestore = 0;
  readonly leftover = none();
  metrics: WindowRecords['metrics'] = null;
  metricsUntold = 0;
  lowHalfUntold = 0;
  vmReset = 0;
  tooWide: WindowRecords['tooWide'] = null;
  readonly runsLonger = none();
  private lastOverflow: bigint | null = null;

  constructor(opening: Opening) {
    this.opening = opening;
  }

  statusRead(seq: number, set: boolean): void {
    if (this.statusReads.length < RECORDS_KEPT) this.statusReads.push({ seq, set });
  }

  /** The first readings, and the last in the last place. */
  reading(seq: number, value: bigint, low32: boolean): void {
    if (this.readings.length < RECORDS_KEPT) {
      this.readings.push({ seq, value, low32 });
      return;
    }
    const last = this.readings[RECORDS_KEPT - 1]!;
    last.seq = seq;
    last.value = value;
    last.low32 = low32;
  }

  contradiction(contradicted: Contradicted): void {
    if (this.contradicted.length < EVIDENCE_KEPT) this.contradicted.push(contradicted);
  }

  /** An overflow of its event at `count`; 0: not recorded. The event can overflow without a wrap of the counter. */
  overflowed(seq: number, count: bigint, width: number, wraps: boolean): void {
    if (this.overflowCounts.length < RECORDS_KEPT) this.overflowCounts.push({ seq, count });
    const half = 1n << BigInt(width - 1);
    const near = this.lastOverflow !== null && count !== 0n && count - this.lastOverflow < half;
    if (!near && wraps) this.wraps++;
    if (!near) this.lastOverflow = count;
  }
}
