import { InputError } from '../domain/errors.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import type { ImportSink, ImportSummary } from '../domain/import-sink.ts';
import type { PerfEventAttr, RecordingFacts, VcpuFact } from '../domain/log-facts.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { emptySideRows, type SideRows, storedJson } from './side-tables.ts';
import type { LogState } from './state.ts';
import { VcpuTable } from './vcpu-table.ts';

/** Sources are what a u16 column can hold. */
const MAX_SOURCE = 65535;

type Described = Pick<ImportSummary, 'digest' | 'bytes' | 'facts'>;

interface OpenSource {
  readonly name: string;
  summary?: ImportSummary;
}

/** Takes in one run. What it learns beside the events is kept in memory until the run ends. */
export class RunSink implements ImportSink {
  readonly #path: string;
  readonly #state: LogState;
  readonly #writer: SegmentWriter;
  readonly #sources = new Map<number, OpenSource>();
  #nextSource: number;
  readonly #nameIds = new Map<string, number>();
  readonly #newNames: string[] = [];
  readonly #attrIds = new Map<string, number>();
  readonly #newAttrs: PerfEventAttr[] = [];
  readonly #vcpus: VcpuTable;
  readonly #threads = new Map<number, string>();
  #closed = false;

  constructor(path: string, state: LogState, writer: SegmentWriter) {
    this.#path = path;
    this.#state = state;
    this.#writer = writer;
    const { facts } = state;
    this.#nextSource = (facts.imports.at(-1)?.source ?? 0) + 1;
    facts.names.forEach((text, id) => {
      this.#nameIds.set(text, id);
    });
    facts.attrs.forEach((attr, id) => {
      if (attr !== undefined) this.#attrIds.set(attrKey(attr), id);
    });
    this.#vcpus = new VcpuTable(path, facts.vcpus);
  }

  findDigest(digest: string): number | undefined {
    const isIt = (row: Described): boolean =>
      row.digest === digest || row.facts.contentDigest === digest;
    const known = this.#state.facts.imports.find(isIt);
    if (known !== undefined) return known.source;
    for (const [id, { summary }] of this.#sources) {
      if (summary !== undefined && isIt(summary)) return id;
    }
    return undefined;
  }

  hasSize(bytes: number): boolean {
    const isIt = (row: Described): boolean =>
      row.bytes === bytes || row.facts.contentBytes === bytes;
    if (this.#state.facts.imports.some(isIt)) return true;
    return [...this.#sources.values()].some(
      ({ summary }) => summary !== undefined && isIt(summary),
    );
  }

  beginSource(name: string): number {
    this.#check();
    if (this.#nextSource > MAX_SOURCE) {
      throw new InputError(
        `${this.#path} holds ${MAX_SOURCE} recordings, more do not fit`,
        'import into a new log',
      );
    }
    const id = this.#nextSource++;
    this.#sources.set(id, { name });
    return id;
  }

  nameId(text: string): number {
    let id = this.#nameIds.get(text);
    if (id !== undefined) return id;
    this.#check();
    // As the database will give it back: lone surrogates do not survive UTF-8.
    const stored = Buffer.from(text, 'utf8').toString('utf8');
    id = this.#nameIds.get(stored);
    if (id === undefined) {
      id = this.#state.facts.names.length + this.#newNames.length;
      this.#newNames.push(stored);
      this.#nameIds.set(stored, id);
    }
    if (stored !== text) this.#nameIds.set(text, id);
    return id;
  }

  attrId(attr: PerfEventAttr): number {
    const key = attrKey(attr);
    let id = this.#attrIds.get(key);
    if (id === undefined) {
      this.#check();
      id = this.#state.facts.attrs.length + this.#newAttrs.length;
      this.#newAttrs.push({ ...attr });
      this.#attrIds.set(key, id);
    }
    return id;
  }

  vcpus(): readonly VcpuFact[] {
    return this.#vcpus.list();
  }

  learnVcpu(fact: Omit<VcpuFact, 'slot'>): number {
    this.#check();
    return this.#vcpus.learn(fact);
  }

  threadName(tid: number, name: string): void {
    this.#check();
    this.#threads.set(tid, name);
  }

  get nextSeq(): number {
    return this.#writer.nextSeq;
  }

  append(chunk: EventChunk): void {
    this.#check();
    for (let from = 0; from < chunk.length; ) from += this.#writer.append(chunk, from);
  }

  finishSource(source: number, summary: ImportSummary): void {
    this.#check();
    const open = this.#sources.get(source);
    if (open === undefined || open.summary !== undefined) {
      throw new Error(`finishSource: source ${source} is not open`);
    }
    this.#refuseOtherArch(summary.facts);
    open.summary = summary;
  }

  /** One log is replayed as one host: what is on two architectures never was one. */
  #refuseOtherArch({ name, arch }: RecordingFacts): void {
    if (arch === undefined) return;
    const all: Described[] = [...this.#state.facts.imports];
    for (const { summary } of this.#sources.values()) if (summary !== undefined) all.push(summary);
    const other = all.find(({ facts }) => facts.arch !== undefined && facts.arch !== arch);
    if (other === undefined) return;
    throw new InputError(
      `${name} was recorded on ${arch}, ${other.facts.name} on ${other.facts.arch}: one log holds one host`,
      'import each into a log of its own',
    );
  }

  /**
   * Ends the run: stores the last segment and returns the rows for the side tables; undefined if there is nothing to
   * keep. @throws Error if events of a source were appended that was never begun or not finished.
   */
  end(run: number): SideRows | undefined {
    this.#check();
    this.#closed = true;
    this.#writer.flush();
    const finished = [...this.#sources].filter(([, { summary }]) => summary !== undefined);
    for (const [id, { events }] of this.#writer.sources) {
      const source = this.#sources.get(id);
      if (source === undefined) throw new Error(`${events} events of source ${id}, never begun`);
      if (source.summary === undefined) {
        throw new Error(`${events} events of ${source.name} (source ${id}), which is not finished`);
      }
    }
    if (finished.length === 0) return undefined;
    const rows = emptySideRows();
    const runId = BigInt(run);
    for (const [id, { summary }] of finished)
      rows.import.push(this.#importRow(id, runId, summary!));
    const { facts } = this.#state;
    this.#newNames.forEach((text, i) => {
      rows.name.push([BigInt(facts.names.length + i), runId, text]);
    });
    this.#newAttrs.forEach((attr, i) => {
      const { type, config1, attrFlags, cpu, task } = attr;
      const u64s = [BigInt.asIntN(64, config1), BigInt.asIntN(64, attrFlags)];
      const id = BigInt(facts.attrs.length + i);
      rows.attr.push([id, runId, BigInt(type), ...u64s, BigInt(cpu), BigInt(task)]);
    });
    for (const { slot, index, tid, pid, learnedFrom, seq } of this.#vcpus.changed()) {
      const numbers = [BigInt(index), BigInt(tid), BigInt(pid)];
      rows.vcpu.push([BigInt(slot), runId, ...numbers, stored(learnedFrom), BigInt(seq)]);
    }
    for (const [tid, name] of [...this.#threads].sort(([a], [b]) => a - b)) {
      if (facts.threads.get(tid) === stored(name)) continue;
      rows.thread.push([BigInt(tid), runId, stored(name)]);
    }
    return rows;
  }

  /** After a failed run: nothing more goes in. */
  close(): void {
    this.#closed = true;
  }

  #importRow(id: number, run: bigint, { digest, bytes, facts, notices }: ImportSummary) {
    const totals = this.#writer.sources.get(id);
    return [
      BigInt(id),
      run,
      digest,
      BigInt(bytes),
      BigInt(totals?.events ?? 0),
      BigInt.asIntN(64, totals?.lost ?? 0n),
      totals === undefined ? null : BigInt(totals.firstSeq),
      totals === undefined ? null : BigInt(totals.lastSeq),
      storedJson(facts),
      storedJson(notices),
    ];
  }

  #check(): void {
    if (this.#closed) throw new Error('the import run of this sink is over');
  }
}

/** Text as the database gives it back. */
function stored(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function attrKey({ type, config1, attrFlags, cpu, task }: PerfEventAttr): string {
  return `${type} ${config1} ${attrFlags} ${cpu} ${task}`;
}
