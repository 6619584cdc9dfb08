import { InputError, UsageError } from '../domain/errors.ts';
import { EventKind, KIND_SPECS } from '../domain/event-kind.ts';
import { resolveTime, type TimeSpec } from '../domain/time-spec.ts';
import { createReplayer } from './create-replayer.ts';
import type { ReplayLimit, ReplayStep } from './replay.ts';
import { replay, runReplay } from './replay.ts';
import {
  limitAtSeq,
  type PreparedReplay,
  prepareReplay,
  type ReplayChoices,
  type ReplayLog,
} from './replay-log.ts';
import type { Replayer } from './replayer.ts';
import type { CounterState, VcpuState } from './state-view.ts';
import { traceSpan } from './trace-span.ts';
import type { RuleSetChoice } from './vm-facts.ts';

/** All vCPUs at one instant. */
export interface ReplayState {
  /** The instant asked for, ns. */
  readonly time: bigint;
  /** The last event applied, 0 when the instant lies before the first. */
  readonly seq: number;
  readonly ruleSet: RuleSetChoice;
  readonly vcpus: readonly VcpuState[];
}

/** How far to look for the next record of a counter that is only bounded at the instant: it bounds it from above. */
const LOOK_AHEAD_EVENTS = 8192;

/** Kinds whose events only say where a thread is, or nothing of the vPMU. */
const QUIET: ReadonlySet<EventKind> = new Set([
  EventKind.guestExit,
  EventKind.schedSwitch,
  EventKind.schedMigrate,
  EventKind.halt,
  EventKind.wakeup,
  EventKind.userspaceExit,
  EventKind.other,
]);

/** The limit a time spec stands for. UsageError for a seq the log does not have; InputError for an empty log. */
export function resolveLimit(
  log: ReplayLog,
  at: TimeSpec,
): { readonly limit: ReplayLimit; readonly time: bigint } {
  const span = traceSpan(log);
  if (span === undefined) throw new InputError('the log holds no events');
  if (at.kind === 'seq') {
    const limit = limitAtSeq(log, at.seq);
    if (limit === undefined)
      throw new UsageError(
        `@${at.seq}: the log has no such event`,
        `it has @1 to @${log.eventCount}`,
      );
    return { limit, time: log.timeOf(at.seq)! };
  }
  const time = resolveTime(at, span);
  return { limit: { time }, time };
}

/**
 * State of every vCPU after all events up to an instant, from the nearest checkpoint. A counter that no record fixes at
 * the instant is bounded by the records before and after it, where those are within LOOK_AHEAD_EVENTS.
 */
export function replayTo(log: ReplayLog, at: TimeSpec, choices: ReplayChoices = {}): ReplayState {
  const prepared = prepareReplay(log, choices);
  const { limit, time } = resolveLimit(log, at);
  const last = runReplay(
    replay(prepared.source, prepared.config, { limit, checkpoints: prepared.checkpoints }),
  );
  const replayer = last?.replayer ?? createReplayer(prepared.config);
  replayer.advanceTo(time);
  const facts = prepared.config.vcpus;
  const vcpus = replayer.vcpus.map((vcpu, i) => vcpu.state(facts[i]!));
  return {
    time,
    seq: replayer.lastSeq,
    ruleSet: prepared.ruleSet,
    vcpus: lookAhead(prepared, last, replayer, vcpus),
  };
}

/** By kind: events of it can tell a count of a backing event, or do something to one. */
const TELLING = KIND_SPECS.map((_, kind) => !QUIET.has(kind as EventKind));

interface Pending {
  readonly slot: number;
  readonly counter: number;
  readonly pointer: bigint;
  readonly low: bigint;
  readonly span: bigint;
  readonly evidence: number;
  /** Guest residency (ns) at the record before and at the instant. */
  readonly residencyBefore: number;
  readonly residencyAt: number;
  readonly visibleLow: bigint;
  readonly origin: number;
}

/** Goes on past the instant until the next record of each bounded counter, and narrows the view by it. */
function lookAhead(
  prepared: PreparedReplay,
  last: ReplayStep | undefined,
  replayer: Replayer,
  vcpus: readonly VcpuState[],
): readonly VcpuState[] {
  if (last === undefined || !last.done) return vcpus;
  const pending: Pending[] = [];
  for (const state of vcpus) {
    const { perf } = replayer.ofSlot(state.slot)!;
    for (const counter of state.counters) {
      const i = counter.counter;
      if (counter.certainty !== 'bounded' || !perf.isFollowed(i)) continue;
      const span = perf.countSpan(i);
      if (span !== BigInt.asUintN(counter.width, counter.high - counter.low)) continue;
      pending.push({
        slot: state.slot,
        counter: i,
        pointer: perf.pointer[i]!,
        low: perf.countLow(i),
        span,
        evidence: perf.evidence[i]!,
        residencyBefore: perf.evidenceResidency[i]!,
        residencyAt: perf.residency,
        visibleLow: counter.low,
        origin: perf.origins[i]!,
      });
    }
  }
  if (pending.length === 0) return vcpus;
  const narrowed = new Map<string, CounterState>();
  let budget = LOOK_AHEAD_EVENTS;
  const ahead = (chunk: ReplayStep['chunk'], from: number): void => {
    let at = from;
    for (let i = from; i < chunk.length && pending.length > 0 && budget > 0; i++) {
      budget--;
      if (!TELLING[chunk.kind[i]!] && budget > 0 && i + 1 < chunk.length) continue;
      replayer.apply(chunk, at, i + 1, () => undefined);
      at = i + 1;
      for (let p = pending.length - 1; p >= 0; p--) {
        const at = pending[p]!;
        const found = narrow(at, replayer, vcpus);
        if (found === undefined) continue;
        pending.splice(p, 1);
        if (found !== 'gone') narrowed.set(`${at.slot}/${at.counter}`, found);
      }
    }
  };
  ahead(last.chunk, last.applied);
  if (pending.length > 0 && budget > 0) {
    for (const chunk of prepared.source.chunks({
      after: last.chunk.cursor,
    })) {
      ahead(chunk, 0);
      if (pending.length === 0 || budget <= 0) break;
    }
  }
  return vcpus.map((state) => ({
    ...state,
    counters: state.counters.map(
      (counter) => narrowed.get(`${state.slot}/${counter.counter}`) ?? counter,
    ),
  }));
}

/** What the record just applied says of a pending counter: nothing yet, that its event is gone, or a narrower state. */
function narrow(
  at: Pending,
  replayer: Replayer,
  vcpus: readonly VcpuState[],
): CounterState | 'gone' | undefined {
  const vcpu = replayer.ofSlot(at.slot)!;
  const { perf } = vcpu;
  const i = at.counter;
  const changed = perf.evidence[i] !== at.evidence;
  const sameEvent = perf.pointer[i] === at.pointer || perf.wasReleasedNow(i);
  if (!sameEvent) return 'gone';
  // A guest read proved the visible value and began the relative count anew: the value itself is the bound.
  const proved = perf.origins[i] !== at.origin;
  if (!proved && (!changed || perf.countSpan(i) !== 0n)) return undefined;
  const state = vcpus
    .find((vcpu) => vcpu.slot === at.slot)!
    .counters.find((counter) => counter.counter === i)!;
  const growth = proved
    ? BigInt.asUintN(state.width, vcpu.counterValue(i).low - at.visibleLow)
    : BigInt.asUintN(64, perf.countLow(i) - at.low);
  // More than the bound allowed: the event's history changed in between (a rebase); the bound stands.
  if (growth > at.span) return 'gone';
  const before = at.residencyAt - at.residencyBefore;
  const whole = (proved ? perf.residency : perf.evidenceResidency[i]!) - at.residencyBefore;
  // The share is a plain number: an estimate needs no more.
  const share = whole <= 0 ? 0 : Math.min(1, before / whole);
  const estimate = (growth * BigInt(Math.round(share * 1e9))) / 1_000_000_000n;
  const exact = growth === 0n;
  const { reason: _reason, since: _since, ...rest } = state;
  return {
    ...(exact ? rest : state),
    certainty: exact ? 'exact' : 'bounded',
    high: BigInt.asUintN(state.width, at.visibleLow + growth),
    ...(exact ? {} : { estimate: BigInt.asUintN(state.width, at.visibleLow + estimate) }),
    boundedBy: proved ? replayer.lastSeq : perf.evidence[i]!,
  };
}
