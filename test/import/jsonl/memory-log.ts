import {
  allocateChunk,
  COLUMNS,
  chunkOf,
  type Event,
  type EventChunk,
  eventAt,
  type MutableEventChunk,
} from '../../../src/domain/event-chunk.ts';
import type { PerfEventAttr, Role, VcpuFact } from '../../../src/domain/log-facts.ts';
import type { ImportContext, RecordingReader } from '../../../src/import/importer.ts';
import { halvesOf } from '../../../src/import/jsonl/decimal.ts';
import { jsonLines } from '../../../src/import/jsonl/jsonl-importer.ts';
import {
  type JsonLinesRecording,
  type JsonLinesSource,
  writeJsonLines,
} from '../../../src/import/jsonl/writer.ts';

/** A log that is only arrays: what the writer reads and the reader writes to, by the same rules as the real one. */
export class MemoryLog implements JsonLinesSource {
  readonly events: Event[] = [];
  /** Order the events are given out in, by index; undefined: as appended. */
  order: readonly number[] | undefined;
  chunkLength = 7;
  private readonly nameTable = [''];
  private readonly attrTable: (PerfEventAttr | undefined)[] = [undefined];
  private readonly recordingTable: JsonLinesRecording[] = [];
  private readonly vcpuTable: VcpuFact[] = [];
  private readonly threadTable = new Map<number, string>();

  *chunks(): Iterable<EventChunk> {
    const ordered = this.order ? this.order.map((i) => this.events[i]!) : this.events;
    for (let from = 0; from < ordered.length; from += this.chunkLength) {
      yield chunkOf(ordered.slice(from, from + this.chunkLength));
    }
  }
  name(id: number): string {
    return this.nameTable[id]!;
  }
  attr(id: number): PerfEventAttr | undefined {
    return this.attrTable[id];
  }
  imports(): readonly JsonLinesRecording[] {
    return this.recordingTable;
  }
  vcpus(): readonly VcpuFact[] {
    return this.vcpuTable;
  }
  threads(): ReadonlyMap<number, string> {
    return this.threadTable;
  }

  nameId(text: string): number {
    const known = this.nameTable.indexOf(text);
    return known >= 0 ? known : this.nameTable.push(text) - 1;
  }
  attrId(attr: PerfEventAttr): number {
    const key = (a: PerfEventAttr | undefined) =>
      a && [a.type, a.config1, a.attrFlags, a.cpu, a.task].join();
    const known = this.attrTable.findIndex((a) => key(a) === key(attr));
    return known > 0 ? known : this.attrTable.push(attr) - 1;
  }
  threadName(tid: number, name: string): void {
    this.threadTable.set(tid, name);
  }
  addRecording(recording: JsonLinesRecording): void {
    this.recordingTable.push(recording);
  }
  append(event: Omit<Event, 'seq'>): void {
    this.events.push({ ...event, seq: this.events.length + 1 });
  }
  learnVcpu(index: number, tid: number, pid: number, learnedFrom: string): number {
    const known = tid < 0 ? undefined : this.vcpuTable.find((vcpu) => vcpu.tid === tid);
    if (known) return known.slot;
    const taken = new Set(this.vcpuTable.map(({ slot }) => slot));
    let slot = index;
    if (taken.has(slot)) for (slot = 0; taken.has(slot); ) slot++;
    const seq = this.events.length === 0 ? -1 : this.events.length;
    this.vcpuTable.push({ slot, index, tid, pid, learnedFrom, seq });
    this.vcpuTable.sort((a, b) => a.slot - b.slot);
    return slot;
  }
}

export function exported(log: JsonLinesSource): string {
  let text = '';
  writeJsonLines(log, (piece) => {
    text += piece;
  });
  return text;
}

/** Reads vpmu-events text into `log` as the import driver does; gives the reader. */
export function readInto(
  log: MemoryLog,
  input: string | Uint8Array,
  options: {
    split?: readonly number[];
    every?: number;
    digest?: string;
    role?: Role;
  } = {},
): RecordingReader {
  let sources = Math.max(0, ...log.imports().map(({ source }) => source)) + 4;
  const own = sources++;
  const pending: MutableEventChunk = allocateChunk(1);
  const flush = (): void => {
    if (pending.length === 1) log.events[log.events.length - 1] = eventAt(pending, 0);
    pending.length = 0;
  };
  const context = {
    name: 'export.jsonl',
    role: options.role,
    source: own,
    furtherSource: () => sources++,
    findDigest: (digest: string) =>
      log.imports().find((recording) => recording.digest === digest)?.source,
    out: {
      chunk: pending,
      words: {
        time: halvesOf(pending.time),
        object: halvesOf(pending.object),
        value: halvesOf(pending.value),
        aux0: halvesOf(pending.aux0),
        aux1: halvesOf(pending.aux1),
      },
      row: () => {
        flush();
        for (const { name, none } of COLUMNS) (pending[name] as { [i: number]: unknown })[0] = none;
        pending.source[0] = own;
        log.append(eventAt(pending, 0));
        pending.seq[0] = log.events.length;
        pending.length = 1;
        return 0;
      },
    },
    nameId: (text: string) => log.nameId(text),
    attrId: (attr: PerfEventAttr) => log.attrId(attr),
    threadName: (tid: number, name: string) => {
      log.threadName(tid, name);
    },
    learnVcpu: (index: number, tid: number, pid: number, from: string) =>
      log.learnVcpu(index, tid, pid, from),
  } as unknown as ImportContext;
  const reader = jsonLines.open(context);
  const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
  const cuts = options.every
    ? Array.from({ length: Math.ceil(bytes.length / options.every) }, (_, i) => i * options.every!)
    : [...(options.split ?? [])].sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.slice(from, cut);
    reader.push(piece);
    piece.fill(0x7b);
    from = Math.max(from, cut);
  }
  reader.end();
  flush();
  if (reader.alreadyImported?.() !== undefined) return reader;
  const contained = reader.contained?.() ?? [
    {
      source: own,
      summary: {
        facts: reader.facts() as never,
        digest: options.digest ?? 'f'.repeat(64),
        bytes: bytes.length,
        notices: reader.notices(),
      },
    },
  ];
  for (const { source, summary } of contained) log.addRecording({ source, ...summary });
  return reader;
}
