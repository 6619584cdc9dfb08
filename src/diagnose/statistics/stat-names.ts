import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { ReplayLog } from '../../replay/replay-log.ts';

/** Totals that a host's perf stat printed for its whole run, exact ones only: count → event name, undefined where two share a count. */
export function perfStatNames(log: ReplayLog): ReadonlyMap<bigint, string | undefined> {
  const names = new Map<bigint, string | undefined>();
  if (!log.kindCounts().has(EventKind.count)) return names;
  const guests = new Set(
    log.imports().flatMap(({ facts, source }) => (facts.role === 'guest' ? [source] : [])),
  );
  const inexact =
    EventFlag.notCounted | EventFlag.notSupported | EventFlag.rounded | EventFlag.scaled;
  for (const chunk of log.chunks({ kinds: new Set([EventKind.count]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const flags = chunk.flags[i]!;
      if ((flags & EventFlag.total) === 0 || (flags & inexact) !== 0) continue;
      const count = chunk.value[i]!;
      if (count === 0n || guests.has(chunk.source[i]!)) continue;
      names.set(count, names.has(count) ? undefined : log.name(chunk.code[i]!));
    }
  }
  return names;
}
