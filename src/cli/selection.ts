import { type Command, Option } from 'commander';
import { parseIntegerList } from '../domain/range-spec.ts';
import { type ChunkRange, type EventChunk, type Log, UsageError } from '../index.ts';
import {
  type EventFilter,
  eventMatcher,
  parseKinds,
  parsePmuEvents,
  parseRegisters,
  selectRows,
} from './event-filter.ts';
import { list, repeatable } from './options.ts';
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
    list('--kind <LIST>', 'of these kinds; hw-* is all that begin so'),
    list('--register <LIST>', 'accesses to these registers, as PMCR_EL0'),
    list('-e, --event <LIST>', 'that name these PMU events of arm64, as cycles,branch-misses,r08'),
    list('--source <LIST>', 'of these recordings, by id or name'),
  ]) {
    command.addOption(option.helpGroup('Only events:'));
  }
  return command;
}

/** The selected events of a log, in replay order; each iteration reads anew. UsageError for what names nothing. */
export function selectEvents(
  log: Log,
  options: SelectionOptions,
  ranges: readonly string[],
): Iterable<EventChunk> {
  const { vcpu, register, source, event, kind, time = [] } = options;
  const filter: EventFilter = {
    ...(vcpu === undefined ? {} : { vcpus: new Set(parseIntegerList(vcpu, { what: 'vCPU' })) }),
    ...(register === undefined ? {} : { registers: parseRegisters(register) }),
    ...(source === undefined ? {} : { sources: parseSources(source, log) }),
    ...(event === undefined ? {} : { pmuEvents: parsePmuEvents(event) }),
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
