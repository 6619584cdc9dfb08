import { type Command, Option } from 'commander';
import { parseIntegerList } from '../domain/range-spec.ts';
import { type ChunkRange, type EventChunk, type Log, UsageError } from '../index.ts';
import {
  type EventFilter,
  eventMatcher,
  parseKinds,
  parseRegisters,
  selectRows,
} from './event-filter.ts';
import { list, repeatable } from './options.ts';
import { machineOf, parsePmuEvents } from './pmu-events.ts';
import { resolveRanges } from './ranges.ts';

/** The options that select events. */
export interface SelectionOptions {
  readonly time?: readonly string[];
  readonly vcpu?: string;
  readonly kind?: readonly string[];
  readonly register?: readonly string[];
  readonly source?: readonly string[];
  readonly event?: readonly string[];
}

/** Adds the options that select events. */
export function addSelectionOptions(command: Command): Command {
  for (const option of [
    repeatable('--time <A,B>', 'from time A to time B, either of which may be missing'),
    new Option('--vcpu <LIST>', 'of these vCPUs, as 0,2-3'),
    list('-k, --kind <LIST>', 'of these kinds; hw-* is all that begin so'),
    list('--register <LIST>', 'accesses to these registers, as PMCR_EL0'),
    list('-e, --event <LIST>', 'that name these PMU events, as cycles,branch-misses,r08'),
    list('--source <LIST>', 'of these recordings, by id or name'),
  ]) {
    command.addOption(option.helpGroup('Only events:'));
  }
  return command;
}

/** `-x SEP`: any text, `\t` or `tab` for the tab. */
export function separatorOption(description: string): Option {
  return new Option('-x, --separator <SEP>', description).argParser(separatorOf);
}

function separatorOf(text: string): string {
  if (text === '' || /["\n\r]/.test(text)) {
    throw new UsageError(
      `-x ${JSON.stringify(text)}: cannot stand between fields`,
      'as , or ; or tab',
    );
  }
  return text === '\\t' || text === 'tab' ? '\t' : text;
}

/** The selected events of a log, in replay order; each iteration reads anew. UsageError for what names nothing. */
export function selectEvents(
  log: Log,
  options: SelectionOptions,
  ranges: readonly string[],
): Iterable<EventChunk> {
  const { vcpu, register, source, event, kind, time = [] } = options;
  const machine = event === undefined ? 'arm64' : machineOf(log);
  const filter: EventFilter = {
    ...(vcpu === undefined ? {} : { vcpus: parseVcpus(vcpu, log) }),
    ...(register === undefined ? {} : { registers: parseRegisters(register) }),
    ...(source === undefined ? {} : { sources: parseSources(source, log) }),
    ...(event === undefined
      ? {}
      : { pmuEvents: { machine, numbers: parsePmuEvents(event, machine) } }),
  };
  const range: ChunkRange = {
    ...resolveRanges([...time, ...ranges], log),
    ...(kind === undefined ? {} : { kinds: parseKinds(kind) }),
  };
  const matches = eventMatcher(filter, log.vcpus(), log);
  return {
    *[Symbol.iterator]() {
      for (const chunk of log.chunks(range)) {
        const selected = selectRows(chunk, matches);
        if (selected) yield selected;
      }
    },
  };
}

/** Slots of vCPUs. UsageError where the log knows none of them. */
export function parseVcpus(text: string, log: Pick<Log, 'vcpus'>): ReadonlySet<number> {
  const wanted = parseIntegerList(text, { what: 'vCPU' });
  const known = log.vcpus().map(({ slot }) => slot);
  if (!wanted.some((slot) => known.includes(slot))) {
    throw new UsageError(
      `--vcpu ${text}: no such vCPU`,
      known.length === 0
        ? 'no record of the log tells which thread runs a vCPU'
        : `the log has ${known.join(', ')}`,
    );
  }
  return new Set(wanted);
}

/** Numbers of recordings named by id or name; a list, since two recordings may have one name. */
function parseSources(words: readonly string[], log: Log): ReadonlySet<number> {
  const rows = log.imports();
  return new Set(
    words.flatMap((word) => {
      const found = rows.filter(({ source, facts }) => `${source}` === word || facts.name === word);
      if (found.length > 0) return found.map(({ source }) => source);
      throw new UsageError(
        `--source ${word}: no such recording`,
        `recordings: ${rows.map(({ source, facts }) => `${source} ${facts.name}`).join(', ')}`,
      );
    }),
  );
}
