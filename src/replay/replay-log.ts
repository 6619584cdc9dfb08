import { arm64RuleSet, ruleSets } from '../arch/rule-sets.ts';
import { EXIT, UsageError, VpmuError } from '../domain/errors.ts';
import type { Event } from '../domain/event-chunk.ts';
import { EventKind, RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import type { PerfEventAttr, RecordingFacts, VcpuFact } from '../domain/log-facts.ts';
import { NOTHING_WITHHELD, type Withheld, withheldKey } from './evidence.ts';
import { FACTS_VERSION, loadFacts, saveFacts } from './facts-projection.ts';
import type { CheckpointStore, Cursor, ReplayChunk, ReplayLimit, ReplaySource } from './replay.ts';
import type { ReplayConfig } from './replayer.ts';
import { traceSpan } from './trace-span.ts';
import {
  chooseRuleSet,
  type RuleSetChoice,
  scanVmFacts,
  VM_FACT_KINDS,
  type VmFacts,
} from './vm-facts.ts';

/** What a replay needs of a log; the SQLite log satisfies it, and so does a log in memory. */
export interface ReplayLog {
  readonly firstTime: bigint | undefined;
  readonly lastTime: bigint | undefined;
  readonly eventCount: number;
  kindCounts(): ReadonlyMap<EventKind, number>;
  imports(): readonly {
    readonly source: number;
    readonly facts: RecordingFacts;
    readonly firstSeq?: number | undefined;
    readonly lastSeq?: number | undefined;
  }[];
  vcpus(): readonly VcpuFact[];
  attr(id: number): PerfEventAttr | undefined;
  name(id: number): string;
  chunks(range?: {
    readonly after?: Cursor;
    readonly kinds?: ReadonlySet<EventKind>;
  }): Iterable<ReplayChunk>;
  checkpoints(key: string): CheckpointStore;
  /** Time (running maximum) of an event; undefined when there is no such event. */
  timeOf(seq: number): bigint | undefined;
  /** The `count` events before `seq` in log order, oldest first. */
  eventsBefore(seq: number, count: number): readonly Event[];
}

/** Choices a person can make about a replay. */
export interface ReplayChoices {
  /** Rule set by name; default: by the recording. */
  readonly rules?: string;
  readonly withheld?: Withheld;
}

/** A log made ready: everything that is fixed before the first event. */
export interface PreparedReplay {
  readonly config: ReplayConfig;
  readonly source: ReplaySource;
  readonly checkpoints: CheckpointStore;
  readonly ruleSet: RuleSetChoice;
}

/** Changes whenever the same events would replay to another state: old checkpoints are then ignored. */
const REPLAY_VERSION = 4;

/** Bit 0 of config1 asks the arm64 PMU driver for a 64-bit counter (semantics A.4). */
const CONFIG1_LONG = 1n;

/** The VM's constants: from the log's projection, or found by a scan and kept there. */
function factsOf(log: ReplayLog, extent: string): VmFacts {
  const store = log.checkpoints(`facts${FACTS_VERSION}/${extent}`);
  const kept = loadFacts(store);
  if (kept !== undefined) return kept;
  const tids = new Map(log.vcpus().map((vcpu) => [vcpu.tid, vcpu.slot]));
  const facts = scanVmFacts(
    log.chunks({ kinds: VM_FACT_KINDS }),
    (id) => {
      const attr = log.attr(id);
      return attr === undefined ? undefined : (attr.config1 & CONFIG1_LONG) !== 0n;
    },
    (tid) => tids.get(tid) ?? -1,
  );
  saveFacts(store, facts);
  return facts;
}

/** Throws VpmuError (exit code `inconclusive`) for a recording of an architecture that is not modelled. */
export function refuseOtherArchitectures(
  log: Pick<ReplayLog, 'kindCounts' | 'imports' | 'chunks'>,
): void {
  const kinds = log.kindCounts();
  const x86 =
    log.imports().some((row) => row.facts.arch === 'x86') ||
    kinds.has(EventKind.hostRdmsr) ||
    kinds.has(EventKind.hostWrmsr) ||
    kinds.has(EventKind.hostRdpmc) ||
    accessesOnlyX86(log);
  if (!x86) return;
  throw new VpmuError(
    'x86 is not modelled yet: the recording holds MSR accesses, and the rule sets are for arm64',
    EXIT.inconclusive,
    'info, events, verify and export work on it',
  );
}

/** True when guest register accesses are recorded and the first of them are all x86 ones. */
function accessesOnlyX86(log: Pick<ReplayLog, 'chunks'>): boolean {
  for (const chunk of log.chunks({ kinds: new Set([EventKind.read, EventKind.write]) })) {
    for (let i = 0; i < chunk.length; i++) {
      if (registerSpace(chunk.flags[i]!) <= RegisterSpace.cp15) return false;
    }
    return chunk.length > 0;
  }
  return false;
}

/**
 * Scans a log for its VM's constants and chooses the rules. UsageError for an unknown rule set; VpmuError with exit code
 * `inconclusive` for a recording of an architecture that is not modelled.
 */
export function prepareReplay(log: ReplayLog, choices: ReplayChoices = {}): PreparedReplay {
  refuseOtherArchitectures(log);
  const vcpus = log.vcpus();
  const imports = log.imports();
  const facts = factsOf(log, `${imports.length}/${log.eventCount}`);
  const hosts = imports.filter((row) => row.facts.role === 'host');
  const release = hosts.find((row) => row.facts.kernelRelease !== undefined)?.facts.kernelRelease;
  const ruleSet = chooseRuleSet(choices.rules, release, facts);
  const rules = arm64RuleSet(ruleSet.name);
  if (rules === undefined) {
    const names = [...ruleSets()].filter(([, info]) => info.selectable).map(([name]) => name);
    throw new UsageError(
      `no rule set ${ruleSet.name}`,
      `one of: ${names.join(', ')} (vpmu models tells them apart)`,
    );
  }
  const withheld = choices.withheld ?? NOTHING_WITHHELD;
  const recordedKinds = new Set(log.kindCounts().keys());
  const config: ReplayConfig = {
    rules,
    facts,
    vcpus,
    recordedKinds,
    withheld,
    guestSources: new Set(
      imports.filter((row) => row.facts.role === 'guest').map((row) => row.source),
    ),
    attr: (id) => log.attr(id),
    epoch: traceSpan(log)?.first ?? 0n,
    resolution: Math.max(1, ...hosts.map((row) => row.facts.timeResolution)),
  };
  const key = `replay${REPLAY_VERSION}/${ruleSet.name}/${withheldKey(withheld)}/${imports.length}/${log.eventCount}`;
  return { config, source: log, checkpoints: log.checkpoints(key), ruleSet };
}

/** The limit that stops after `seq`; undefined when the log has no such event. */
export function limitAtSeq(log: ReplayLog, seq: number): ReplayLimit | undefined {
  const timeOfSeq = log.timeOf(seq);
  return timeOfSeq === undefined ? undefined : { seq, timeOfSeq };
}
