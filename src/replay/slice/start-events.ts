import { parseArm64Register, sysregCode } from '../../arch/arm64-registers.ts';
import type { Event } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../../domain/event-kind.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import type { Arm64Vcpu } from '../arm64/arm64-vcpu.ts';
import { counterCode } from '../arm64/arm64-vcpu.ts';
import { Residency } from '../guest-residency.ts';
import { PerfEventState, STATE_UNKNOWN } from '../recorded-perf.ts';
import type { Fact, VcpuFacts } from '../vm-facts.ts';

const SYSREG = spaceFlags(RegisterSpace.sysreg);
const PMCR = sysregCode(3, 3, 9, 12, 0);
const PMCEID = [sysregCode(3, 3, 9, 12, 6), sysregCode(3, 3, 9, 12, 7)] as const;
const ID_AA64DFR0 = sysregCode(3, 0, 0, 5, 0);
const CYCLES = 31;

/** What re-creating the start of a slice needs beside the vCPU. */
export interface StartContext {
  /** Effective time of the slice's first event, ns. */
  readonly time: bigint;
  readonly source: number;
  /** Guest entries and exits are recorded. */
  readonly entersRecorded: boolean;
  /** True unless only records of the slice itself show the constant: then no prediction there may rest on it. */
  readonly tells: (fact: Fact<unknown>) => boolean;
  /** Recorded creations and refused placements by seq: they are repeated as they were. */
  readonly original: (seq: number) => Event | undefined;
}

function typeCode(counter: number): number {
  return counter === CYCLES
    ? sysregCode(3, 3, 14, 15, 7)
    : sysregCode(3, 3, 14, 12 + (counter >> 3), counter & 7);
}

/** The constants of the vCPU's PMU as the VMM would read them: a slice may lack the records that told them. */
function constants(
  facts: VcpuFacts,
  tells: StartContext['tells'],
  base: Partial<Event>,
): Partial<Event>[] {
  const get = (code: number, value: bigint): Partial<Event> => ({
    ...base,
    kind: EventKind.userspaceGet,
    flags: SYSREG,
    code,
    value,
  });
  const events: Partial<Event>[] = [];
  const told = <T>(fact: Fact<T> | undefined): T | undefined =>
    fact === undefined || !tells(fact) ? undefined : fact.value;
  const [n, identity] = [told(facts.pmcrN), told(facts.pmcrIdentity)];
  if (n !== undefined && identity !== undefined) {
    const lc = told(facts.el0Aarch32) === true ? 0n : 0x40n;
    events.push(get(PMCR, (identity << 16n) | (BigInt(n) << 11n) | lc));
  }
  const ids = [told(facts.pmceid0), told(facts.pmceid1)];
  ids.forEach((value, i) => {
    if (value !== undefined) events.push(get(PMCEID[i]!, value));
  });
  const wide = told(facts.wideCounters);
  // PMUVer: all that is told is whether it is at least PMUv3p5.
  if (wide !== undefined) events.push(get(ID_AA64DFR0, wide ? 0x600n : 0x500n));
  return events;
}

/** A live backing event and where its count is known from. */
interface LiveEvent {
  readonly counter: number;
  readonly creation: Event;
  readonly count: bigint;
  /** Visible value of the counter at that count; undefined when not known. */
  readonly value: bigint | undefined;
  /** Guest time since, ns. */
  readonly agoNs: number;
  readonly state: number;
  readonly refused: Event | undefined;
}

/**
 * Events that bring a replay from nothing to the state of this vCPU: the VMM sets what is known of the registers, the
 * live backing events are created and read, and the guest runs as long as it did since. Undefined where the state
 * cannot be told so: then the earlier events themselves have to be kept.
 */
export function arm64StartEvents(
  vcpu: Arm64Vcpu,
  fact: VcpuFact,
  facts: VcpuFacts,
  context: StartContext,
): readonly Partial<Event>[] | undefined {
  const { time, source, entersRecorded } = context;
  const { pmu } = vcpu;
  const base = { source, vcpu: fact.slot, tid: fact.tid, pcpu: vcpu.pcpu };
  const live: LiveEvent[] = [];
  let allTold = entersRecorded;
  for (const counter of vcpu.counters) {
    const { hasEvent } = pmu.counterView(counter);
    if (hasEvent === undefined) allTold = false;
    if (hasEvent !== true) continue;
    const told = liveEvent(vcpu, counter, context);
    if (told === undefined) return undefined;
    live.push(told);
  }
  live.sort((a, b) => b.agoNs - a.agoNs);
  const longest = BigInt(Math.ceil(live[0]?.agoNs ?? 0));
  if (longest > time) return undefined;
  const start = time - longest;
  const events: Partial<Event>[] = [];
  const at = (when: bigint, event: Partial<Event>): void => {
    events.push({ ...base, time: when, ...event });
  };
  events.push(...constants(facts, context.tells, { ...base, time: start }));
  if (entersRecorded) {
    at(start, { kind: EventKind.guestEnter });
    at(start, { kind: EventKind.guestExit });
  }
  // Which task ran before does not matter here: that the vCPU's own runs does.
  if (!entersRecorded && vcpu.residency.mode !== Residency.host && fact.tid >= 0) {
    at(start, { kind: EventKind.schedSwitch, vcpu: -1, tid: 0, value: BigInt(fact.tid) });
  }
  // From a reset every register and event is known, so only where all of them were: the rest is forgotten again below.
  if (allTold) at(start, { kind: EventKind.vcpuReset });
  for (const { creation } of live) at(start, { ...creation, ...base, time: start });
  const set = (when: bigint, code: number, value: bigint | undefined): void => {
    if (value === undefined && !allTold) return;
    const flags = SYSREG | (value === undefined ? EventFlag.noValue : 0);
    at(when, { kind: EventKind.userspaceSet, flags, code, value: value ?? 0n });
  };
  for (const { name, value, unknownBits } of pmu.registerViews()) {
    set(start, parseArm64Register(name)![0]!.code, unknownBits === 0n ? value : undefined);
  }
  for (const counter of vcpu.counters) {
    const { type, typeUnknownBits } = pmu.counterView(counter);
    set(start, typeCode(counter), typeUnknownBits === 0 ? BigInt(type >>> 0) : undefined);
  }
  for (const counter of vcpu.counters) {
    if (live.some((event) => event.counter === counter)) continue;
    const { low, span } = pmu.counterView(counter);
    set(start, counterCode(counter), span === 0n ? low : undefined);
  }
  let now = start;
  const runUntil = (when: bigint): void => {
    if (!entersRecorded || when <= now) return;
    at(now, { kind: EventKind.guestEnter });
    at(when, { kind: EventKind.guestExit });
    now = when;
  };
  for (const event of live) {
    const when = time - BigInt(Math.ceil(event.agoNs));
    runUntil(when);
    const known = event.state !== STATE_UNKNOWN && event.state !== PerfEventState.error;
    at(when, {
      kind: EventKind.eventRead,
      object: event.creation.object,
      value: event.count,
      code: known ? event.state >>> 0 : 0,
      flags: known ? EventFlag.stateKnown : 0,
    });
    set(when, counterCode(event.counter), event.value);
  }
  runUntil(time);
  for (const { refused, state, creation } of live) {
    if (refused !== undefined) at(time, { ...refused, ...base, time });
    else if (state === PerfEventState.error) {
      const flags = EventFlag.stateKnown | EventFlag.noValue;
      at(time, { kind: EventKind.eventRead, object: creation.object, code: state >>> 0, flags });
    }
  }
  if (vcpu.residency.mode === Residency.guest && entersRecorded) {
    at(time, { kind: EventKind.guestEnter });
  } else if (vcpu.residency.mode === Residency.host && !entersRecorded && fact.tid >= 0) {
    at(time, { kind: EventKind.schedSwitch, value: 0n });
  }
  return events;
}

/** Undefined when the records do not tell its creation, or not how its count relates to the counter. */
function liveEvent(
  vcpu: Arm64Vcpu,
  counter: number,
  { original }: StartContext,
): LiveEvent | undefined {
  const { perf, pmu } = vcpu;
  const creation = original(perf.createdAt[counter]!);
  const anchor = perf.anchor(counter);
  if (creation === undefined || anchor === undefined) return undefined;
  if (creation.counter !== counter || creation.code === 0) return undefined;
  if (creation.object !== perf.pointer[counter]) return undefined;
  const { low, span, width } = pmu.counterView(counter);
  const exact = span === perf.countSpan(counter);
  const refusedAt = perf.placementFailed[counter]!;
  return {
    counter,
    creation,
    count: anchor.count,
    value: exact ? BigInt.asUintN(width, low - anchor.below) : undefined,
    // What does not move needs no guest time.
    agoNs: perf.countSpan(counter) === 0n ? 0 : anchor.agoNs,
    state: perf.state[counter]!,
    refused: refusedAt === 0 ? undefined : original(refusedAt),
  };
}
