import { defer, from, map, type Observable, takeWhile } from 'rxjs';
import type { EventChunk } from '../domain/event-chunk.ts';
import { createReplayer } from './create-replayer.ts';
import type { Observation } from './observation.ts';
import { packState, unpackState } from './packed-state.ts';
import type { ReplayConfig } from './replay-config.ts';
import type { Replayer } from './replayer.ts';

/** Opaque position in the log's order, as the log hands it out. */
export type Cursor = readonly number[];

/** A saved state: everything up to `cursor` is applied, and so many events after it as `state` says (packState). */
export interface ReplayCheckpoint {
  /** Events applied. */
  readonly ordinal: number;
  /** Running maximum of their times, ns. */
  readonly time: bigint;
  /** Empty: the start of the log. */
  readonly cursor: Cursor;
  readonly state: Uint8Array;
}

/** Where checkpoints are kept; the log implements it. */
export interface CheckpointStore {
  /** The last checkpoint with time ≤ `time`, or with time < `before`. */
  nearest(
    limit: { readonly time: bigint } | { readonly before: bigint },
  ): ReplayCheckpoint | undefined;
  save(checkpoint: ReplayCheckpoint): void;
}

/** A chunk with the position after its last event. */
export interface ReplayChunk extends EventChunk {
  readonly cursor: Cursor;
}

/** The events of a log in replay order, from after a cursor. Pulled: nothing is read that nobody asked for. */
export interface ReplaySource {
  chunks(range: { readonly after?: Cursor }): Iterable<ReplayChunk>;
}

/** Where a replay stops: after all events with time ≤ `time`, or after the event `seq` (whose time is `timeOfSeq`). */
export type ReplayLimit =
  | { readonly time: bigint }
  | { readonly seq: number; readonly timeOfSeq: bigint };

/** Where a replay stops and where its checkpoints are. */
export interface ReplayOptions {
  readonly limit?: ReplayLimit;
  readonly checkpoints?: CheckpointStore;
  /** Events between two checkpoints at least. */
  readonly checkpointEvery?: number;
}

/** One chunk after it was applied. */
export interface ReplayStep {
  readonly chunk: ReplayChunk;
  /** The chunk is applied up to here (not including): to its end, but for the last step of a limited replay. */
  readonly applied: number;
  readonly observations: readonly Observation[];
  /** The state after the step; the same object in every step. */
  readonly replayer: Replayer;
  /** True when the limit was reached. */
  readonly done: boolean;
}

/** Measured knee (docs/performance.md): seeking costs at most this many events, and checkpoints stay a small part of the file. */
export const CHECKPOINT_EVERY = 2048;

/** Index of the chunk's first event from `from` on that lies after the limit, given the running maximum of time before it. */
function endWithin(
  chunk: EventChunk,
  from: number,
  limit: ReplayLimit | undefined,
  runningTime: bigint,
): number {
  if (limit === undefined) return chunk.length;
  if ('seq' in limit) {
    // In log order an event with a larger seq can come first (merged runs): look for the event itself.
    const at = chunk.seq.subarray(0, chunk.length).indexOf(limit.seq, from);
    return at < 0 ? chunk.length : at + 1;
  }
  let time = runningTime;
  for (let i = from; i < chunk.length; i++) {
    if (chunk.time[i]! > time) time = chunk.time[i]!;
    if (time > limit.time) return i;
  }
  return chunk.length;
}

function latest(chunk: EventChunk, from: number, to: number, before: bigint): bigint {
  let time = before;
  for (let i = from; i < to; i++) if (chunk.time[i]! > time) time = chunk.time[i]!;
  return time;
}

/**
 * Replays a log: one step per chunk, in order, from the nearest checkpoint before the limit or from the start. Cold:
 * each subscription replays anew. Saves checkpoints as it passes them. The last step has `done` set when there is a
 * limit and it was reached; a replay without events before the limit emits one step with nothing applied.
 */
export function replay(
  source: ReplaySource,
  config: ReplayConfig,
  options: ReplayOptions = {},
): Observable<ReplayStep> {
  const { limit, checkpoints, checkpointEvery = CHECKPOINT_EVERY } = options;
  return defer(() => {
    const replayer = createReplayer(config);
    let ordinal = 0;
    let lastSaved = 0;
    let time = 0n;
    // The position checkpoints are told by, and the events after it that a checkpoint started with.
    let cursor: Cursor = [];
    let ahead = 0;
    // Without a limit every observation is wanted, so a later start would lose some.
    if (limit !== undefined && checkpoints !== undefined) {
      const start = checkpoints.nearest(
        'seq' in limit ? { before: limit.timeOfSeq } : { time: limit.time },
      );
      if (start !== undefined) {
        const kept = unpackState(start.state);
        replayer.restore(kept.state);
        ahead = kept.ahead;
        ({ ordinal, time, cursor } = start);
        lastSaved = ordinal;
      }
    }
    // Events after `cursor` that are applied.
    let since = ahead;
    return from(source.chunks(cursor.length === 0 ? {} : { after: cursor })).pipe(
      map((chunk): ReplayStep => {
        let at = Math.min(ahead, chunk.length);
        ahead -= at;
        const applied = endWithin(chunk, at, limit, time);
        const reached =
          limit !== undefined &&
          (applied < chunk.length ||
            ('seq' in limit && applied > at && chunk.seq[applied - 1] === limit.seq));
        const observations: Observation[] = [];
        while (at < applied) {
          const untilSave =
            checkpoints === undefined ? applied : lastSaved + checkpointEvery - ordinal;
          const to = Math.min(applied, at + untilSave);
          replayer.apply(chunk, at, to, (observation) => observations.push(observation));
          // The running maximum is only for limits and checkpoints.
          if (limit !== undefined || checkpoints !== undefined) time = latest(chunk, at, to, time);
          ordinal += to - at;
          since += to - at;
          at = to;
          if (checkpoints !== undefined && ordinal - lastSaved >= checkpointEvery) {
            checkpoints.save({
              ordinal,
              time,
              cursor,
              state: packState(replayer.snapshot(), since),
            });
            lastSaved = ordinal;
          }
        }
        if (applied === chunk.length) {
          ({ cursor } = chunk);
          since = ahead;
        }
        return { chunk, applied, observations, replayer, done: reached };
      }),
      takeWhile((step) => !step.done, true),
    );
  });
}

/**
 * Subscribes to a replay, which runs to its end before this returns, and hands every step to `take`. Throws what the
 * replay throws. Returns the last step, undefined if there was none.
 */
export function runReplay(
  steps: Observable<ReplayStep>,
  take?: (step: ReplayStep) => void,
): ReplayStep | undefined {
  let last: ReplayStep | undefined;
  let failure: { readonly error: unknown } | undefined;
  steps.subscribe({
    next(step) {
      last = step;
      take?.(step);
    },
    error(error: unknown) {
      failure = { error };
    },
  });
  if (failure !== undefined) throw failure.error;
  return last;
}
