import { type Event, type EventChunk, eventAt } from '../../src/domain/event-chunk.ts';
import type { ImportSink, ImportSummary } from '../../src/domain/import-sink.ts';
import type { PerfEventAttr, VcpuFact } from '../../src/domain/log-facts.ts';

function attrKey(attr: PerfEventAttr): string {
  return [attr.type, attr.config1, attr.attrFlags, attr.cpu, attr.task].join(',');
}

/** An import sink that throws the events away and keeps the side tables: for measuring. */
export class NullSink implements ImportSink {
  readonly names: string[] = [''];
  readonly attrs: (PerfEventAttr | undefined)[] = [undefined];
  readonly threads = new Map<number, string>();
  readonly vcpuFacts: VcpuFact[] = [];
  readonly sources: { name: string; summary: ImportSummary | undefined }[] = [];
  nextSeq = 1;
  private readonly slots = new Set<number>();
  private readonly rowByTid = new Map<number, number>();
  private readonly nameIds = new Map<string, number>([['', 0]]);
  private readonly attrIds = new Map<string, number>();

  findDigest(digest: string): number | undefined {
    const index = this.sources.findIndex(({ summary }) => summary?.digest === digest);
    return index < 0 ? undefined : index;
  }

  hasSize(bytes: number): boolean {
    return this.sources.some(({ summary }) => summary?.bytes === bytes);
  }

  beginSource(name: string): number {
    this.sources.push({ name, summary: undefined });
    return this.sources.length - 1;
  }

  nameId(text: string): number {
    const known = this.nameIds.get(text);
    if (known !== undefined) return known;
    this.nameIds.set(text, this.names.length);
    this.names.push(text);
    return this.names.length - 1;
  }

  attrId(attr: PerfEventAttr): number {
    const key = attrKey(attr);
    const known = this.attrIds.get(key);
    if (known !== undefined) return known;
    this.attrIds.set(key, this.attrs.length);
    this.attrs.push(attr);
    return this.attrs.length - 1;
  }

  vcpus(): readonly VcpuFact[] {
    return this.vcpuFacts;
  }

  learnVcpu(fact: Omit<VcpuFact, 'slot'>): number {
    const known = this.rowByTid.get(fact.tid);
    if (known !== undefined) {
      const vcpu = this.vcpuFacts[known]!;
      this.vcpuFacts[known] = {
        ...fact,
        slot: vcpu.slot,
        pid: fact.pid >= 0 ? fact.pid : vcpu.pid,
        seq: vcpu.seq >= 0 ? vcpu.seq : fact.seq,
      };
      return vcpu.slot;
    }
    let slot = fact.index;
    while (this.slots.has(slot)) slot++;
    this.slots.add(slot);
    this.vcpuFacts.push({ ...fact, slot });
    if (fact.tid >= 0) this.rowByTid.set(fact.tid, this.vcpuFacts.length - 1);
    return slot;
  }

  threadName(tid: number, name: string): void {
    this.threads.set(tid, name);
  }

  append(chunk: EventChunk): void {
    this.nextSeq += chunk.length;
  }

  finishSource(source: number, summary: ImportSummary): void {
    this.sources[source]!.summary = summary;
  }
}

/** An import sink that keeps everything as objects: for tests of importers. */
export class MemorySink extends NullSink {
  readonly events: Event[] = [];

  override append(chunk: EventChunk): void {
    for (let i = 0; i < chunk.length; i++) {
      this.events.push({ ...eventAt(chunk, i), seq: this.nextSeq + i });
    }
    super.append(chunk);
  }
}
