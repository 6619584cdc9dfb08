/** What a perf_event_attr of a recorded event-create says, apart from config and sample_period (columns of the event). */
export interface PerfEventAttr {
  /** attr.type: a PMU type number; dynamic ones differ between hosts. */
  readonly type: number;
  readonly config1: bigint;
  /** The attr's flag word at byte 40: bit 0 disabled, 2 pinned, 4 exclude_user, 5 exclude_kernel, 6 exclude_hv, 19 exclude_host, 20 exclude_guest. */
  readonly attrFlags: bigint;
  /** CPU it is bound to, −1 any. */
  readonly cpu: number;
  /** Thread id it is bound to, −1 none or not recorded. */
  readonly task: number;
}

/** What a log knows of one vCPU. `slot` is the number in the `vcpu` column. */
export interface VcpuFact {
  readonly slot: number;
  /** KVM's vcpu_id. */
  readonly index: number;
  /** The thread that runs it, −1 when no record told. */
  readonly tid: number;
  /** Process of the thread (one per VM), −1 unknown. */
  readonly pid: number;
  /** How it was learned, for people: `vcpu= of sysreg_in`, `thread name CPU 0/KVM`, … */
  readonly learnedFrom: string;
  /** The first event that told; −1 before it has a seq. */
  readonly seq: number;
}

/** Whose counts a recording holds. */
export type Role = 'host' | 'guest';

/**
 * Clock of `perf stat` counts that nobody placed on the clock of the trace: they run from perf stat's own start and cannot
 * be compared by time.
 */
export const RELATIVE_CLOCK = 'perf-stat-relative';

/** What one recording said of itself and what importing it found. */
export interface RecordingFacts {
  /** Name as given by the user (`-` for standard input); base name only, so logs can be compared between machines. */
  readonly name: string;
  readonly format: string;
  readonly role: Role;
  /** Kernel release the recording names (`6.12.117+deb12-arm64`), undefined if it does not. */
  readonly kernelRelease?: string;
  readonly arch?: 'arm64' | 'x86';
  readonly hostname?: string;
  /** The CPU as the recorder describes it. */
  readonly cpuModel?: string;
  /** An arm64 host that runs at EL2 (VHE). */
  readonly vhe?: boolean;
  readonly toolVersion?: string;
  readonly commandLine?: string;
  /** What perf stat counted, as the heading of its table says: a command, a process, `system wide`. */
  readonly counted?: string;
  /** `mono`, `boot`, `local`, `perf`, … or undefined. */
  readonly clock?: string;
  /** Of placed `perf stat` counts: the start they were placed by is known to this many ns, half a step of the digits given. */
  readonly placedWithin?: number;
  /** Of a compressed recording: SHA-256 (hex) and size of what is in it, which it shares with the recording unpacked. */
  readonly contentDigest?: string;
  readonly contentBytes?: number;
  /** Of the first recording of a slice: how it was cut, as text (slice-facts.ts). */
  readonly slice?: string;
  /** Smallest step of the printed times, ns: 1, 1000, … */
  readonly timeResolution: number;
}

/** Something in a recording that was not taken over as it stood, counted by kind. */
export interface ImportNotice {
  readonly severity: 'info' | 'warning' | 'error';
  /** Stable word for programs: `unmapped-event`, `unparsable-line`, `guest-samples-missing`, … */
  readonly code: string;
  /** One sentence for people. */
  readonly text: string;
  readonly count: number;
  /** First line number (text, from 1) or byte offset (binary) it was seen at. */
  readonly firstAt?: number;
}
