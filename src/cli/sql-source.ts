import type { EventChunk } from '../domain/event-chunk.ts';
import type { SqlSource } from '../log/sql/side-tables.ts';
import type { Log } from '../log/types.ts';
import { registerName } from './render/event-text.ts';

/** A log, or selected events of it, as SQL needs it. */
export function sqlSource(log: Log, chunks: () => Iterable<EventChunk>): SqlSource {
  return { log, chunks, registerName };
}
