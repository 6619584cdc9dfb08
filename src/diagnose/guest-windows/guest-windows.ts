import { sliceOfRecordings } from '../../domain/slice-facts.ts';
import { createReplayer } from '../../replay/create-replayer.ts';
import {
  type PreparedReplay,
  prepareReplay,
  type ReplayChoices,
  type ReplayLog,
} from '../../replay/replay-log.ts';
import { perfStatNames } from '../statistics/stat-names.ts';
import { WindowCollector } from './collector.ts';
import type { GuestWindow } from './guest-window.ts';
import type { HostEvent } from './host-event.ts';
import { readMarks, withMarks } from './marks.ts';
import type { Observed } from './observed.ts';

/** Bound of memory: of a log with more windows the rest is only counted. */
export const WINDOWS_KEPT = 100_000;

/** The windows of a log, in the order they ended, and the rules they were replayed under. */
export interface GuestWindows {
  readonly windows: readonly GuestWindow[];
  readonly dropped: number;
  readonly prepared: PreparedReplay;
  readonly observed: Observed;
  /** Host events that were counted on the vCPUs' threads at reschedules, by the slot of the vCPU. */
  readonly pairedEvents: readonly { readonly vcpu: number; readonly event: HostEvent }[];
}

/** Replays the log once and cuts it into guest windows. */
export function guestWindows(
  log: ReplayLog,
  choices: ReplayChoices = {},
  progress?: (events: number) => void,
): GuestWindows {
  const prepared = prepareReplay(log, choices);
  const config = withMarks(prepared.config, readMarks(log));
  const slice = sliceOfRecordings(log.imports());
  const windows: GuestWindow[] = [];
  let dropped = 0;
  const options = {
    ...config,
    vendor: config.arch === 'x86' ? config.facts.vendor : undefined,
    name: (id: number) => log.name(id),
    preamble: slice?.form === 'state' ? slice.preamble : 0,
  };
  const collector = new WindowCollector(createReplayer(config), options, (window) => {
    if (windows.length < WINDOWS_KEPT) windows.push(window);
    else dropped++;
  });
  let events = 0;
  for (const chunk of prepared.source.chunks({})) {
    collector.take(chunk);
    events += chunk.length;
    progress?.(events);
  }
  collector.end();
  const { pairedEvents } = collector;
  const names = perfStatNames(log);
  for (const { event } of pairedEvents) {
    if (event.count !== 0n) event.name = names.get(event.count);
  }
  return { windows, dropped, prepared, observed: collector.observed, pairedEvents };
}
