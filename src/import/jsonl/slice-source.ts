import { createHash } from 'node:crypto';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventKind } from '../../domain/event-kind.ts';
import type { SliceFacts } from '../../domain/slice-facts.ts';
import type { JsonLinesSource } from './writer.ts';

/** What is written of a slice: its events with the log's words, its recordings under digests of their own. */
export function sliceSource(
  log: Omit<JsonLinesSource, 'chunks' | 'slice'>,
  slice: { readonly facts: SliceFacts; chunks(): Iterable<EventChunk> },
): JsonLinesSource {
  const { fromSeq, toSeq } = slice.facts;
  const tids = new Set(log.vcpus().map(({ tid }) => tid));
  for (const { length, kind, tid, value } of slice.chunks()) {
    for (let i = 0; i < length; i++) {
      tids.add(tid[i]!);
      if (kind[i] === EventKind.schedSwitch) tids.add(Number(BigInt.asIntN(32, value[i]!)));
    }
  }
  // A slice is no recording that a log with the whole one has already.
  const own = (digest: string): string =>
    createHash('sha256').update(`${digest} @${fromSeq}-@${toSeq}`).digest('hex');
  return {
    chunks: () => slice.chunks(),
    name: (id) => log.name(id),
    attr: (id) => log.attr(id),
    imports: () => log.imports().map((row) => ({ ...row, digest: own(row.digest) })),
    vcpus: () => log.vcpus().map((fact) => ({ ...fact, seq: -1 })),
    threads: () => new Map([...log.threads()].filter(([tid]) => tids.has(tid))),
    slice: slice.facts,
  };
}
