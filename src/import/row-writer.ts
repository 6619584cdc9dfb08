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

/** Sets the columns of rows [from, to) to their `none` values. */
function clear(chunk: MutableEventChunk, from: number, to: number, source: number): void {
  chunk.seq.fill(0, from, to);
  chunk.time.fill(0n, from, to);
  chunk.kind.fill(0, from, to);
  chunk.flags.fill(0, from, to);
  chunk.source.fill(source, from, to);
  chunk.pcpu.fill(-1, from, to);
  chunk.vcpu.fill(-1, from, to);
  chunk.tid.fill(-1, from, to);
  chunk.counter.fill(-1, from, to);
  chunk.code.fill(0, from, to);
  chunk.object.fill(0n, from, to);
  chunk.value.fill(0n, from, to);
  chunk.aux0.fill(0n, from, to);
  chunk.aux1.fill(0n, from, to);
}

/**
 * Rows made ready at a time. Few, so that they are still in the CPU's nearest cache when they are written, and that code
 * which asks for more is compiled knowing the answer. It divides CHUNK_EVENTS.
 */
const PART = 256;

/** Fills chunks row by row and hands each full one on. */
export class RowWriter implements EventWriter {
  chunk: MutableEventChunk;
  words: ChunkWords;
  private done = 0;
  /** Rows that can be taken until there is something to do. */
  private room = 0;
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
    if (this.room === 0) this.makeRoom();
    this.room--;
    return this.chunk.length++;
  }

  private makeRoom(): void {
    if (this.chunk.length === CHUNK_EVENTS) this.flush();
    const { length } = this.chunk;
    clear(this.chunk, length, length + PART, this.source());
    this.room = PART;
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
    this.room = 0;
  }
}
