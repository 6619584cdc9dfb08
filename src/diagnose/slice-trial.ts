import type { EventChunk } from '../domain/event-chunk.ts';
import type { Observation } from '../replay/observation.ts';
import { replay, runReplay } from '../replay/replay.ts';
import { type PreparedReplay, prepareReplay } from '../replay/replay-log.ts';
import { type SliceableLog, SliceLog } from '../replay/slice/slice-events.ts';
import { CheckTally, type CheckTotals } from './check.ts';
import { type Held, holds } from './slice-values.ts';

/** The events of a slice: those that stand for what was before it, then its own. */
export function* partsOf(
  preamble: () => Iterable<EventChunk>,
  body: () => Iterable<EventChunk>,
): Iterable<EventChunk> {
  yield* preamble();
  yield* body();
}

const SURENESS = { confirmed: 3, bounded: 2, unknown: 1, contradicted: 0 } as const;

/** How a slice replays. */
export interface Trial {
  readonly totals: CheckTotals;
  readonly preamble: number;
  readonly events: number;
  /** Every read that the whole log confirms is confirmed, and none is contradicted that is not there. */
  readonly faithful: boolean;
  readonly lessSure: number;
}

/** What a slice has to give. */
export interface Expected {
  readonly whole: readonly Observation[];
  readonly held: readonly Held[];
}

/** Replays a slice and compares its predictions with those of the whole log. */
export function tryOut(
  log: SliceableLog,
  { ruleSet }: PreparedReplay,
  preamble: () => Iterable<EventChunk>,
  body: () => Iterable<EventChunk>,
  { whole, held }: Expected,
): Trial {
  let before = 0;
  for (const { length } of preamble()) before += length;
  const slice = new SliceLog(log, () => partsOf(preamble, body));
  const { config, source } = prepareReplay(slice, { rules: ruleSet.name });
  const tally = new CheckTally();
  const seen: Observation[] = [];
  let faithful = true;
  runReplay(replay(source, config), (step) => {
    tally.add(step);
    if (step.chunk.seq[step.chunk.length - 1] === before) faithful = holds(step.replayer, held);
    for (const observation of step.observations) {
      if (observation.seq > before) seen.push(observation);
    }
  });
  faithful &&= seen.length === whole.length;
  let lessSure = 0;
  whole.forEach((expected, i) => {
    const got = seen[i];
    if (got === undefined) return;
    if (SURENESS[got.verdict] < SURENESS[expected.verdict]) lessSure++;
    if (expected.verdict === 'confirmed' && got.verdict !== 'confirmed') faithful = false;
    if (got.verdict === 'contradicted' && expected.verdict !== 'contradicted') faithful = false;
  });
  return { totals: tally.totals(), preamble: before, events: slice.eventCount, faithful, lessSure };
}
