import { createHash } from 'node:crypto';
import type { TracepointRules } from '../arch/tracepoints.ts';
import { allocateChunk, CHUNK_EVENTS, type MutableEventChunk } from '../domain/event-chunk.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import type { ImportNotice, RecordingFacts } from '../domain/log-facts.ts';
import { copyOf } from './byte-table.ts';
import {
  type ImportContext,
  type Importer,
  type RecordingSummary,
  SNIFF_BYTES,
} from './importer.ts';
import {
  type Bytes,
  type Compression,
  compressionOf,
  decompressed,
  type RawInput,
} from './input.ts';
import { FileReading, type Reading, StreamReading } from './reading.ts';
import { recognise } from './recognise.ts';
import { OpenFile } from './recording-file.ts';
import {
  AlreadyImportedError,
  type ImportOptions,
  type InputReport,
  type RecordingInput,
  recordingName,
} from './report.ts';
import { RowWriter } from './row-writer.ts';
import type { Learned, VcpuTable } from './vcpus.ts';

export interface PumpOptions {
  readonly sink: ImportSink;
  readonly raw: RawInput;
  readonly input: RecordingInput;
  /** Number of the input among all. */
  readonly number: number;
  readonly inputs: number;
  readonly rules: TracepointRules;
  readonly vcpus: VcpuTable;
  readonly options: ImportOptions;
  readonly importers: readonly Importer[];
}

/** One recording on its way in: bytes → (decompress) → reader → chunks, pulled one at a time. */
export class RecordingPump {
  readonly number: number;
  /** The chunk being handed out, the next row of it, and that row's time (running maximum). */
  current: MutableEventChunk;
  at = 0;
  headTime = 0n;
  private readonly given: PumpOptions;
  private readonly hash = createHash('sha256');
  private readonly pieces: AsyncIterator<Uint8Array>;
  /** Of what is in a compressed recording. */
  private readonly content = createHash('sha256');
  private contentBytes = 0;
  private readonly writer: RowWriter;
  private readonly queue: MutableEventChunk[] = [];
  private readonly spare: MutableEventChunk[] = [];
  private direct: ((chunk: MutableEventChunk) => MutableEventChunk) | undefined;
  private readonly learned: Learned[] = [];
  private settled = 0;
  private reading: Reading | undefined;
  private format = '';
  private ownSource = -1;
  private over = false;
  private unpacking = false;
  private rawBytes = 0;
  private packed: Compression = 'none';

  constructor(given: PumpOptions) {
    this.given = given;
    this.number = given.number;
    this.current = allocateChunk(0);
    this.pieces = this.unpacked(decompressed(given.input.path, this.counted(given.raw.bytes)))[
      Symbol.asyncIterator
    ]();
    this.writer = new RowWriter(
      () => this.source(),
      (chunk) => {
        if (this.direct !== undefined) return this.direct(chunk);
        this.queue.push(chunk);
        return this.spare.pop() ?? allocateChunk(CHUNK_EVENTS);
      },
    );
  }

  /** Reads all of it, giving each chunk to `take` (which returns the chunk to fill next). */
  async runInto(take: (chunk: MutableEventChunk) => MutableEventChunk): Promise<void> {
    this.direct = take;
    while (await this.pump());
  }

  /** Makes the next events available: false if there are none any more. */
  async load(): Promise<boolean> {
    if (this.current.length > 0) this.spare.push(this.current);
    while (this.queue.length === 0 && (await this.pump()));
    const next = this.queue.shift();
    this.at = 0;
    this.current = next ?? allocateChunk(0);
    if (next === undefined) return false;
    this.raiseHead();
    return true;
  }

  get drained(): boolean {
    return this.at >= this.current.length;
  }

  /** How many of the loaded events come before `bound` (with `inclusive` also those at it); undefined: all. */
  runLength(bound: bigint | undefined, inclusive: boolean): number {
    const { current, at } = this;
    if (bound === undefined) return current.length - at;
    // A time that runs back is below the bound as the one before it was: no running maximum is needed here.
    const time = current.time;
    let i = at;
    while (i < current.length && (inclusive ? time[i]! <= bound : time[i]! < bound)) i++;
    // The head itself is due, whatever the bound.
    return Math.max(1, i - at);
  }

  /** The next `length` events were taken. */
  advance(length: number): void {
    const { time } = this.current;
    for (let i = this.at; i < this.at + length; i++) {
      if (time[i]! > this.headTime) this.headTime = time[i]!;
    }
    this.at += length;
    if (!this.drained) this.raiseHead();
  }

  /** The next `length` of its events got the sequence numbers from `first` on. */
  appended(length: number, first: number): void {
    const end = this.settled + length;
    let told = 0;
    for (; told < this.learned.length && this.learned[told]!.ordinal < end; told++) {
      const learned = this.learned[told]!;
      this.given.vcpus.settle(learned, first + learned.ordinal - this.settled);
    }
    this.learned.splice(0, told);
    this.settled = end;
  }

  /** Closes it in the log. All of its events must have been appended. */
  finish(): InputReport {
    const { sink, input, options } = this.given;
    const reader = this.reading!.summary();
    const digest = this.hash.digest('hex');
    const content = this.content.digest('hex');
    const earlier =
      reader.alreadyImported?.() ??
      sink.findDigest(digest) ??
      (this.packed === 'none' ? undefined : sink.findDigest(content));
    if (earlier !== undefined && this.writer.count > 0) {
      throw new AlreadyImportedError({
        path: input.path,
        source: earlier,
        input: this.number,
        digest,
        bytes: this.rawBytes,
      });
    }
    const notices: ImportNotice[] = [...reader.notices()];
    if (this.given.vcpus.refused > 0) {
      notices.push({
        severity: 'warning',
        code: 'too-many-vcpus',
        text: 'threads that say they run a vCPU, beyond the number a host can have',
        count: this.given.vcpus.refused,
      });
    }
    const facts = {
      ...this.facts(reader, notices, options),
      ...(this.packed === 'none'
        ? {}
        : { contentDigest: content, contentBytes: this.contentBytes }),
    };
    const report = {
      path: input.path,
      digest,
      bytes: this.rawBytes,
      events: this.writer.count,
    };
    if (earlier !== undefined) {
      return {
        ...report,
        status: 'already-imported',
        source: earlier,
        facts: undefined,
        notices: [],
      };
    }
    const contained = reader.contained?.();
    if (contained !== undefined) {
      for (const { source, summary } of contained) sink.finishSource(source, summary);
    } else {
      sink.finishSource(this.source(), { facts, digest, bytes: this.rawBytes, notices });
    }
    return { ...report, status: 'imported', source: this.source(), facts, notices };
  }

  /** Lets go of what reading holds (streams, file handles); for use whether it ended well or not. */
  async close(): Promise<void> {
    this.reading?.close();
    await this.pieces.return?.();
  }

  private facts(
    reader: RecordingSummary,
    notices: ImportNotice[],
    options: ImportOptions,
  ): RecordingFacts {
    const found = reader.facts();
    const role = this.given.input.role ?? found.role ?? 'host';
    const told = role === 'host' ? options.kernelRelease : undefined;
    if (told !== undefined && found.kernelRelease !== undefined && told !== found.kernelRelease) {
      notices.push({
        severity: 'info',
        code: 'kernel-release-overruled',
        text: `the recording names ${found.kernelRelease}; ${told} was told and is used`,
        count: 1,
      });
    }
    return {
      timeResolution: 1,
      ...found,
      name: recordingName(this.given.input.path),
      format: found.format ?? this.format,
      role,
      ...(told === undefined ? {} : { kernelRelease: told }),
    };
  }

  private raiseHead(): void {
    const own = this.current.time[this.at]!;
    if (own > this.headTime) this.headTime = own;
  }

  private source(): number {
    if (this.ownSource < 0) {
      this.ownSource = this.given.sink.beginSource(recordingName(this.given.input.path));
    }
    return this.ownSource;
  }

  /** One more piece of work; false when all is read. */
  private async pump(): Promise<boolean> {
    if (this.over) return false;
    if (this.reading === undefined) {
      await this.start();
      return true;
    }
    if (await this.reading.step()) return true;
    this.over = true;
    this.writer.flush();
    return this.queue.length > 0;
  }

  /** Reads what sniffing needs, chooses the importer, and gives it what was read. */
  private async start(): Promise<void> {
    const { input, importers, raw, options } = this.given;
    const head: Uint8Array[] = [];
    let length = 0;
    while (length < SNIFF_BYTES) {
      const { value, done } = await this.pieces.next();
      if (done) break;
      length += value.length;
      // What comes next may overwrite it.
      head.push(length < SNIFF_BYTES ? copyOf(value) : value);
    }
    const importer = recognise(input.path, joined(head, SNIFF_BYTES), this.packed, importers);
    this.format = importer.format;
    const pieces = { head, rest: this.pieces };
    if ('open' in importer) {
      this.reading = new StreamReading(importer.open(this.context()), pieces);
      return;
    }
    const plain = this.packed === 'none' && raw.fd !== undefined && raw.size !== undefined;
    this.unpacking = !plain;
    this.reading = new FileReading({
      pieces,
      inPlace: plain ? new OpenFile(input.path, raw.fd, raw.size) : undefined,
      name: input.path,
      prepare: (file) => importer.prepare?.(file),
      open: (file) => importer.openFile(this.context(), file),
      see: (bytes) => {
        this.count(bytes);
        this.progress(this.rawBytes);
      },
      onStep: (share) => {
        options.signal?.throwIfAborted();
        if (share === undefined) return;
        this.unpacking = false;
        this.progress(Math.floor(Math.min(1, share) * this.rawBytes));
      },
    });
  }

  private context(): ImportContext {
    const { sink, input, rules, vcpus } = this.given;
    const pump = this;
    return {
      name: input.path,
      role: input.role,
      get source() {
        return pump.source();
      },
      furtherSource: (name) => sink.beginSource(name),
      findDigest: (digest) => sink.findDigest(digest),
      statStart: input.statStart,
      statStartWithin: input.statStartWithin,
      out: this.writer,
      rules,
      nameId: (text) => sink.nameId(text),
      attrId: (attr) => sink.attrId(attr),
      threadName: (tid, name) => sink.threadName(tid, name),
      learnVcpu(index, tid, pid, learnedFrom) {
        const { slot, isNew } = vcpus.learn(index, tid, pid, learnedFrom);
        if (isNew) pump.learned.push({ tid, ordinal: Math.max(0, pump.writer.count - 1) });
        return slot;
      },
      slotOfThread: (tid) => vcpus.slotOfThread(tid),
      slotOfIndex: (index, pid) => vcpus.slotOfIndex(index, pid, `named in ${input.path}`),
    };
  }

  private async *counted(bytes: Bytes): Bytes {
    for await (const piece of bytes) {
      if (this.rawBytes === 0) this.packed = compressionOf(this.given.input.path, piece);
      this.count(piece);
      yield piece;
      this.progress(this.rawBytes);
    }
  }

  private async *unpacked(bytes: Bytes): Bytes {
    for await (const piece of bytes) {
      if (this.packed !== 'none') {
        this.content.update(piece);
        this.contentBytes += piece.length;
      }
      yield piece;
    }
  }

  /** These bytes of the input, as given, come next. */
  private count(bytes: Uint8Array): void {
    this.given.options.signal?.throwIfAborted();
    this.hash.update(bytes);
    this.rawBytes += bytes.length;
  }

  private progress(bytes: number): void {
    const { input, inputs, number, options, raw } = this.given;
    options.onProgress?.({
      name: input.path,
      input: number,
      inputs,
      bytes,
      size: raw.size,
      events: this.writer.count,
      unpacking: this.unpacking,
    });
  }
}

/** The first `most` bytes of several pieces. */
function joined(parts: readonly Uint8Array[], most: number): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(Math.min(length, most));
  let at = 0;
  for (const part of parts) {
    const piece = part.subarray(0, whole.length - at);
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
