import { TextDecoder } from 'node:util';
import { InputError, UsageError } from '../../domain/errors.ts';
import type { ImportSummary } from '../../domain/import-sink.ts';
import type { ImportNotice, RecordingFacts } from '../../domain/log-facts.ts';
import type { ImportContext, RecordingReader, StreamImporter } from '../importer.ts';
import { TextLines } from '../stat/text-lines.ts';
import { type EventLine, emptyLine, type PayloadPlace, parseEventLine } from './event-line.ts';
import {
  type Header,
  type HeaderVcpu,
  isHeader,
  JSONL_FORMAT,
  JSONL_VERSION,
  parseHeader,
} from './header.ts';

/** `vpmu-events/1`: what `vpmu export --format jsonl` writes; our own, so a malformed line is refused, not skipped. */
export const jsonLines: StreamImporter = {
  format: `${JSONL_FORMAT}/${JSONL_VERSION}`,
  sniff: (head) => (isHeader(new TextDecoder().decode(head.subarray(0, 256))) ? 1 : 0),
  open: (context) => new JsonLinesReader(context),
};

const MAX_HEADER_BYTES = 1 << 26;
/** A line is short but for names, which come from lines of up to a MiB. */
const MAX_EVENT_BYTES = 1 << 24;

class JsonLinesReader implements RecordingReader {
  private readonly context: ImportContext;
  private readonly lines: TextLines;
  private readonly event: EventLine = emptyLine();
  private readonly place: PayloadPlace;
  private readonly nameIds = new Map<string, number>();
  private header: Header | undefined;
  private already: number | undefined;
  /** Source ids of the log by the file's own number − 1. */
  private sources: readonly number[] = [];
  /** vCPUs not known yet, by the number of the event that makes them known. */
  private readonly coming = new Map<number, HeaderVcpu[]>();
  /** Slots of the log by the file's own; undefined: no such slot in the file. */
  private readonly slots = new Map<number, number>();
  private events = 0;

  constructor(context: ImportContext) {
    if (context.role !== undefined) {
      throw new UsageError(
        `${context.name}: a ${JSONL_FORMAT} file says itself whose its recordings are`,
        'import it without a role',
      );
    }
    this.context = context;
    this.place = { words: context.out.words, row: 0 };
    this.lines = new TextLines((line, number) => this.line(line, number), {
      limit: MAX_HEADER_BYTES,
      onInvalid: (number) => {
        throw this.fail(number, 'not UTF-8');
      },
    });
  }

  push(bytes: Uint8Array): void {
    if (this.already !== undefined) return;
    this.lines.push(bytes);
    this.checkLength();
  }

  end(): void {
    if (this.already !== undefined) return;
    this.lines.end();
    this.checkLength();
    if (this.already !== undefined) return;
    const { header, events } = this;
    if (!header) throw new InputError(`${this.context.name}: empty: no header line`);
    if (header.events !== undefined && header.events !== events) {
      throw new InputError(
        `${this.context.name}: ${events} events, its header says ${header.events}`,
        'the file was cut off; export it again',
      );
    }
    const late = header.vcpus.find(({ event = 0 }) => event > events);
    if (late) {
      throw new InputError(
        `${this.context.name}: vCPU ${late.slot} is known from event ${late.event}, there are ${events}`,
      );
    }
    for (const { tid, name } of header.threads) this.context.threadName(tid, name);
  }

  facts(): Partial<RecordingFacts> {
    return this.header?.recordings[0]?.facts ?? {};
  }

  notices(): readonly ImportNotice[] {
    return this.header?.recordings[0]?.notices ?? [];
  }

  alreadyImported(): number | undefined {
    return this.already;
  }

  contained(): readonly { source: number; summary: ImportSummary }[] | undefined {
    const recordings = this.header?.recordings;
    // A file without digest was not exported from a log: it is its own, one recording.
    if (!recordings || recordings[0]!.digest === undefined) return undefined;
    return recordings.map(({ facts, digest, bytes, notices }, i) => ({
      source: this.sources[i]!,
      summary: { facts, digest: digest!, bytes: bytes ?? 0, notices },
    }));
  }

  private line(line: string, number: number): void {
    if (this.header) this.eventLine(line, number);
    else this.headerLine(line);
  }

  private headerLine(line: string): void {
    const { context } = this;
    const header = parseHeader(line, context.name);
    this.header = header;
    this.lines.limit = MAX_EVENT_BYTES;
    const known = header.recordings.map(({ digest }) =>
      digest === undefined ? undefined : context.findDigest(digest),
    );
    const first = known.findIndex((source) => source !== undefined);
    if (first >= 0 && known.every((source) => source !== undefined)) {
      this.already = known[first];
      return;
    }
    if (first >= 0) {
      throw new InputError(
        `${context.name}: its recording ${first + 1} (${header.recordings[first]!.facts.name}) is in the log already, others are not`,
        'import the export into a log of its own',
      );
    }
    this.sources = header.recordings.map(({ facts }, i) =>
      i === 0 ? context.source : context.furtherSource(facts.name),
    );
    for (const vcpu of header.vcpus) {
      if (vcpu.event === undefined) this.learn(vcpu);
      else this.coming.set(vcpu.event, [...(this.coming.get(vcpu.event) ?? []), vcpu]);
    }
  }

  private eventLine(line: string, number: number): void {
    if (this.already !== undefined) return;
    const { event, context } = this;
    const i = context.out.row();
    this.place.words = context.out.words;
    this.place.row = i;
    const wrong = parseEventLine(line, event, this.place);
    if (wrong !== undefined) throw this.fail(number, wrong);
    const source = this.sources[event.source - 1];
    if (source === undefined) {
      throw this.fail(number, `source ${event.source}: the header has no such recording`);
    }
    this.events++;
    const coming = this.coming.size > 0 ? this.coming.get(this.events) : undefined;
    if (coming) for (const vcpu of coming) this.learn(vcpu);
    const slot = event.vcpu < 0 ? -1 : this.slots.get(event.vcpu);
    if (slot === undefined) {
      throw this.fail(number, `vcpu ${event.vcpu}: the header has no such vCPU before this event`);
    }
    const { chunk } = context.out;
    chunk.kind[i] = event.kind;
    chunk.flags[i] = event.flags;
    chunk.source[i] = source;
    chunk.pcpu[i] = event.pcpu;
    chunk.vcpu[i] = slot;
    chunk.tid[i] = event.tid;
    chunk.counter[i] = event.counter;
    chunk.code[i] = this.code(event);
  }

  private code({ code, name, attr }: EventLine): number {
    if (name !== undefined) return this.nameId(name);
    return attr === undefined ? code : this.context.attrId(attr);
  }

  private nameId(name: string): number {
    let id = this.nameIds.get(name);
    if (id === undefined) {
      id = this.context.nameId(name);
      this.nameIds.set(name, id);
    }
    return id;
  }

  private learn({ slot, index, tid, pid, learnedFrom }: HeaderVcpu): void {
    this.slots.set(slot, this.context.learnVcpu(index, tid, pid, learnedFrom));
  }

  private checkLength(): void {
    if (this.lines.tooLong > 0) throw this.fail(this.lines.firstTooLong, 'the line is too long');
  }

  private fail(line: number, why: string): InputError {
    return new InputError(
      `${this.context.name}: line ${line}: ${why}`,
      `docs/formats.md says what a line of ${JSONL_FORMAT}/${JSONL_VERSION} may hold`,
    );
  }
}
