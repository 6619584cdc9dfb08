import { createHash } from 'node:crypto';
import { tracepointRules } from '../arch/tracepoints.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import { IMPORTERS } from './importers.ts';
import { openInput, type RawInput } from './input.ts';
import { mergeByTime } from './merge.ts';
import { RecordingPump } from './recording-pump.ts';
import type { ImportOptions, ImportReport, InputReport, RecordingInput } from './report.ts';
import { VcpuTable } from './vcpus.ts';

/**
 * Reads recordings into one import run of a log: events of several in time order (ties by input, then position), with
 * memory that does not grow with their length. A file the log has already is left out and reported as such.
 * Throws InputError (input), UsageError (mapping), AlreadyImportedError (a stream), or the signal's reason; the run must
 * then be rolled back.
 */
export async function importRecordings(
  sink: ImportSink,
  inputs: readonly RecordingInput[],
  options: ImportOptions = {},
): Promise<ImportReport> {
  const rules = tracepointRules(options.map);
  const vcpus = new VcpuTable(sink);
  const reports: (InputReport | undefined)[] = inputs.map(() => undefined);
  const opened: RawInput[] = [];
  const pumps: RecordingPump[] = [];
  try {
    for (const input of inputs) opened.push(await openInput(input.path, input.stream));
    const known = await knownDigests(sink, opened, options.signal);
    for (const [k, input] of inputs.entries()) {
      const raw = opened[k]!;
      const digest = known[k];
      const earlier = digest === undefined ? undefined : sink.findDigest(digest);
      const twin = digest === undefined ? -1 : known.indexOf(digest);
      if (earlier !== undefined || (twin >= 0 && twin < k)) {
        reports[k] = alreadyImported(input.path, digest!, raw.size ?? 0, earlier ?? -1);
        continue;
      }
      pumps.push(
        new RecordingPump({
          sink,
          raw,
          input,
          number: k,
          inputs: inputs.length,
          rules,
          vcpus,
          options,
          importers: options.importers ?? IMPORTERS,
        }),
      );
    }
    await mergeByTime(sink, pumps);
    for (const pump of pumps) reports[pump.number] = pump.finish();
    vcpus.finish();
  } finally {
    await Promise.allSettled(pumps.map((pump) => pump.close()));
    await Promise.allSettled(opened.map((raw) => raw.close()));
  }
  const done = reports.map((report) => report!);
  return { inputs: done, events: done.reduce((sum, { events }) => sum + events, 0) };
}

function alreadyImported(path: string, digest: string, bytes: number, source: number): InputReport {
  return {
    path,
    status: 'already-imported',
    source,
    facts: undefined,
    digest,
    bytes,
    events: 0,
    notices: [],
  };
}

/** Digests of the files whose size the log (or another input) knows: only those can be there already. */
async function knownDigests(
  sink: ImportSink,
  opened: readonly RawInput[],
  signal: AbortSignal | undefined,
): Promise<(string | undefined)[]> {
  const digests: (string | undefined)[] = [];
  for (const raw of opened) {
    const { name, size } = raw;
    const twins = opened.filter((other) => other.size === size).length;
    if (size === undefined || size === 0 || (!sink.hasSize(size) && twins < 2)) {
      digests.push(undefined);
      continue;
    }
    const again = await openInput(name);
    try {
      const hash = createHash('sha256');
      for await (const piece of again.bytes) {
        signal?.throwIfAborted();
        hash.update(piece);
      }
      digests.push(hash.digest('hex'));
    } finally {
      await again.close();
    }
  }
  return digests;
}
