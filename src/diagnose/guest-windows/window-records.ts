import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import type { Amount } from '../ledger/amount.ts';
import type { Happening } from './guest-window.ts';

/** A register access as recorded. */
export interface Written {
  readonly seq: number;
  readonly code: number;
  readonly space: RegisterSpace;
  readonly value: bigint;
}

/** What the guest programmed, and the exit since which it is that. */
export interface Selected extends Written {
  readonly since: number;
}

/** How a window began. */
export interface Opening {
  /** Programmed anew, its counter written by the guest or the VMM, reset by a control bit, or just there. */
  readonly by: 'control' | 'counter-write' | 'reset-bit' | 'vmm' | 'vcpu-reset' | 'start';
  readonly seq: number;
  /** The write; null where none began it. */
  readonly write: Written | null;
  readonly wasCounting: boolean;
  /** Visible value right before, and what its event had counted then; null when not known. */
  readonly before: Amount | null;
  readonly live: Amount | null;
}

/** A recorded outcome the rules say cannot be: what they predicted, and what was recorded. */
export interface Contradicted {
  readonly seq: number;
  readonly predicted: Amount;
  readonly recorded: bigint;
}

/** A recorded read of the counter. */
export interface Reading {
  readonly seq: number;
  readonly value: bigint;
  /** An RDPMC index that returns the low 32 bits. */
  readonly low32: boolean;
}

/** A control write that faulted. */
export interface RefusedWrite extends Written {
  /** Visible value then. */
  readonly at: Amount | null;
}

/** What host perf was asked for. */
export interface BackingRecord {
  readonly seq: number;
  readonly attr: PerfEventAttr | undefined;
  readonly config: bigint;
  readonly period: bigint;
}

/** A control register that read back other bits than were written. */
export interface ReadBack {
  readonly seq: number;
  readonly code: number;
  readonly written: bigint;
  readonly writtenSeq: number;
  readonly read: bigint;
}

/** What else was recorded of one window's counter, for the causes that rest on values rather than on time. */
export interface WindowRecords {
  readonly opening: Opening;
  /** Reads of the counter that the rules rule out, the first ones. */
  readonly contradicted: readonly Contradicted[];
  /** Recorded reads, the first ones and the last. */
  readonly readings: readonly Reading[];
  /** What reads of the overflow status say of this counter, the first ones. */
  readonly statusReads: readonly { readonly seq: number; readonly set: boolean }[];
  /** The first status read after an interrupt showed no bit at all. */
  readonly statusEmpty: Happening;
  /** Writes that clear, and that set, its overflow bit. */
  readonly statusCleared: Happening;
  readonly statusSet: Happening;
  /** Count of the event at its overflows, the first ones; null where not recorded. */
  readonly overflowCounts: readonly { readonly seq: number; readonly count: bigint }[];
  /** Overflows after which the counter has wrapped: those at least half its size apart. */
  readonly wraps: number;
  /** The rules give the guest an interrupt at an entry, and none is recorded. */
  readonly interruptMissing: Happening;
  /** A second NMI before the entry that brings the first. */
  readonly interruptTwice: Happening;
  /** Exits whose instruction KVM emulates while the guest's own gates were open. */
  readonly emulatedOn: Happening;
  /** PMSWINC writes for this counter while PMCR.E was 0. */
  readonly incrementsOff: Happening;
  /** Last selector (type register) the guest wrote; null: not recorded. */
  readonly selector: Selected | null;
  /** The last control write of it was refused: later values are suspect. Null: it was not. */
  readonly refusedControl: RefusedWrite | null;
  /** Last creation of its backing event. */
  readonly backing: BackingRecord | null;
  /** Creations with the attributes of the one before. */
  readonly createdAlike: Happening;
  /** Sample period its event has, as recorded last. */
  readonly period: { readonly seq: number; readonly value: bigint } | null;
  /** The guest asked for an interrupt, and the bits at whose end the counter overflows; undefined: not known. */
  readonly interruptEnable: boolean | undefined;
  readonly overflowBits: number | undefined;
  /** It is half of a CHAIN pair (arm64): the odd counter selects CHAIN. */
  readonly chained: boolean;
  /** A gate register (GLOBAL_CTRL, PMCR) was ever written by the guest. */
  readonly gateWritten: boolean;
  /** Last interrupt the guest got and last write of LVTPC, 0 none. */
  readonly lastInterrupt: number;
  readonly lastLvtpc: number;
  /** Last guest entry, 0 none. */
  readonly lastEntry: number;
  /** This and the windows before it: each ended by a write after an interrupt without a wrap. */
  readonly stormLength: number;
  /** PEBS_ENABLE has its bit. */
  readonly pebs: Written | null;
  /** Index of the hardware counter the host programmed for it. */
  readonly hardwareIndex: { readonly seq: number; readonly index: number } | null;
  readonly readBack: ReadBack | null;
  /** The VMM restored a PMCR with reset bits before this window, or in it. */
  readonly restoredPmcr: Written | null;
  /** A mark says that the VM was reset: its seq, 0 never; and the selector was on then. */
  readonly vmReset: number;
  /** The VMM restored state: last such record, 0 none; and the first switch-out after it, 0 none. */
  readonly restoredAt: number;
  readonly switchedAfterRestore: number;
  /** After a mark of a VM reset and before any PMU write: a selector that still enables, interrupts. */
  readonly leftover: Happening;
  /** PERF_METRICS as read in the window. */
  readonly metrics: Written | null;
  /** RDPMC of PERF_METRICS, and of the low half of a counter, whose value is not recorded; 0 none. */
  readonly metricsUntold: number;
  readonly lowHalfUntold: number;
  /** A read with bits above the counter's width. */
  readonly tooWide: Written | null;
  /** Reads of its event whose time running is more than its time enabled. */
  readonly runsLonger: Happening;
}

/** Items kept of each list. */
export const RECORDS_KEPT = 32;
