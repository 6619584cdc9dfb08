import type { Command } from 'commander';
import { UsageError } from '../domain/errors.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { parseIntegerList } from '../domain/range-spec.ts';
import type { ChunkRange, Log } from '../log/types.ts';
import {
  type EventFilter,
  eventMatcher,
  parseKinds,
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
}

/** Adds the options that select events. */
export function addSelectionOptions(command: Command): Command {
  return command
    .addOption(
      repeatable('--time <A,B>', 'only from time A to time B, either of which may be missing'),
    )
    .option('--vcpu <LIST>', 'only of these vCPUs, as 0,2-3')
    .addOption(list('--kind <LIST>', 'only of these kinds; hw-* is all that begin so'))
    .addOption(list('--register <LIST>', 'only accesses to these registers, as PMCR_EL0'))
    .addOption(list('--source <LIST>', 'only of these recordings, by id or name'));
}

/** The selected events of a log, in replay order; each iteration reads anew. UsageError for what names nothing. */
export function selectEvents(
  log: Log,
  options: SelectionOptions,
  ranges: readonly string[],
): Iterable<EventChunk> {
  const { vcpu, register, source, kind, time = [] } = options;
  const filter: EventFilter = {
    ...(vcpu === undefined ? {} : { vcpus: new Set(parseIntegerList(vcpu, { what: 'vCPU' })) }),
    ...(register === undefined ? {} : { registers: parseRegisters(register) }),
    ...(source === undefined ? {} : { sources: parseSources(source, log) }),
  };
  const range: ChunkRange = {
    ...resolveRanges([...time, ...ranges], log),
    ...(kind === undefined ? {} : { kinds: parseKinds(kind) }),
  };
  const matches = eventMatcher(filter, log.vcpus());
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
