import type { Amount } from '../ledger/amount.ts';
import type { Totals } from './vcpu-totals.ts';
import type { WindowRecords } from './window-records.ts';

/** Evidence kept of one kind of happening in a window; further ones are only counted. */
export const EVIDENCE_KEPT = 8;

/** Something that happened in a window, with the first records of it. */
export interface Happening {
  count: number;
  readonly evidence: number[];
}

/** What can happen to a counter in a window, beside counting. */
export const HAPPENINGS = [
  /** The backing event was refused a hardware counter. */
  'placementRefused',
  /** A record shows it in ERROR. */
  'errorState',
  /** Read twice with guest time between, and neither its time enabled nor its time running had moved. */
  'stoodStill',
  /** Read twice, and its time running had moved: it was on hardware. */
  'ran',
  /** A record shows it INACTIVE while the thread runs. */
  'inactiveState',
  /** It was put on a hardware counter. */
  'placed',
  'created',
  'createFailed',
  'released',
  'enabled',
  'overflow',
  /** A PMU interrupt was given to the guest. */
  'interrupt',
  /** A control register was written (selector, gates), and such a write that was refused. */
  'controlWrite',
  'controlRefused',
  /** The counter was written while it could count. */
  'writtenWhileCounting',
  /** The VMM read or wrote a register, reset the vCPU, or moved the VM. */
  'vmmAccess',
  'vcpuReset',
  'migration',
  'lost',
  'contextLoad',
  'contextPut',
  /** The thread lost its CPU although it could run, and came back. */
  'switchedOut',
  'switchedIn',
  /** Exits of the guest: the first ones, and those for a halt. */
  'exited',
  'halted',
  /** The guest entered a guest of its own. */
  'nestedEntry',
] as const;
export type HappeningName = (typeof HAPPENINGS)[number];
export type Happenings = { readonly [name in HappeningName]: Happening };

/** Time the same gates were closed inside a window, by the words of the replay joined with ` and ` (`PMCR.E is 0`). */
export interface ClosedGate {
  readonly gate: string;
  /** Guest-mode time it was closed, ns. */
  guestNs: number;
  readonly fromSeq: number;
  toSeq: number;
}

/** What was summed while a state of the counter lasted. */
export interface Sums {
  /** Guest-mode time, ns. */
  ns: number;
  entries: number;
  exits: number;
  /** Exits for which KVM emulates or skips an instruction (x86). */
  emulatedExits: number;
}

/** What the counter did while the vCPU was on one physical CPU; spans whose count is not exact at both ends are left out. */
export interface PcpuStay {
  readonly pcpu: number;
  /** Guest-mode time with the guest's own gates open, ns, and what was counted in it. */
  openNs: number;
  events: bigint;
  readonly evidence: number[];
}

/** Between two samples of MSR_SMI_COUNT with an exact value of the counter at each. */
export interface SmiInterval {
  readonly fromSeq: number;
  readonly toSeq: number;
  /** System management interrupts in it. */
  readonly smis: number;
  readonly guestNs: number;
  readonly events: bigint;
}

/** Between two recorded reads of the counter by the guest. */
export interface ReadInterval {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly events: bigint;
  /** What was summed in it while the guest's own gates were open. */
  readonly enabled: Sums;
}

/** The window as it was at the last read whose value was exact: where whole numbers can be compared. */
export interface AtRead {
  readonly seq: number;
  /** What the counter had moved by since the window began; null when its first value is not exact. */
  readonly events: bigint | null;
  readonly counting: Sums;
  readonly enabled: Sums;
}

/** Spans in which a guest of the guest ran. */
export interface NestedSpans {
  spans: number;
  /** What the counter moved by in them; null when not known for all of them. */
  events: bigint | null;
  readonly evidence: number[];
}

/** What else wanted counters on the CPU at a moment the backing event had none. */
export interface Competitors {
  readonly pcpu: number;
  /** Seqs of the creations of events pinned to that CPU. */
  readonly pinned: readonly number[];
  /** Counters the guest had enabled. */
  readonly wanted: number;
}

/** Part of the log, by events and their times (ns on the log's clock). */
export interface Span {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly fromTime: bigint;
  readonly toTime: bigint;
}

/** What is not sharp about a count of `perf stat` that was placed on the clock of the trace. */
export interface PlacedStat {
  /** How far off its times can be, ns. */
  readonly withinNs: number;
  /** The rows that were added up: consecutive intervals. */
  readonly intervals: number;
  /** Time the event can have counted within the error of the span's ends, and in the span outside of the window, ns. */
  readonly edgeNs: number;
  readonly outsideNs: number;
  /** What both make of guest − host, at EDGE_RATE times the mean rate of the span. */
  readonly edges: Amount;
  /** perf stat named the vCPU's thread; else it may have counted other threads (-p, -a) too. */
  readonly ownThread: boolean;
}

/** A host event's counts over a part of the window in which the guest's count is known too. */
export interface HostSpan extends Span {
  readonly pointer: bigint;
  /** Its name where perf stat's total proves which event it is (`cycles:G`). */
  readonly name: string | undefined;
  /** Config as asked of perf, and the guest's number of that event; undefined when not known. */
  readonly config: number;
  readonly event: number | undefined;
  readonly pinned: boolean;
  /** Levels it leaves out; null where its attr is not recorded. */
  readonly filter: { readonly user: boolean; readonly kernel: boolean } | null;
  /** Modes it counts in, and how that is known. */
  readonly modes: 'G' | 'H' | 'G+H' | 'H or G+H' | 'unknown';
  readonly modesFrom: 'attr' | 'counts' | 'name';
  readonly host: bigint;
  readonly guest: Amount;
  /** Its time enabled and running over the span, ns; null where not recorded. */
  readonly enabledNs: bigint | null;
  readonly runningNs: bigint | null;
  /** Seq at which it was seen not on hardware, 0 never. */
  readonly notRunningAt: number;
  /** Where the vCPU's time went over the span; null where not known. */
  readonly totals: Totals | null;
  /** host − guest per exit in each part of the span between two reads with exact counts: lowest, highest, how many. */
  readonly gapPerExit: GapPerExit | null;
  /** Of a placed count of perf stat. */
  readonly placed?: PlacedStat;
}

/** How evenly a gap is spread over the exits. */
export interface GapPerExit {
  parts: number;
  low: number;
  high: number;
}

/** A span of one vCPU in which one guest counter was programmed for one event and not written. */
export interface GuestWindow {
  readonly vcpu: number;
  readonly counter: number;
  /** It was seen able to count, or a read of it is recorded; else no more than its event was seen enabled. */
  readonly used: boolean;
  /** Event number (arm64) or raw event (x86); undefined when not known. */
  readonly event: number | undefined;
  readonly eventName: string;
  readonly width: number;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly fromTime: bigint;
  readonly toTime: bigint;
  /** Visible value at its ends; null when not known. */
  readonly startValue: Amount | null;
  readonly endValue: Amount | null;
  /** What the counter moved by; null when not known, with the reason. */
  readonly guest: Amount | null;
  readonly guestReason: string;
  /** Recorded reads of it by the guest: first and last seq, 0 none. */
  readonly reads: number;
  readonly firstRead: number;
  readonly lastRead: number;
  readonly totals: Totals;
  readonly happenings: Happenings;
  readonly records: WindowRecords;
  readonly gates: readonly ClosedGate[];
  /** Guest-mode time in which nothing kept it from counting, ns. */
  readonly countingNs: number;
  /** Part of it in which the backing event's time running did not move: it was on no hardware counter. */
  readonly stillNs: number;
  /** While nothing kept it from counting, and while the guest's own gates were open. */
  readonly counting: Sums;
  readonly enabled: Sums;
  /** From the first to the last moment at which the guest wanted it to count; null where it never did. */
  readonly enabledSpan: Span | null;
  readonly pcpus: ReadonlySet<number>;
  readonly stays: readonly PcpuStay[];
  readonly smi: readonly SmiInterval[];
  /** The first reads, one after the other; and the last. */
  readonly intervals: readonly ReadInterval[];
  readonly atRead: AtRead | null;
  /** The backing event was created (at `seq`) to leave these out; null where its creation was not recorded. */
  readonly filter: {
    readonly user: boolean;
    readonly kernel: boolean;
    readonly seq: number;
  } | null;
  readonly nested: NestedSpans;
  readonly competitors: Competitors | null;
  readonly hosts: readonly HostSpan[];
  /** Seq at which a host event that could be compared was refused a counter, 0 never. */
  readonly hostRefusedAt: number;
  /** Why a placed count of perf stat over it is not used. */
  readonly statUnused?: string;
}

const nothing = (): Happening => ({ count: 0, evidence: [] });

/** Members written out: one shape for all, made at once. */
export function noHappenings(): Happenings {
  return {
    placementRefused: nothing(),
    errorState: nothing(),
    stoodStill: nothing(),
    ran: nothing(),
    inactiveState: nothing(),
    placed: nothing(),
    created: nothing(),
    createFailed: nothing(),
    released: nothing(),
    enabled: nothing(),
    overflow: nothing(),
    interrupt: nothing(),
    controlWrite: nothing(),
    controlRefused: nothing(),
    writtenWhileCounting: nothing(),
    vmmAccess: nothing(),
    vcpuReset: nothing(),
    migration: nothing(),
    lost: nothing(),
    contextLoad: nothing(),
    contextPut: nothing(),
    switchedOut: nothing(),
    switchedIn: nothing(),
    exited: nothing(),
    halted: nothing(),
    nestedEntry: nothing(),
  };
}

export function happened(happening: Happening, seq: number): void {
  happening.count++;
  if (happening.evidence.length < EVIDENCE_KEPT) happening.evidence.push(seq);
}
