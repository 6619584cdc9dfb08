import { readFileSync } from 'node:fs';
import type { Event } from '../../src/domain/event-chunk.ts';
import { EventFlag, EventKind, KIND_SPECS } from '../../src/domain/event-kind.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import type { ImportOptions, InputReport, RecordingInput } from '../../src/import/report.ts';
import { MemorySink } from './memory-sink.ts';

export interface Imported {
  readonly sink: MemorySink;
  readonly report: InputReport;
  readonly events: readonly Event[];
}

export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url));
}

/** The bytes in pieces of `size`, each in a buffer that is overwritten before the next. */
export async function* inPieces(bytes: Uint8Array, size = 65536): AsyncGenerator<Uint8Array> {
  // A Buffer: its slice() does not copy, which standard input's pieces have in common with it.
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    buffer.fill(0x21);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

/** Imports text or bytes into a log in memory, as one stream. */
export async function importText(
  content: string | Uint8Array,
  options: ImportOptions & Omit<RecordingInput, 'path' | 'stream'> & { piece?: number } = {},
): Promise<Imported> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const sink = new MemorySink();
  const { role, statStart, piece, ...rest } = options;
  const report = await importRecordings(
    sink,
    [
      {
        path: 'recording',
        stream: inPieces(bytes, piece),
        ...(role === undefined ? {} : { role }),
        ...(statStart === undefined ? {} : { statStart }),
      },
    ],
    rest,
  );
  return { sink, report: report.inputs[0]!, events: sink.events };
}

/** Name of an event for counting: its kind, what it is a part of, or its own name. */
export function label(sink: MemorySink, event: Event): string {
  if (event.kind === EventKind.other) return `other ${sink.names[event.code]}`;
  const part =
    event.flags & EventFlag.entry ? ' entry' : event.flags & EventFlag.trap ? ' trap' : '';
  return `${KIND_SPECS[event.kind]!.name}${part}`;
}

export function countBy<T>(items: Iterable<T>, key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).sort());
}
