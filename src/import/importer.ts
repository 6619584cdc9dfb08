import type { TracepointRules } from '../arch/tracepoints.ts';
import type { MutableEventChunk } from '../domain/event-chunk.ts';
import type { ImportSummary } from '../domain/import-sink.ts';
import type { ImportNotice, PerfEventAttr, RecordingFacts, Role } from '../domain/log-facts.ts';

/** What every format has; see Importer. */
interface ImporterBase {
  /** Stable name of the format: `perf-script`, `trace-cmd-report`, `tracefs`, `perf-stat-json`, … */
  readonly format: string;
  /**
   * How sure this importer is (0: not mine … 1: certain) that `head`, the first bytes of the decompressed recording
   * (up to SNIFF_BYTES, all of it when it is shorter), is its format. By content only, never by file name; must not throw.
   */
  sniff(head: Uint8Array): number;
}

/** A format that is read from its first byte to its last. */
export interface StreamImporter extends ImporterBase {
  /** Starts reading one recording. */
  open(context: ImportContext): RecordingReader;
}

/** A format that can only be read going back and forth: indexes at its end, one stretch per CPU. */
export interface FileImporter extends ImporterBase {
  /** Makes ready what reading this recording will need; to be awaited before `openFile`. */
  prepare?(file: RecordingFile): Promise<void> | undefined;
  /** Starts reading one recording. `file` may be read until `close` of the reader, or its last step. */
  openFile(context: ImportContext, file: RecordingFile): RecordingFileReader;
}

/**
 * One foreign format. Importers are listed in `importers.ts`; the one whose `sniff` is highest opens the recording.
 */
export type Importer = StreamImporter | FileImporter;

/**
 * A whole recording, readable anywhere: a plain file itself; anything packed or piped is first written, decompressed,
 * to an unlinked temporary file.
 */
export interface RecordingFile {
  /** Name for messages: the path as the user gave it, or `-`. */
  readonly name: string;
  /** Bytes, decompressed. */
  readonly size: number;
  /**
   * Fills `into` from byte `at` on; returns how many bytes there were: less than asked for only at the end of the
   * file. InputError if the file cannot be read.
   */
  read(into: Uint8Array, at: number): number;
}

/** Reads one recording that needs going back and forth. */
export interface RecordingFileReader extends RecordingSummary {
  /**
   * Does a bounded piece of work (about 256 KiB of input, at most some thousand events); false when the recording is
   * over: its last events written, its notices complete. InputError for damage it cannot get past.
   */
  step(): boolean;
  /** Bytes of the file dealt with so far, for progress. */
  readonly position: number;
  /** Lets go of what it holds; for use whether it ended well or not. */
  close?(): void;
}

/** How many bytes `sniff` is shown at most. */
export const SNIFF_BYTES = 65536;

/** What a recording said of itself once it has been read. */
export interface RecordingSummary {
  /** What the recording says of itself; complete after the end. */
  facts(): Partial<RecordingFacts>;
  /** What was not taken over as it stood; complete after the end. */
  notices(): readonly ImportNotice[];
  /** Source id if the recording says of itself that the log holds it already; nothing was written then. */
  alreadyImported?(): number | undefined;
  /** The recordings this one contains, when it is an export of a log; undefined: it is one recording, its own. */
  contained?(): readonly ContainedRecording[] | undefined;
}

/**
 * Reads one recording. `push` gets the decompressed bytes in order, in any split (also one byte at a time); the bytes
 * are only valid during the call. Damage the reader cannot get past is an InputError; what it can get past is a notice.
 */
export interface RecordingReader extends RecordingSummary {
  push(bytes: Uint8Array): void;
  /** The bytes are over: take the last line, hand out what is held back. Throws InputError if nothing was understood. */
  end(): void;
}

/** One of several recordings in one file. */
export interface ContainedRecording {
  /** From `context.source` or `context.furtherSource`. */
  readonly source: number;
  readonly summary: ImportSummary;
}

/** What an importer may use: where events go, the side tables, the vCPUs of this run, the mapping table. */
export interface ImportContext {
  /** Name for messages: the path as the user gave it, or `-`. */
  readonly name: string;
  /** Whose counts: what the user said, else undefined (the reader may suggest one in its facts). */
  readonly role: Role | undefined;
  /** Id of this recording in the `source` column. */
  readonly source: number;
  /** Opens another recording that is contained in this one: its id. */
  furtherSource(name: string): number;
  /** Source id of the recording with this digest that the log already holds. */
  findDigest(digest: string): number | undefined;
  /** perf stat: when it was started, in ns on the clock of the log; undefined if nobody said. */
  readonly statStart: bigint | undefined;
  /** How far off that can be, ns; undefined: not at all. */
  readonly statStartWithin?: number | undefined;
  /** Takes the events. */
  readonly out: EventWriter;
  /** The mapping table, the user's own entries included. */
  readonly rules: TracepointRules;
  /** Id of a string in the log's name table. */
  nameId(text: string): number;
  /** Id of an attr in the log's attr table. */
  attrId(attr: PerfEventAttr): number;
  /** Remembers the last name of a thread. */
  threadName(tid: number, name: string): void;
  /**
   * A record that only the thread of vCPU `index` can have made: slot of that vCPU. Call it when the record's row is
   * the last one taken from `out` (the vCPU's row in the log names that event). Calling it again completes what was
   * not known (`pid` −1). Threads of a guest (role `guest`) must not be given.
   */
  learnVcpu(index: number, tid: number, pid: number, learnedFrom: string): number;
  /** Slot of the vCPU that thread `tid` runs, −1 when it is not known (yet). */
  slotOfThread(tid: number): number;
  /**
   * Slot of the vCPU with this index; `pid` (−1 unknown) decides between several VMs, `ambiguous` says that it could
   * not. An index no thread is known for yet gets the slot it will have.
   */
  slotOfIndex(index: number, pid: number): VcpuSlot;
}

export interface VcpuSlot {
  readonly slot: number;
  readonly ambiguous: boolean;
}

/**
 * Where a reader puts its events, one row after the other:
 *
 *     const i = out.row();          // a fresh row: every column at its `none` value, `source` set
 *     out.chunk.time[i] = …;        // fetch `out.chunk` after each row(): it changes when a chunk is full
 *
 * The row counts as written at once; there is nothing to commit.
 */
export interface EventWriter {
  readonly chunk: MutableEventChunk;
  /** The u64 columns of `chunk` in halves. */
  readonly words: ChunkWords;
  /** Index of a fresh row in `chunk`. */
  row(): number;
  /** Events written so far. */
  readonly count: number;
}

/** The u64 columns of a chunk as u32 halves: entry 2i + LOW and 2i + HIGH. No bigint is made when writing them. */
export interface ChunkWords {
  readonly time: Uint32Array;
  readonly object: Uint32Array;
  readonly value: Uint32Array;
  readonly aux0: Uint32Array;
  readonly aux1: Uint32Array;
  /** object, value, aux0, aux1 once more, by number. */
  readonly payload: readonly Uint32Array[];
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
/** Offset of the low half in ChunkWords (the machine's byte order decides). */
export const LOW: number = littleEndian ? 0 : 1;
/** Offset of the high half in ChunkWords. */
export const HIGH: number = 1 - LOW;
