import type { Event } from '../domain/event-chunk.ts';
import type { Observation } from '../replay/observation.ts';
import { replay, runReplay } from '../replay/replay.ts';
import { prepareReplay, type ReplayChoices, type ReplayLog } from '../replay/replay-log.ts';
import type { RuleSetChoice } from '../replay/vm-facts.ts';
import { CheckTally, type CheckTotals } from './check.ts';

/** The first contradiction with what led to it. */
export interface Contradiction {
  readonly observation: Observation;
  /** Up to 20 events before it, oldest first. */
  readonly before: readonly Event[];
}

/** CheckTotals with the rules they were made under and the first contradiction, null if there is none. */
export interface CheckResult extends CheckTotals {
  readonly ruleSet: RuleSetChoice;
  readonly firstContradiction: Contradiction | null;
}

const EVENTS_BEFORE = 20;

/**
 * Replays the whole log and compares every recorded guest read of a PMU register with its prediction. UsageError for
 * an unknown rule set; InputError when the log is damaged.
 */
export function checkLog(
  log: ReplayLog,
  choices: ReplayChoices = {},
  progress?: (events: number) => void,
): CheckResult {
  const { config, source, ruleSet } = prepareReplay(log, choices);
  const tally = new CheckTally();
  runReplay(replay(source, config), (step) => {
    tally.add(step);
    progress?.(tally.events);
  });
  const totals = tally.totals();
  const first = totals.contradictions[0];
  return {
    ...totals,
    ruleSet,
    firstContradiction:
      first === undefined
        ? null
        : { observation: first, before: log.eventsBefore(first.seq, EVENTS_BEFORE) },
  };
}
