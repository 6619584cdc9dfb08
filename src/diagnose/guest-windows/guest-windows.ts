import { EventKind } from '../../domain/event-kind.ts';
import { createReplayer } from '../../replay/create-replayer.ts';
import {
  type PreparedReplay,
  prepareReplay,
  type ReplayChoices,
  type ReplayLog,
} from '../../replay/replay-log.ts';
import { type CounterWindow, WindowBuilder } from '../windows.ts';
import { WindowCollector } from './collector.ts';
import type { GuestWindow } from './guest-window.ts';
import { readMarks, withMarks } from './marks.ts';
import type { Observed } from './observed.ts';
import { withPairedHosts } from './paired-hosts.ts';

/** Bound of memory: of a log with more windows the rest is only counted. */
export const WINDOWS_KEPT = 100_000;

/** The windows of a log, in the order they ended, and the rules they were replayed under. */
export interface GuestWindows {
  readonly windows: readonly GuestWindow[];
  readonly dropped: number;
  readonly prepared: PreparedReplay;
  readonly observed: Observed;
}

/** Replays the log once and cuts it into guest windows. */
export function guestWindows(
  log: ReplayLog,
  choices: ReplayChoices = {},
  progress?: (events: number) => void,
): GuestWindows {
  const prepared = prepareReplay(log, choices);
  const { source } = prepared;
  const config = withMarks(prepared.config, readMarks(log));
  const windows: GuestWindow[] = [];
  const paired: CounterWindow[] = [];
  let dropped = 0;
  const options = {
    ...config,
    vendor: config.arch === 'x86' ? config.facts.vendor : undefined,
    name: (id: number) => log.name(id),
  };
  const collector = new WindowCollector(createReplayer(config), options, (window) => {
    if (windows.length < WINDOWS_KEPT) windows.push(window);
    else dropped++;
  });
  const kinds = log.kindCounts();
  const pairs = new WindowBuilder(
    {
      vcpus: config.vcpus,
      attr: config.attr,
      entersRecorded: kinds.has(EventKind.guestEnter) && kinds.has(EventKind.guestExit),
      guestSources: config.guestSources,
    },
    (window) => {
      if (paired.length < WINDOWS_KEPT) paired.push(window);
    },
  );
  const pairable = config.arch === 'arm64' && kinds.has(EventKind.hwUpdate);
  let events = 0;
  for (const chunk of source.chunks({})) {
    collector.take(chunk);
    if (pairable) pairs.take(chunk);
    events += chunk.length;
    progress?.(events);
  }
  collector.end();
  pairs.end();
  return {
    windows: withPairedHosts(windows, paired),
    dropped,
    prepared,
    observed: collector.observed,
  };
}
