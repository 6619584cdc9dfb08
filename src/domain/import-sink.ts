import type { EventChunk } from './event-chunk.ts';
import type { ImportNotice, PerfEventAttr, RecordingFacts, VcpuFact } from './log-facts.ts';

/** What finishing one recording writes down. */
export interface ImportSummary {
  readonly facts: RecordingFacts;
  /** SHA-256 of the bytes as given (before decompression), hex. */
  readonly digest: string;
  /** Size of those bytes. */
  readonly bytes: number;
  readonly notices: readonly ImportNotice[];
}

/**
 * Where importers put what they read: one import run into one log. The log implements it; everything put in becomes
 * visible at once when the run ends well, and nothing of it when it fails.
 */
export interface ImportSink {
  /** Source id of the recording with this digest, as given or unpacked, that the log already holds; undefined if none. */
  findDigest(digest: string): number | undefined;
  /** True if some recording in the log has this byte size, as given or unpacked (so that hashing first is worth it). */
  hasSize(bytes: number): boolean;
  /** Opens a recording: its id for the `source` column. */
  beginSource(name: string): number;
  /** Id of a string; the same string has the same id in one log. Id 0 is the empty string. */
  nameId(text: string): number;
  /** Id of an attr; an equal attr has the same id in one log. Id 0 means "not recorded". */
  attrId(attr: PerfEventAttr): number;
  /** vCPUs the log knows, this run's included, by slot; slots need not be consecutive. */
  vcpus(): readonly VcpuFact[];
  /** Adds a vCPU (slot is assigned: the index if free, else the next free number) or completes the one with this tid. */
  learnVcpu(fact: Omit<VcpuFact, 'slot'>): number;
  /** Remembers the (last) name of a thread. */
  threadName(tid: number, name: string): void;
  /** Sequence number the next appended event will get. */
  readonly nextSeq: number;
  /** Appends events; assigns their sequence numbers in order. The chunk may be reused by the caller afterwards. */
  append(chunk: EventChunk): void;
  /** Ends one recording. */
  finishSource(source: number, summary: ImportSummary): void;
}
