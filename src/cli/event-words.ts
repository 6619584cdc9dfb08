import type { Log } from '../log/types.ts';
import { machineOf } from './pmu-events.ts';
import type { FieldWords } from './render/event-fields.ts';

/** The words a log has for the numbers in its events. */
export function wordsOf(log: Log): FieldWords {
  const recordings = new Map(log.imports().map(({ source, facts }) => [source, facts.name]));
  const threads = log.threads();
  return {
    name: (id) => log.name(id),
    attr: (id) => log.attr(id),
    threadName: (tid) => threads.get(tid),
    recordingName: (source) => recordings.get(source) ?? '',
    machine: machineOf(log),
  };
}
