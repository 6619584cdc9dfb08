import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import type { X86RuleSet } from '../arch/x86-rules.ts';
import { EventKind } from '../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import type { Withheld } from './evidence.ts';
import type { VmFacts } from './vm-facts.ts';
import type { X86Facts } from './x86/x86-facts.ts';

/** What a replay needs to know beside the events, whatever the architecture. */
export interface CommonReplayConfig {
  readonly vcpus: readonly VcpuFact[];
  /** Which kinds this log holds at all. */
  readonly recordedKinds: ReadonlySet<EventKind>;
  readonly withheld: Withheld;
  /** Sources whose events happened inside the guest: they do not drive the host's model. */
  readonly guestSources: ReadonlySet<number>;
  /** The log's attr side table. */
  readonly attr: (id: number) => PerfEventAttr | undefined;
  /** Time of the log's first event, ns. */
  readonly epoch: bigint;
  /** Step of the recorded times, ns: the largest of all sources. */
  readonly resolution: number;
}

export interface Arm64ReplayConfig extends CommonReplayConfig {
  readonly arch: 'arm64';
  readonly rules: Arm64RuleSet;
  readonly facts: VmFacts;
}

export interface X86ReplayConfig extends CommonReplayConfig {
  readonly arch: 'x86';
  readonly rules: X86RuleSet;
  readonly facts: X86Facts;
}

/** Everything a replay needs to know beside the events; plain data, so that replays can be compared. */
export type ReplayConfig = Arm64ReplayConfig | X86ReplayConfig;

/** Whether this replay is told of events of a kind: the log holds some and they are not withheld. */
export function isTold(config: CommonReplayConfig, kind: EventKind): boolean {
  return config.recordedKinds.has(kind) && config.withheld.kinds[kind] !== true;
}

/** What both architectures' vCPUs are told of. */
export function commonRecorded(config: CommonReplayConfig): {
  readonly resolution: number;
  readonly entersRecorded: boolean;
  readonly overflowsRecorded: boolean;
  readonly createsRecorded: boolean;
  readonly attr: (id: number) => PerfEventAttr | undefined;
} {
  return {
    resolution: config.resolution,
    entersRecorded: isTold(config, EventKind.guestEnter) && isTold(config, EventKind.guestExit),
    overflowsRecorded: isTold(config, EventKind.eventOverflow),
    createsRecorded: isTold(config, EventKind.eventCreate),
    attr: config.attr,
  };
}
