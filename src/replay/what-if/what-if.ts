import { arm64RuleSet, x86RuleSet } from '../../arch/rule-sets.ts';
import { UsageError } from '../../domain/errors.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { TimeSpec } from '../../domain/time-spec.ts';
import { Arm64Vcpu } from '../arm64/arm64-vcpu.ts';
import { createReplayer } from '../create-replayer.ts';
import { type PreparedReplay, prepareReplay, type ReplayLog } from '../replay-log.ts';
import { resolveLimit } from '../replay-to.ts';
import type { Replayer } from '../replayer.ts';
import type { CounterState } from '../state-view.ts';
import type { VcpuReplay } from '../vcpu-replay.ts';
import { X86Vcpu } from '../x86/x86-vcpu.ts';
import { AccessTimer } from './access-cost.ts';
import { Arm64Runs } from './arm64-runs.ts';
import type { EngineRun, GuestAccess, VcpuRuns } from './engine-run.ts';
import { checkRuleName } from './rule-names.ts';
import { likeness, type Shown } from './shown.ts';
import {
  type Comparison,
  operationsOf,
  type Parting,
  playedValue,
  recordedValue,
  valuesPart,
  type WhatIfCounter,
  type WhatIfResult,
  type WhatIfVcpu,
} from './what-if-result.ts';
import { X86Runs } from './x86-runs.ts';

/** Kinds after which the recorded backing events may do something else. */
const SETTLING: ReadonlySet<EventKind> = new Set([
  EventKind.read,
  EventKind.write,
  EventKind.guestEnter,
  EventKind.guestExit,
  EventKind.vcpuReset,
  EventKind.pmuRefresh,
  EventKind.emulated,
  EventKind.schedSwitch,
  EventKind.userspaceSet,
  EventKind.eventOverflow,
  EventKind.eventEnable,
  EventKind.eventRead,
  EventKind.hwAdd,
  EventKind.lost,
]);

interface Tally {
  same: number;
  apart: number;
  open: number;
  parting: Parting | undefined;
}

/** Everything that is kept of one vCPU. */
interface Played {
  readonly vcpu: VcpuReplay;
  readonly runs: VcpuRuns;
  readonly timer: AccessTimer;
  readonly partsAt: Map<number, number>;
}

/**
 * Replays a log once under its own rules and plays the same guest accesses on the vPMUs of other rule sets beside it. The
 * accesses are taken as recorded, also after one to which a rule set would have answered otherwise. UsageError for
 * fewer than two rule sets, unknown ones and those of another architecture.
 */
export function whatIf(
  log: ReplayLog,
  asked: readonly string[],
  at: TimeSpec = { kind: 'end' },
  progress?: (events: number) => void,
): WhatIfResult {
  const names = [...new Set(asked)];
  const prepared = prepareReplay(log);
  const { arch } = prepared.config;
  for (const name of names) checkRuleName(name, arch);
  if (names.length < 2) {
    throw new UsageError(
      names.length === 0
        ? 'no rule sets given'
        : `${names[0]}: one rule set has nothing to be compared with`,
      'name two or more, as --rules arm64-kvm-6.1,arm64-kvm-6.12; vpmu models lists them',
    );
  }
  return new WhatIf(log, prepared, names).run(at, progress);
}

class WhatIf {
  readonly #log: ReplayLog;
  readonly #prepared: PreparedReplay;
  readonly #names: readonly string[];
  readonly #replayer: Replayer;
  readonly #played: readonly Played[];
  readonly #tallies: readonly Tally[];
  readonly #bySlot = new Map<number, Played>();
  readonly #byTid = new Map<number, Played>();
  #accesses = 0;

  constructor(log: ReplayLog, prepared: PreparedReplay, names: readonly string[]) {
    this.#log = log;
    this.#prepared = prepared;
    this.#names = names;
    this.#replayer = createReplayer(prepared.config);
    this.#tallies = names.map(() => ({ same: 0, apart: 0, open: 0, parting: undefined }));
    const own = prepared.ruleSet.name;
    // The recorded rules are played too, whether asked for or not: what they ask of perf is what an access cost.
    const all = names.includes(own) ? names : [...names, own];
    this.#played = this.#replayer.vcpus.map((vcpu, i) => this.#play(vcpu, i, all));
  }

  #play(vcpu: VcpuReplay, i: number, names: readonly string[]): Played {
    const { config, ruleSet } = this.#prepared;
    const partsAt = new Map<number, number>();
    const accessed = (access: GuestAccess): void => this.#accessed(played, access);
    const overflows = config.recordedKinds.has(EventKind.eventOverflow);
    const runs = runsOf(vcpu, names, overflows, accessed);
    const own = runs.runs.find(({ name }) => name === ruleSet.name)!;
    const played: Played = { vcpu, runs, timer: new AccessTimer(own.operations), partsAt };
    const fact = config.vcpus[i]!;
    this.#bySlot.set(fact.slot, played);
    if (fact.tid >= 0) this.#byTid.set(fact.tid, played);
    return played;
  }

  run(at: TimeSpec, progress: ((events: number) => void) | undefined): WhatIfResult {
    const { limit, time } = resolveLimit(this.#log, at);
    const stopAt = 'seq' in limit ? limit.seq : undefined;
    const last = this.#log.lastTime;
    const wholeLog = stopAt === undefined && last !== undefined && time >= last;
    let running = 0n;
    let done = false;
    for (const chunk of this.#prepared.source.chunks({})) {
      let end = wholeLog ? chunk.length : 0;
      while (end < chunk.length && !done) {
        if (stopAt === undefined) {
          if (chunk.time[end]! > running) running = chunk.time[end]!;
          if (running > time) {
            done = true;
            break;
          }
        }
        done = chunk.seq[end] === stopAt;
        end++;
      }
      this.#apply(chunk, end);
      progress?.(this.#replayer.applied);
      if (done) break;
    }
    this.#replayer.advanceTo(time);
    return this.#result(time);
  }

  /** Applies the first `length` events of a chunk, stopping after each one that needs a look. */
  #apply(chunk: EventChunk, length: number): void {
    const replayer = this.#replayer;
    const ignore = (): void => undefined;
    let from = 0;
    for (let i = 0; i < length; i++) {
      const kind = chunk.kind[i]! as EventKind;
      if (kind === EventKind.eventCreate) this.#refusals(chunk, i);
      if (!SETTLING.has(kind)) continue;
      replayer.apply(chunk, from, i + 1, ignore);
      from = i + 1;
      for (const { runs } of this.#played) runs.settle();
      if (kind === EventKind.guestExit) this.#of(chunk, i)?.timer.exit(chunk.time[i]!);
      else if (kind === EventKind.guestEnter) this.#of(chunk, i)?.timer.enter(chunk.time[i]!);
    }
    if (from < length) replayer.apply(chunk, from, length, ignore);
  }

  #of(chunk: EventChunk, i: number): Played | undefined {
    const slot = chunk.vcpu[i]!;
    return slot >= 0 ? this.#bySlot.get(slot) : this.#byTid.get(chunk.tid[i]!);
  }

  /** An event the host refused to create it would have refused under any rules. */
  #refusals(chunk: EventChunk, i: number): void {
    if ((chunk.flags[i]! & EventFlag.failed) === 0) return;
    this.#of(chunk, i)?.runs.refuse(Number(BigInt.asUintN(48, chunk.aux0[i]!)));
  }

  /** What a rule set showed the guest: under the recorded rules, what was recorded. */
  #shown(run: EngineRun, access: GuestAccess): Shown | undefined {
    const recorded = run.name === this.#prepared.ruleSet.name ? access.recorded : undefined;
    return recorded ?? run.shown;
  }

  #accessed(played: Played, access: GuestAccess): void {
    this.#accesses++;
    played.timer.access();
    const { runs } = played.runs;
    const reference = this.#shown(runs[0]!, access)!;
    for (let r = 1; r < this.#names.length; r++) {
      const shown = this.#shown(runs[r]!, access)!;
      const tally = this.#tallies[r]!;
      const like = likeness(reference, shown);
      tally[like]++;
      if (like !== 'apart') continue;
      const { seq } = access;
      if (access.counter >= 0 && !played.partsAt.has(access.counter)) {
        played.partsAt.set(access.counter, seq);
      }
      tally.parting ??= {
        ruleSet: this.#names[r]!,
        seq,
        time: this.#log.timeOf(seq) ?? 0n,
        vcpu: played.vcpu.slot,
        access,
        reference,
        shown,
      };
    }
  }

  #result(time: bigint): WhatIfResult {
    const { config, ruleSet } = this.#prepared;
    const vcpus = this.#played.map((played, i): WhatIfVcpu => {
      const { counters } = played.vcpu.state(config.vcpus[i]!);
      return {
        slot: played.vcpu.slot,
        counters: counters.map((state) => this.#counter(played, state)),
        operations: this.#names.map((name, r) => operationsOf(name, played.runs.runs[r]!)),
        costs: played.timer.costs(),
      };
    });
    const comparisons = this.#names
      .slice(1)
      .map((name, r): Comparison => ({ ruleSet: name, ...this.#tallies[r + 1]! }));
    const valuesDiffer = vcpus.some(({ counters }) => counters.some(valuesPart));
    return {
      time,
      seq: this.#replayer.lastSeq,
      recorded: ruleSet,
      ruleSets: this.#names,
      vcpus,
      comparisons,
      accesses: this.#accesses,
      events: this.#replayer.applied,
      parts: valuesDiffer || comparisons.some(({ apart }) => apart > 0),
    };
  }

  #counter(played: Played, state: CounterState): WhatIfCounter {
    const { counter, event, eventName } = state;
    const values = this.#names.map((ruleSet, r) =>
      ruleSet === this.#prepared.ruleSet.name
        ? recordedValue(ruleSet, state)
        : playedValue(ruleSet, played.runs.runs[r]!.counter(counter)),
    );
    return { counter, event, eventName, values, partsAt: played.partsAt.get(counter) ?? 0 };
  }
}

/** The vPMUs of these rule sets, of the architecture of the vCPU. */
function runsOf(
  vcpu: VcpuReplay,
  names: readonly string[],
  overflowsRecorded: boolean,
  accessed: (access: GuestAccess) => void,
): VcpuRuns {
  if (vcpu instanceof Arm64Vcpu) {
    const rules = names.map((name) => arm64RuleSet(name)!);
    return new Arm64Runs(vcpu, rules, overflowsRecorded, accessed);
  }
  if (vcpu instanceof X86Vcpu) {
    const rules = names.map((name) => x86RuleSet(name)!);
    return new X86Runs(vcpu, rules, accessed);
  }
  throw new TypeError('a vCPU of an architecture that what-if does not know');
}
