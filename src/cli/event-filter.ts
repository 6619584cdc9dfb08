import { X86_PMU_MSRS, x86MsrName } from '../arch/x86-msrs.ts';
import { allocateChunk, COLUMNS } from '../domain/event-chunk.ts';
import { RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import {
  type EventChunk,
  EventKind,
  KIND_SPECS,
  kindByName,
  parseArm64Register,
  UsageError,
  type VcpuFact,
} from '../index.ts';
import { type FilterWords, namesPmuEvent, type PmuEvents } from './pmu-events.ts';
import { nearest } from './render/text.ts';

/** Which events of a log are wanted; an absent member does not restrict. */
export interface EventFilter {
  readonly vcpus?: ReadonlySet<number>;
  readonly registers?: readonly RegisterPattern[];
  readonly sources?: ReadonlySet<number>;
  readonly pmuEvents?: PmuEvents;
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
    const found = parseArm64Register(name) ?? x86Registers(name);
    if (found === undefined) {
      throw new UsageError(
        `--register ${name}: no PMU register`,
        'a register is PMCR_EL0, PMEVCNTR3_EL0, PMEVCNTRn (all of them), 3,3,9,12,0, PERF_CTL0, IA32_PERFEVTSELn, msr:0x38f or rdpmc:0',
      );
    }
    return found;
  });
}

/** PMU MSRs by name, as printed or without its prefix: `IA32_PERFEVTSEL0`, `perfevtseln`. */
function x86Registers(name: string): readonly RegisterPattern[] | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/^(ia32|msr)_/, '');
  const wanted = plain(name);
  const codes = X86_PMU_MSRS.flatMap(({ name: pattern, first, indices, stride }) =>
    Array.from({ length: indices }, (_, i) => first + i * stride).filter(
      (code) => plain(pattern) === wanted || plain(x86MsrName(code) ?? '') === wanted,
    ),
  );
  return codes.length === 0 ? undefined : codes.map((code) => ({ space: RegisterSpace.msr, code }));
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
