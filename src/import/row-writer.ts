import { allocateChunk, CHUNK_EVENTS, type MutableEventChunk } from '../domain/event-chunk.ts';
import type { ChunkWords, EventWriter } from './importer.ts';

function halves(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}

function wordsOf(chunk: MutableEventChunk): ChunkWords {
  const [object, value] = [halves(chunk.object), halves(chunk.value)];
  const [aux0, aux1] = [halves(chunk.aux0), halves(chunk.aux1)];
  const payload = [object, value, aux0, aux1];
  return { time: halves(chunk.time), object, value, aux0, aux1, payload };
}

/** Sets every column to its `none` value. */
function clear(chunk: MutableEventChunk, source: number): void {
  chunk.length = 0;
  chunk.seq.fill(0);
  chunk.time.fill(0n);
  chunk.kind.fill(0);
  chunk.flags.fill(0);
  chunk.source.fill(source);
  chunk.pcpu.fill(-1);
  chunk.vcpu.fill(-1);
  chunk.tid.fill(-1);
  chunk.counter.fill(-1);
  chunk.code.fill(0);
  chunk.object.fill(0n);
  chunk.value.fill(0n);
  chunk.aux0.fill(0n);
  chunk.aux1.fill(0n);
}

/** Fills chunks row by row and hands each full one on. */
export class RowWriter implements EventWriter {
  chunk: MutableEventChunk;
  words: ChunkWords;
  private done = 0;
  private ready = false;
  private readonly source: () => number;
  private readonly full: (chunk: MutableEventChunk) => MutableEventChunk;

  /**
   * `source` is asked when there is something to write; `full` takes a chunk and returns the one to fill next (the
   * same one if it has been copied).
   */
  constructor(source: () => number, full: (chunk: MutableEventChunk) => MutableEventChunk) {
    this.source = source;
    this.full = full;
    this.chunk = allocateChunk(CHUNK_EVENTS);
    this.words = wordsOf(this.chunk);
  }

  get count(): number {
    return this.done + this.chunk.length;
  }

  row(): number {
    if (this.chunk.length === CHUNK_EVENTS) this.flush();
    if (!this.ready) {
      clear(this.chunk, this.source());
      this.ready = true;
    }
    return this.chunk.length++;
  }

  /** Hands on what is there. */
  flush(): void {
    if (this.chunk.length === 0) return;
    this.done += this.chunk.length;
    const next = this.full(this.chunk);
    if (next !== this.chunk) {
      this.chunk = next;
      this.words = wordsOf(next);
    }
    next.length = 0;
    this.ready = false;
  }
}
