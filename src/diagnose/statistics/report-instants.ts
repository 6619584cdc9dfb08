import { EventKind } from '../../domain/event-kind.ts';
import type { ReplayLog } from '../../replay/replay-log.ts';

/** Moments at which a guest's perf read the clock, looked up in the trace: some vCPU was in guest mode then. */
export interface Instants {
  /** Moments between the first entry and the last exit of the trace. */
  readonly looked: number;
  /** Those at which no vCPU was in guest mode, with the distance to the nearest moment one was, ns. */
  readonly outside: readonly { readonly seq: number; readonly byNs: bigint }[];
}

/** Paired moments that agree within this are on one axis, ns. */
const TOLERANCE = 1000n;
/** Moments kept that fell outside. */
const KEPT = 32;

interface Open {
  readonly source: number;
  readonly seq: number;
  readonly time: bigint;
  /** Last moment before it at which a vCPU was in guest mode. */
  readonly before: bigint;
}

/**
 * Looks up when the guests of `sources` say they read their clocks. Empty where entries and exits are not both
 * recorded. One pass over entries, exits and counts.
 */
export function reportInstants(
  log: ReplayLog,
  sources: ReadonlySet<number>,
): ReadonlyMap<number, Instants> {
  const found = new Map<number, { looked: number; outside: { seq: number; byNs: bigint }[] }>();
  const recorded = log.kindCounts();
  if (sources.size === 0 || !recorded.has(EventKind.guestEnter)) return found;
  if (!recorded.has(EventKind.guestExit)) return found;
  const slots = new Map(log.vcpus().map(({ tid, slot }) => [tid, slot]));
  const inGuest = new Set<number>();
  let last: bigint | undefined;
  const told = new Map<number, bigint>();
  let waiting: Open[] = [];
  const of = (source: number): { looked: number; outside: { seq: number; byNs: bigint }[] } => {
    const known = found.get(source) ?? { looked: 0, outside: [] };
    found.set(source, known);
    return known;
  };
  const kinds = new Set([EventKind.guestEnter, EventKind.guestExit, EventKind.count]);
  for (const chunk of log.chunks({ kinds })) {
    for (let i = 0; i < chunk.length; i++) {
      const time = chunk.time[i]!;
      const kind = chunk.kind[i]!;
      if (kind === EventKind.count) {
        const source = chunk.source[i]!;
        // Events of one report share one moment.
        if (!sources.has(source) || last === undefined || told.get(source) === time) continue;
        told.set(source, time);
        if (inGuest.size > 0) of(source).looked++;
        else waiting.push({ source, seq: chunk.seq[i]!, time, before: last });
        continue;
      }
      const vcpu = chunk.vcpu[i]! >= 0 ? chunk.vcpu[i]! : (slots.get(chunk.tid[i]!) ?? -1);
      if (kind === EventKind.guestExit) {
        inGuest.delete(vcpu);
        last = time;
        continue;
      }
      inGuest.add(vcpu);
      last = time;
      for (const open of waiting) {
        const known = of(open.source);
        known.looked++;
        const [since, until] = [open.time - open.before, time - open.time];
        const byNs = since < until ? since : until;
        if (byNs > TOLERANCE && known.outside.length < KEPT)
          known.outside.push({ seq: open.seq, byNs });
      }
      waiting = [];
    }
  }
  return found;
}
