import type { CounterRequest } from './counter-pool.ts';

/** perf_event states as the kernel numbers them (semantics F.1). */
export const HostEventState = {
  dead: -4,
  exit: -3,
  error: -2,
  off: -1,
  inactive: 0,
  active: 1,
} as const;
export type HostEventState = (typeof HostEventState)[keyof typeof HostEventState];

/** What a perf event was opened with, as far as it decides where and when it counts. */
export interface HostEventAttr {
  /** Any name that is unique on the host. */
  readonly id: string;
  /** Number on the PMU (after the driver mapped a generic event). */
  readonly event: number;
  /** A 64-bit counter is asked for (arm64 config1 bit 0). */
  readonly long?: boolean;
  readonly pinned?: boolean;
  /** Opened disabled. */
  readonly disabled?: boolean;
  /** The task it follows; absent: it is bound to `cpu` whatever runs there. */
  readonly task?: string;
  /** The pCPU it is bound to; a task's event without it follows the task anywhere. */
  readonly cpu?: number;
  /** Member of the group led by the event of this id. */
  readonly leader?: string;
  /** The core PMU (default), or one whose events always fit and that no mediated guest takes over (software, uncore). */
  readonly pmu?: 'core' | 'other';
  readonly excludeUser?: boolean;
  readonly excludeKernel?: boolean;
  readonly excludeHv?: boolean;
  readonly excludeHost?: boolean;
  readonly excludeGuest?: boolean;
}

/** What runs on a pCPU while it counts. */
export interface RunMode {
  readonly guest: boolean;
  readonly level: 'user' | 'kernel' | 'hv';
}

/** True if an event with these exclude bits counts in this mode (semantics F.3). */
export function countsIn(attr: HostEventAttr, mode: RunMode): boolean {
  if (mode.guest ? attr.excludeGuest === true : attr.excludeHost === true) return false;
  switch (mode.level) {
    case 'user':
      return attr.excludeUser !== true;
    case 'kernel':
      return attr.excludeKernel !== true;
    case 'hv':
      return attr.excludeHv !== true;
  }
}

/** One event while it exists. Its place on the hardware is in the pCPU's counter pool. */
export class HostEvent implements CounterRequest {
  readonly attr: HostEventAttr;
  readonly event: number;
  readonly long: boolean;
  readonly pinned: boolean;
  /** Members of the group it leads, without itself. */
  readonly siblings: HostEvent[] = [];
  leader: HostEvent | undefined;
  state: HostEventState;
  /** time_enabled and time_running, ns. */
  enabledNs = 0;
  runningNs = 0;
  count = 0n;

  constructor(attr: HostEventAttr) {
    this.attr = attr;
    this.event = attr.event;
    this.long = attr.long ?? false;
    this.pinned = attr.pinned ?? false;
    this.state = attr.disabled === true ? HostEventState.off : HostEventState.inactive;
  }

  get isCore(): boolean {
    return this.attr.pmu !== 'other';
  }
}
