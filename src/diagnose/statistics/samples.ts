import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { ReplayLog } from '../../replay/replay-log.ts';

/** One total of a `perf stat`: software clocks in ns, everything else in events. */
export interface StatSample {
  /** The event as perf printed it, with its modifiers. */
  readonly event: string;
  readonly state: 'counted' | 'not-counted' | 'not-supported';
  readonly value: bigint;
  /** The printed digits do not say the whole count (a mean, a unit). */
  readonly rounded: boolean;
  /** Share of the time it was on hardware, permyriad: below 10,000 the value is scaled. */
  readonly running: number;
  /** Relative deviation of the mean of several runs, permyriad; null: one run, no spread known. */
  readonly spread: number | null;
  /** How many runs, 0 not printed. */
  readonly runs: number;
  readonly seq: number;
}

/** The totals of one recording of perf stat. */
export interface StatSide {
  readonly source: number;
  readonly name: string;
  readonly role: 'host' | 'guest';
  /** What was counted, as the heading of the table says. */
  readonly counted: string | undefined;
  /** Elapsed time of the run, ns; 0n not printed. */
  readonly elapsed: bigint;
  readonly samples: readonly StatSample[];
}

/** The totals of every perf stat recording of a log, in the order of the imports; recordings without totals are left out. */
export function statSides(log: ReplayLog): StatSide[] {
  if (!log.kindCounts().has(EventKind.count)) return [];
  const bySource = new Map<number, { elapsed: bigint; samples: StatSample[] }>();
  const kinds = new Set([EventKind.count, EventKind.countSpread]);
  for (const chunk of log.chunks({ kinds })) {
    for (let i = 0; i < chunk.length; i++) {
      const source = chunk.source[i]!;
      const side = bySource.get(source) ?? { elapsed: 0n, samples: [] };
      bySource.set(source, side);
      if (chunk.kind[i] === EventKind.countSpread) {
        const last = side.samples.at(-1);
        if (last === undefined || last.event !== log.name(chunk.code[i]!)) continue;
        const spread = Number(chunk.value[i]!);
        side.samples[side.samples.length - 1] = { ...last, spread, runs: Number(chunk.aux0[i]!) };
        continue;
      }
      const flags = chunk.flags[i]!;
      if ((flags & EventFlag.total) === 0) continue;
      side.elapsed = chunk.object[i]!;
      side.samples.push({
        event: log.name(chunk.code[i]!),
        state:
          (flags & EventFlag.notSupported) !== 0
            ? 'not-supported'
            : (flags & EventFlag.notCounted) !== 0
              ? 'not-counted'
              : 'counted',
        value: chunk.value[i]!,
        rounded: (flags & EventFlag.rounded) !== 0,
        running: Number(chunk.aux0[i]!),
        spread: null,
        runs: 0,
        seq: chunk.seq[i]!,
      });
    }
  }
  return log.imports().flatMap(({ source, facts }) => {
    const side = bySource.get(source);
    if (side === undefined || side.samples.length === 0) return [];
    return [{ source, name: facts.name, role: facts.role, counted: facts.counted, ...side }];
  });
}
