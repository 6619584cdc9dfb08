import {
  ARM64_EVENTS,
  arm64EventByName,
  arm64EventNames,
  CPU_CYCLES,
  perfEventStem,
} from '../arch/arm64-events.ts';
import { samePerfEvent } from '../arch/perf-generic.ts';
import { eventOfGeneric } from '../arch/perf-maps.ts';
import { allocateChunk, COLUMNS } from '../domain/event-chunk.ts';
import { RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import {
  type EventChunk,
  EventFlag,
  EventKind,
  KIND_SPECS,
  kindByName,
  parseArm64Register,
  UsageError,
  type VcpuFact,
} from '../index.ts';
import { nearest } from './render/text.ts';

/** Which events of a log are wanted; an absent member does not restrict. */
export interface EventFilter {
  readonly vcpus?: ReadonlySet<number>;
  readonly registers?: readonly RegisterPattern[];
  readonly sources?: ReadonlySet<number>;
  /** PMU event numbers of arm64. */
  readonly pmuEvents?: ReadonlySet<number>;
}

/** One register in one name space. */
export interface RegisterPattern {
  readonly space: RegisterSpace;
  readonly code: number;
}

/** Kinds by name or by pattern (`hw-*`, `sched-*`). UsageError for a word that names none. */
export function parseKinds(words: readonly string[]): ReadonlySet<EventKind> {
  const kinds = new Set<EventKind>();
  for (const word of words) {
    const exact = kindByName(word);
    if (exact !== undefined) {
      kinds.add(exact);
      continue;
    }
    const matching = word.endsWith('*')
      ? KIND_SPECS.flatMap((spec, kind) => (spec.name.startsWith(word.slice(0, -1)) ? [kind] : []))
      : [];
    if (matching.length === 0) {
      const near = nearest(
        word,
        KIND_SPECS.map((spec) => spec.name),
      );
      throw new UsageError(
        `--kind ${word}: no such kind${near === undefined ? '' : ` (did you mean ${near}?)`}`,
        `kinds: ${KIND_SPECS.map((spec) => spec.name).join(', ')}; hw-* stands for all that begin so`,
      );
    }
    for (const kind of matching) kinds.add(kind as EventKind);
  }
  return kinds;
}

/**
 * Registers by name: an arm64 PMU register (`PMCR_EL0`, `PMEVCNTRn`, `3,3,9,12,0`), `msr:0x38f` or `rdpmc:0`.
 * UsageError for anything else.
 */
export function parseRegisters(names: readonly string[]): readonly RegisterPattern[] {
  return names.flatMap((name) => {
    const numbered = /^(msr|rdpmc):(0x[0-9a-f]{1,8}|\d{1,10})$/i.exec(name);
    if (numbered) {
      const space = numbered[1]!.toLowerCase() === 'msr' ? RegisterSpace.msr : RegisterSpace.rdpmc;
      return [{ space, code: Number(numbered[2]) }];
    }
    const found = parseArm64Register(name);
    if (found === undefined) {
      throw new UsageError(
        `--register ${name}: no PMU register`,
        'a register is PMCR_EL0, PMEVCNTR3_EL0, PMEVCNTRn (all of them), 3,3,9,12,0, msr:0x38f or rdpmc:0',
      );
    }
    return found;
  });
}

/**
 * PMU events by any of their names: `cycles`, `L1-dcache-load-misses`, `INST_RETIRED`, `r08`, `0x8`. UsageError for a word
 * that names none on arm64.
 */
export function parsePmuEvents(words: readonly string[]): ReadonlySet<number> {
  return new Set(
    words.map((word) => {
      const number = arm64EventByName(word);
      if (number !== undefined) return number;
      const near = nearest(
        word.toLowerCase(),
        ARM64_EVENTS.flatMap((event) => arm64EventNames(event.number)),
      );
      throw new UsageError(
        `-e ${word}: no such PMU event of arm64${near === undefined ? '' : ` (did you mean ${near}?)`}`,
        'an event is cycles, branch-misses, L1-dcache-load-misses, INST_RETIRED, r08 or 0x8',
      );
    }),
  );
}

const PERF_TYPE_HARDWARE = 0;
const PERF_TYPE_HW_CACHE = 3;
const CYCLES = 31;

const TYPE_REGISTERS: ReadonlySet<string> = new Set(
  ['PMEVTYPERn', 'PMEVTYPERn_EL0', 'PMXEVTYPER', 'PMXEVTYPER_EL0'].flatMap((name) =>
    (parseArm64Register(name) ?? []).map(({ space, code }) => `${space}/${code}`),
  ),
);
const CYCLE_FILTERS: ReadonlySet<string> = new Set(
  ['PMCCFILTR', 'PMCCFILTR_EL0'].flatMap((name) =>
    (parseArm64Register(name) ?? []).map(({ space, code }) => `${space}/${code}`),
  ),
);

/** The log's side tables, as far as a filter looks at them. */
export interface FilterWords {
  name(id: number): string;
  attr(id: number): { readonly type: number } | undefined;
}

/**
 * Whether an event names one of these PMU events: the guest programs a counter for it, or a host event has it, or perf
 * stat counted it. The driver's records carry a config without its type, so that both of its readings are taken.
 */
function namesPmuEvent(
  chunk: EventChunk,
  i: number,
  wanted: ReadonlySet<number>,
  words: FilterWords,
): boolean {
  switch (chunk.kind[i]) {
    case EventKind.read:
    case EventKind.write: {
      const flags = chunk.flags[i]!;
      const register = `${registerSpace(flags)}/${chunk.code[i]!}`;
      if (CYCLE_FILTERS.has(register)) return wanted.has(CPU_CYCLES);
      if ((flags & (EventFlag.noValue | EventFlag.failed)) !== 0) return false;
      return TYPE_REGISTERS.has(register) && wanted.has(eventField(chunk.value[i]!));
    }
    case EventKind.eventTypeSet:
      return wanted.has(chunk.counter[i] === CYCLES ? CPU_CYCLES : eventField(chunk.value[i]!));
    case EventKind.eventCreate: {
      const config = Number(chunk.aux0[i]!);
      const type = words.attr(chunk.code[i]!)?.type;
      if (type === PERF_TYPE_HARDWARE) return has(wanted, eventOfGeneric('hardware', config));
      if (type === PERF_TYPE_HW_CACHE) return has(wanted, eventOfGeneric('hw-cache', config));
      return wanted.has(config);
    }
    case EventKind.hwAdd:
    case EventKind.hwUpdate: {
      const config = Number(chunk.aux0[i]!);
      for (const event of wanted) if (samePerfEvent(event, config)) return true;
      return false;
    }
    case EventKind.count:
      return has(wanted, arm64EventByName(perfEventStem(words.name(chunk.code[i]!))));
    default:
      return false;
  }
}

function has(wanted: ReadonlySet<number>, event: number | undefined): boolean {
  return event !== undefined && wanted.has(event);
}

function eventField(value: bigint): number {
  return Number(value & 0xffffn);
}

/** A test for event i of a chunk. The vCPU table resolves events whose thread was not known yet when they were imported. */
export function eventMatcher(
  filter: EventFilter,
  vcpus: readonly VcpuFact[],
  words: FilterWords = { name: () => '', attr: () => undefined },
): (chunk: EventChunk, i: number) => boolean {
  const slots = new Map(vcpus.filter(({ tid }) => tid >= 0).map(({ tid, slot }) => [tid, slot]));
  const { vcpus: wanted, registers, sources, pmuEvents } = filter;
  const codes = registers && new Set(registers.map(({ space, code }) => `${space}/${code}`));
  const onVcpu = (chunk: EventChunk, i: number): boolean => {
    const slot = chunk.vcpu[i]! >= 0 ? chunk.vcpu[i]! : slots.get(chunk.tid[i]!);
    if (slot !== undefined && wanted!.has(slot)) return true;
    if (chunk.kind[i] !== EventKind.schedSwitch) return false;
    const next = slots.get(Number(BigInt.asIntN(32, chunk.value[i]!)));
    return next !== undefined && wanted!.has(next);
  };
  return (chunk, i) => {
    if (sources && !sources.has(chunk.source[i]!)) return false;
    if (codes) {
      if (KIND_SPECS[chunk.kind[i]!]!.code !== 'register') return false;
      if (!codes.has(`${registerSpace(chunk.flags[i]!)}/${chunk.code[i]!}`)) return false;
    }
    if (pmuEvents && !namesPmuEvent(chunk, i, pmuEvents, words)) return false;
    return wanted === undefined || onVcpu(chunk, i);
  };
}

/** The events of a chunk that pass the test: the chunk itself when all do, undefined when none does. */
export function selectRows(
  chunk: EventChunk,
  matches: (chunk: EventChunk, i: number) => boolean,
): EventChunk | undefined {
  const rows: number[] = [];
  for (let i = 0; i < chunk.length; i++) if (matches(chunk, i)) rows.push(i);
  if (rows.length === chunk.length) return chunk;
  if (rows.length === 0) return undefined;
  const selected = allocateChunk(rows.length);
  selected.length = rows.length;
  rows.forEach((row, i) => {
    selected.seq[i] = chunk.seq[row]!;
    for (const { name } of COLUMNS) {
      (selected[name] as { [i: number]: number | bigint })[i] = chunk[name][row]!;
    }
  });
  return selected;
}
