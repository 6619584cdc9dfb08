import { defer, from, mergeMap, type Observable } from 'rxjs';
import { UsageError } from '../domain/errors.ts';
import { EventKind } from '../domain/event-kind.ts';
import { U64_MAX } from '../domain/u64.ts';
import { createReplayer } from './create-replayer.ts';
import { prepareReplay, type ReplayChoices, type ReplayLog } from './replay-log.ts';
import type { Certainty } from './state-view.ts';

/** The visible value of one counter right after a record that tells something about it. */
export interface SeriesPoint {
  readonly seq: number;
  readonly time: bigint;
  /** Kind of that record. */
  readonly kind: EventKind;
  readonly certainty: Certainty;
  /** The value lies in [low, high]; both 0n when unknown. */
  readonly low: bigint;
  readonly high: bigint;
}

/** Kinds after which the value of a counter can be known better, or be another one. */
const TELLING: ReadonlySet<EventKind> = new Set([
  EventKind.read,
  EventKind.write,
  EventKind.eventRead,
  EventKind.eventOverflow,
  EventKind.eventDisable,
  EventKind.eventEnable,
  EventKind.eventRelease,
  EventKind.hwUpdate,
  EventKind.vcpuReset,
  EventKind.lost,
]);

/**
 * The series of one counter's value over the whole log: a point wherever a record changed what is known of it. `slot` is
 * the vCPU's row in the log. Emits chunk by chunk; cold.
 */
export function watchCounter(
  log: ReplayLog,
  slot: number,
  counter: number,
  choices: ReplayChoices = {},
): Observable<SeriesPoint> {
  return defer(() => {
    const { config, source } = prepareReplay(log, choices);
    const replayer = createReplayer(config);
    const vcpu = replayer.ofSlot(slot);
    if (vcpu === undefined) throw new UsageError(`the log has no vCPU in slot ${slot}`);
    if (!vcpu.counters.includes(counter))
      throw new UsageError(`vCPU ${slot} has no counter ${counter}`);
    let last = { low: -1n, span: -1n };
    return from(source.chunks({})).pipe(
      mergeMap((chunk) => {
        const points: SeriesPoint[] = [];
        for (let i = 0; i < chunk.length; i++) {
          replayer.apply(chunk, i, i + 1, () => undefined);
          const kind = chunk.kind[i]! as EventKind;
          if (!TELLING.has(kind)) continue;
          const { low, span, width } = vcpu.counterValue(counter);
          if (low === last.low && span === last.span) continue;
          last = { low, span };
          const unknown = span === U64_MAX;
          points.push({
            seq: chunk.seq[i]!,
            time: chunk.time[i]!,
            kind,
            certainty: span === 0n ? 'exact' : unknown ? 'unknown' : 'bounded',
            low: unknown ? 0n : low,
            high: unknown ? 0n : BigInt.asUintN(width, low + span),
          });
        }
        return points;
      }),
    );
  });
}
