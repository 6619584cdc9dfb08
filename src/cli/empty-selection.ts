import { KIND_SPECS } from '../domain/event-kind.ts';
import { formatTime } from '../domain/time-spec.ts';
import type { Log } from '../log/types.ts';
import { timeSpan } from './ranges.ts';
import { registerName } from './render/event-text.ts';
import { type SelectionOptions, selectEvents } from './selection.ts';

/** How many names of what the log has are listed at most. */
const LISTED = 8;

/** Why nothing was selected, in one line: which condition nothing meets, and what the log has instead. */
export function emptySelectionText(
  log: Log,
  options: SelectionOptions,
  ranges: readonly string[],
): string {
  if (log.eventCount === 0) return 'the log has no events';
  const { kind, register, event, vcpu, source, time = [] } = options;
  const spans = [...time, ...ranges];
  const conditions: readonly Condition[] = [
    {
      text: `--kind ${kind?.join(',')}`,
      given: kind === undefined ? undefined : { kind },
      has: () => `the log has ${kindsOf(log)}`,
    },
    {
      text: `--register ${register?.join(',')}`,
      given: register === undefined ? undefined : { register },
      has: () => registersOf(log),
    },
    {
      text: `-e ${event?.join(',')}`,
      given: event === undefined ? undefined : { event },
      has: () =>
        event?.length === 1
          ? 'the event exists, but no record names it'
          : 'the events exist, but no record names them',
    },
    {
      text: `--vcpu ${vcpu}`,
      given: vcpu === undefined ? undefined : { vcpu },
      has: () => 'no event was recorded of it',
    },
    {
      text: `--source ${source?.join(',')}`,
      given: source === undefined ? undefined : { source },
      has: () => 'the recording has no events',
    },
    {
      text: spans.join(' and '),
      given: spans.length === 0 ? undefined : { time: spans },
      has: () => spanOf(log),
    },
  ];
  const given = conditions.filter((condition) => condition.given !== undefined);
  const alone = given.filter((condition) => isEmptySelection(log, condition.given!));
  return alone.length > 0
    ? alone.map(({ text, has }) => `no event matches ${text}: ${has()}`).join('; ')
    : `no event matches ${given.map(({ text }) => text).join(' and ')} together; each alone matches some`;
}

interface Condition {
  readonly text: string;
  readonly given: SelectionOptions | undefined;
  has(): string;
}

/** True where a selection leaves no event; reads no further than the first. */
export function isEmptySelection(
  log: Log,
  options: SelectionOptions,
  ranges: readonly string[] = [],
): boolean {
  for (const _ of selectEvents(log, options, ranges)) return false;
  return true;
}

function kindsOf(log: Log): string {
  const kinds = [...log.kindCounts()].sort(([, a], [, b]) => b - a);
  return listed(kinds.map(([kind]) => KIND_SPECS[kind]!.name));
}

function registersOf(log: Log): string {
  const counts = new Map<string, number>();
  const kinds = new Set(
    [...log.kindCounts().keys()].filter((kind) => KIND_SPECS[kind]!.code === 'register'),
  );
  if (kinds.size === 0) return 'the log has no accesses to registers';
  for (const { length, flags, code } of log.chunks({ kinds })) {
    for (let i = 0; i < length; i++) {
      const name = registerName(code[i]!, flags[i]!);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  const names = [...counts].sort(([, a], [, b]) => b - a).map(([name]) => name);
  return `the log has accesses to ${listed(names)}`;
}

function spanOf(log: Log): string {
  const { first, last } = timeSpan(log);
  return `the log spans ${formatTime(first)} to ${formatTime(last)}, @1 to @${log.eventCount}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - LISTED;
  return more > 0 ? `${names.slice(0, LISTED).join(', ')} and ${more} more` : names.join(', ');
}
