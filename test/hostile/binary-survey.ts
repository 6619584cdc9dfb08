import { tracepointRules } from '../../src/arch/tracepoints.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import type { ImportNotice } from '../../src/domain/log-facts.ts';
import type { FileImporter, ImportContext, RecordingFile } from '../../src/import/importer.ts';
import { RowWriter } from '../../src/import/row-writer.ts';
import { VcpuTable } from '../../src/import/vcpus.ts';
import { NullSink } from '../import/memory-sink.ts';
import { refusal } from './survive.ts';

const RULES = tracepointRules();
/** Steps after which a reader of a small file is taken to run in circles. */
const MAX_STEPS = 100_000;

/** What came out of one file. */
export interface Outcome {
  /** The line it was refused with; undefined: it was imported. */
  readonly refusal: string | undefined;
  /** Events, and those of them that are records and not reports of loss. */
  readonly events: number;
  readonly records: number;
  readonly notices: readonly ImportNotice[];
}

/** Reads bytes with a binary importer, without a log. What it throws that is no refusal fails the test. */
export function survey(importer: FileImporter, bytes: Uint8Array): Outcome {
  const sink = new NullSink();
  const vcpus = new VcpuTable(sink);
  let events = 0;
  let records = 0;
  const out = new RowWriter(
    () => 0,
    (chunk) => {
      events += chunk.length;
      for (let i = 0; i < chunk.length; i++) if (chunk.kind[i] !== EventKind.lost) records++;
      return chunk;
    },
  );
  const context: ImportContext = {
    name: 'recording',
    role: undefined,
    source: 0,
    furtherSource: () => 0,
    findDigest: () => undefined,
    statStart: undefined,
    out,
    rules: RULES,
    nameId: (text) => sink.nameId(text),
    attrId: (attr) => sink.attrId(attr),
    threadName: (tid, name) => sink.threadName(tid, name),
    learnVcpu: (index, tid, pid, from) => vcpus.learn(index, tid, pid, from).slot,
    slotOfThread: (tid) => vcpus.slotOfThread(tid),
    slotOfIndex: (index, pid) => vcpus.slotOfIndex(index, pid, ''),
  };
  const file: RecordingFile = {
    name: 'recording',
    size: bytes.length,
    read(into, at) {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      return piece.length;
    },
  };
  const outcome = { refusal: undefined, notices: [] as readonly ImportNotice[] };
  let reader: ReturnType<FileImporter['openFile']> | undefined;
  try {
    reader = importer.openFile(context, file);
    let steps = 0;
    while (reader.step()) {
      if (++steps > MAX_STEPS) throw new Error('runs in circles');
      if (!(reader.position >= 0)) throw new Error(`position ${reader.position}`);
    }
    out.flush();
    reader.facts();
    return { ...outcome, events, records, notices: reader.notices() };
  } catch (error) {
    return { ...outcome, events: 0, records: 0, refusal: refusal(error) };
  } finally {
    reader?.close?.();
  }
}

/**
 * What is wrong with how a damaged file was taken; undefined if nothing. It may be refused; it may come out as it was;
 * it may say what is missing. It must not lose records and say nothing.
 */
export function complaint(
  whole: Outcome,
  damaged: Outcome,
  records = whole.records,
): string | undefined {
  const { refusal: line, notices } = damaged;
  if (line !== undefined) {
    if (!line.startsWith('recording: ')) return `refused without its name: ${line}`;
    return undefined;
  }
  const said = notices.some(
    ({ code, count }) =>
      !whole.notices.some((known) => known.code === code && known.count === count),
  );
  const lostRows = damaged.events - damaged.records > whole.events - whole.records;
  if (damaged.records < records && !said && !lostRows) {
    return `${damaged.records} of ${whole.records} records, and not a word`;
  }
  return undefined;
}
