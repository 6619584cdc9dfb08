import {
  ARM64_EVENTS,
  arm64EventByName,
  arm64EventNames,
  CPU_CYCLES,
  perfEventStem,
} from '../arch/arm64-events.ts';
import { parseArm64Register } from '../arch/arm64-registers.ts';
import { samePerfEvent } from '../arch/perf-generic.ts';
import { eventOfGeneric, perfHardwareName } from '../arch/perf-maps.ts';
import { FIXED_EVENTS, x86EventByName, x86EventNames, x86EventOf } from '../arch/x86-events.ts';
import { decodeMsr, Msr, msrKind } from '../arch/x86-msrs.ts';
import { UsageError } from '../domain/errors.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import type { Log } from '../log/types.ts';
import { nearest } from './render/text.ts';

/** Whose event numbers a log's are; `x86`: nothing in it tells Intel from AMD. */
export type Machine = 'arm64' | 'intel' | 'amd' | 'x86';

/** PMU events by the numbers they have on a machine; on x86 select | umask << 8, AMD's high select bits at 35:32. */
export interface PmuEvents {
  readonly machine: Machine;
  readonly numbers: ReadonlySet<number>;
}

const AMD_MSRS = 0xc000_0000;

/** The machine a log is of: by what its recordings say, then by the MSRs its guests use; arm64 where nothing tells. */
export function machineOf(log: Pick<Log, 'imports' | 'chunks'>): Machine {
  const facts = log.imports().map((row) => row.facts);
  if (!facts.some(({ arch }) => arch === 'x86')) return 'arm64';
  for (const { cpuModel = '' } of facts) {
    if (/AMD|Hygon/i.test(cpuModel)) return 'amd';
    if (/Intel/i.test(cpuModel)) return 'intel';
  }
  const kinds = new Set([EventKind.read, EventKind.write]);
  for (const { length, flags, code } of log.chunks({ kinds })) {
    for (let i = 0; i < length; i++) {
      if (registerSpace(flags[i]!) !== RegisterSpace.msr || decodeMsr(code[i]!) === 0) continue;
      return code[i]! >= AMD_MSRS ? 'amd' : 'intel';
    }
  }
  return 'x86';
}

/**
 * PMU events by any of their names: `cycles`, `L1-dcache-load-misses`, `INST_RETIRED`, `r08`, `0x8`. UsageError for a word
 * that names none on this machine.
 */
export function parsePmuEvents(
  words: readonly string[],
  machine: Machine = 'arm64',
): ReadonlySet<number> {
  return new Set(
    words.flatMap((word) => {
      const numbers = numbersOf(word, machine);
      if (numbers.length > 0) return numbers;
      const near = nearest(word.toLowerCase(), namesOf(machine));
      const x86 = 'cycles, branch-misses, r1c2 or 0x1c2';
      const arm64 = 'cycles, branch-misses, L1-dcache-load-misses, INST_RETIRED, r08 or 0x8';
      throw new UsageError(
        `-e ${word}: no such PMU event of ${MACHINES[machine]}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
        `an event is ${machine === 'arm64' ? arm64 : x86}`,
      );
    }),
  );
}

const MACHINES: Readonly<Record<Machine, string>> = {
  arm64: 'arm64',
  intel: 'Intel',
  amd: 'AMD',
  x86: 'x86',
};

function vendorsOf(machine: Machine): readonly ('intel' | 'amd')[] {
  if (machine === 'arm64') return [];
  return machine === 'x86' ? ['intel', 'amd'] : [machine];
}

function numbersOf(word: string, machine: Machine): readonly number[] {
  const stem = perfEventStem(word);
  const found =
    machine === 'arm64'
      ? [arm64EventByName(stem)]
      : vendorsOf(machine).map((vendor) => x86EventByName(stem, vendor));
  return found.filter((number) => number !== undefined);
}

function namesOf(machine: Machine): readonly string[] {
  return machine === 'arm64'
    ? ARM64_EVENTS.flatMap((event) => arm64EventNames(event.number))
    : vendorsOf(machine).flatMap(x86EventNames);
}

/**
 * Whether an event names one of these PMU events: the guest programs a counter for it, or a host event has it, or perf
 * stat counted it.
 */
export function namesPmuEvent(
  chunk: EventChunk,
  i: number,
  { machine, numbers }: PmuEvents,
  words: FilterWords,
): boolean {
  return machine === 'arm64'
    ? namesArm64Event(chunk, i, numbers, words)
    : namesX86Event(chunk, i, { machine, numbers }, words);
}

const PERF_TYPE_RAW = 4;

function namesX86Event(
  chunk: EventChunk,
  i: number,
  { machine, numbers }: PmuEvents,
  words: FilterWords,
): boolean {
  const named = (name: string | undefined): boolean =>
    name !== undefined && numbersOf(name, machine).some((number) => numbers.has(number));
  switch (chunk.kind[i]) {
    case EventKind.read:
    case EventKind.write:
    case EventKind.hostWrmsr: {
      const flags = chunk.flags[i]!;
      if (registerSpace(flags) !== RegisterSpace.msr) return false;
      if ((flags & (EventFlag.noValue | EventFlag.failed)) !== 0) return false;
      const value = chunk.value[i]!;
      const msr = msrKind(decodeMsr(chunk.code[i]!));
      if (msr === Msr.selector || msr === Msr.amdSelector) return numbers.has(x86EventOf(value));
      if (msr !== Msr.fixedCtrl) return false;
      return FIXED_EVENTS.some(
        (event, k) => numbers.has(event) && (value >> BigInt(4 * k)) % 16n !== 0n,
      );
    }
    case EventKind.eventCreate: {
      const config = chunk.aux0[i]!;
      const type = words.attr(chunk.code[i]!)?.type;
      if (type === PERF_TYPE_HARDWARE) return named(perfHardwareName(Number(config)));
      return type === PERF_TYPE_RAW && numbers.has(x86EventOf(config));
    }
    case EventKind.count:
      return named(perfEventStem(words.name(chunk.code[i]!)));
    default:
      return false;
  }
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

/** The driver's records carry a config without its type, so that both of its readings are taken. */
function namesArm64Event(
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
