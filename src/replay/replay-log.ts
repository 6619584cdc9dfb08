import { type Arch, arm64RuleSet, ruleSets, x86RuleSet } from '../arch/rule-sets.ts';
import { UsageError } from '../domain/errors.ts';
import type { Event } from '../domain/event-chunk.ts';
import { EventKind, RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import type { PerfEventAttr, RecordingFacts, VcpuFact } from '../domain/log-facts.ts';
import { sliceOfRecordings } from '../domain/slice-facts.ts';
import { NOTHING_WITHHELD, type Withheld, withheldKey } from './evidence.ts';
import { FACTS_VERSION, loadFacts, saveFacts } from './facts-projection.ts';
import type { CheckpointStore, Cursor, ReplayChunk, ReplayLimit, ReplaySource } from './replay.ts';
import type { CommonReplayConfig, ReplayConfig } from './replay-config.ts';
import { traceSpan } from './trace-span.ts';
import {
  chooseRuleSet,
  type RuleSetChoice,
  scanVmFacts,
  VM_FACT_KINDS,
  type VmFacts,
} from './vm-facts.ts';
import { scanX86Facts, X86_FACT_KINDS, type X86Facts } from './x86/x86-facts.ts';

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
const REPLAY_VERSION = 6;

/** Bit 0 of config1 asks the arm64 PMU driver for a 64-bit counter (semantics A.4). */
const CONFIG1_LONG = 1n;

/** What `scan` finds: from the log's projection, or found now and kept there. */
function factsOf<Facts>(log: ReplayLog, name: string, extent: string, scan: () => Facts): Facts {
  const store = log.checkpoints(`${name}${FACTS_VERSION}/${extent}`);
  const kept = loadFacts<Facts>(store);
  if (kept !== undefined) return kept;
  const facts = scan();
  saveFacts(store, facts);
  return facts;
}

function slotsByTid(log: ReplayLog): (tid: number) => number {
  const tids = new Map(log.vcpus().map((vcpu) => [vcpu.tid, vcpu.slot]));
  return (tid) => tids.get(tid) ?? -1;
}

function arm64Facts(log: ReplayLog, extent: string): VmFacts {
  return factsOf(log, 'facts', extent, () =>
    scanVmFacts(
      log.chunks({ kinds: VM_FACT_KINDS }),
      (id) => {
        const attr = log.attr(id);
        return attr === undefined ? undefined : (attr.config1 & CONFIG1_LONG) !== 0n;
      },
      slotsByTid(log),
    ),
  );
}

function x86Facts(log: ReplayLog, extent: string): X86Facts {
  return factsOf(log, 'x86-facts', extent, () =>
    scanX86Facts(log.chunks({ kinds: X86_FACT_KINDS }), slotsByTid(log)),
  );
}

/** The architecture of the recorded host: what a recording says of itself, else what only one of them records. */
export function archOf(log: Pick<ReplayLog, 'kindCounts' | 'imports' | 'chunks'>): Arch {
  const said = log.imports().find(({ facts }) => facts.arch === 'x86' || facts.arch === 'arm64');
  if (said !== undefined) return said.facts.arch as Arch;
  const kinds = log.kindCounts();
  const x86 =
    kinds.has(EventKind.hostRdmsr) ||
    kinds.has(EventKind.hostWrmsr) ||
    kinds.has(EventKind.hostRdpmc) ||
    accessesOnlyX86(log);
  return x86 ? 'x86' : 'arm64';
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
 * Scans a log for its VM's constants and chooses the rules. UsageError for an unknown rule set or one of another
 * architecture.
 */
export function prepareReplay(log: ReplayLog, choices: ReplayChoices = {}): PreparedReplay {
  const imports = log.imports();
  const hosts = imports.filter((row) => row.facts.role === 'host');
  const extent = `${imports.length}/${log.eventCount}`;
  const withheld = choices.withheld ?? NOTHING_WITHHELD;
  const common = {
    vcpus: log.vcpus(),
    recordedKinds: new Set(log.kindCounts().keys()),
    withheld,
    guestSources: new Set(
      imports.filter((row) => row.facts.role === 'guest').map((row) => row.source),
    ),
    attr: (id: number) => log.attr(id),
    epoch: traceSpan(log)?.first ?? 0n,
    resolution: Math.max(1, ...hosts.map((row) => row.facts.timeResolution)),
  };
  const release = hosts.find((row) => row.facts.kernelRelease !== undefined)?.facts.kernelRelease;
  // A slice may lack the records that told the rules.
  const slice = release === undefined ? sliceOfRecordings(imports) : undefined;
  const asked = choices.rules ?? slice?.ruleSet;
  const [config, chosen] = configOf(log, extent, common, { rules: asked, release });
  const ruleSet =
    choices.rules === undefined && slice !== undefined
      ? { ...chosen, reason: 'those of the log it was cut from' }
      : chosen;
  const key = `replay${REPLAY_VERSION}/${ruleSet.name}/${withheldKey(withheld)}/${extent}`;
  return { config, source: log, checkpoints: log.checkpoints(key), ruleSet };
}

/** What decides about the rules: what a person asked for, the recorded kernel's release. */
interface Asked {
  readonly rules: string | undefined;
  readonly release: string | undefined;
}

function configOf(
  log: ReplayLog,
  extent: string,
  common: CommonReplayConfig,
  asked: Asked,
): readonly [ReplayConfig, RuleSetChoice] {
  if (archOf(log) === 'x86') {
    const facts = x86Facts(log, extent);
    const { rules, choice } = rulesFor('x86', x86RuleSet, asked, facts.ruleEvidence);
    return [{ ...common, arch: 'x86', rules, facts }, choice];
  }
  const facts = arm64Facts(log, extent);
  const { rules, choice } = rulesFor('arm64', arm64RuleSet, asked, facts.ruleEvidence);
  return [{ ...common, arch: 'arm64', rules, facts }, choice];
}

/** The rules to replay a recording under, of the architecture of its host. */
function rulesFor<Rules>(
  arch: Arch,
  ruleSetOf: (name: string) => Rules | undefined,
  asked: Asked,
  evidence: VmFacts['ruleEvidence'],
): { readonly rules: Rules; readonly choice: RuleSetChoice } {
  const choice = chooseRuleSet(arch, asked.rules, asked.release, evidence);
  const rules = ruleSetOf(choice.name);
  if (rules === undefined) throw noRuleSet(arch, choice.name);
  return { rules, choice };
}

function noRuleSet(arch: Arch, name: string): UsageError {
  const sets = ruleSets();
  const names = [...sets]
    .filter(([, info]) => info.selectable && info.arch === arch)
    .map(([selectable]) => selectable);
  const other = sets.get(name);
  const what =
    other?.selectable === true
      ? `${name} is for ${other.arch}: the recording is of ${arch}`
      : `no rule set ${name}`;
  return new UsageError(what, `one of: ${names.join(', ')} (vpmu models tells them apart)`);
}

/** The limit that stops after `seq`; undefined when the log has no such event. */
export function limitAtSeq(log: ReplayLog, seq: number): ReplayLimit | undefined {
  const timeOfSeq = log.timeOf(seq);
  return timeOfSeq === undefined ? undefined : { seq, timeOfSeq };
}
