import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag, EventKind, type RegisterSpace, registerSpace } from '../domain/event-kind.ts';

/** A record of a guest register access as the vCPU takes it: a view of one row, moved on from record to record. */
export class AccessRecord {
  /** Time as the replay has it (running maximum), ns after the log's first event. */
  now = 0;
  seq = 0;
  code = 0;
  flags = 0;
  isWrite = false;
  private chunk: EventChunk | undefined;
  private row = 0;

  /** Looks at event `row` of a chunk, a read or a write. */
  at(chunk: EventChunk, row: number, now: number): this {
    this.chunk = chunk;
    this.row = row;
    this.now = now;
    this.seq = chunk.seq[row]!;
    this.code = chunk.code[row]!;
    this.flags = chunk.flags[row]!;
    this.isWrite = chunk.kind[row] === EventKind.write;
    return this;
  }

  // Looked up when asked for: a bigint at rest in a field is slow.
  get time(): bigint {
    return this.chunk!.time[this.row]!;
  }

  get value(): bigint {
    return this.chunk!.value[this.row]!;
  }

  get space(): RegisterSpace {
    return registerSpace(this.flags);
  }

  /** Made before the access is done: at the trap, or at the begin of its handler. */
  get isBegin(): boolean {
    return (this.flags & (EventFlag.entry | EventFlag.trap)) !== 0;
  }

  /** KVM refused the access: UNDEFINED, #GP. */
  get isRefused(): boolean {
    return (this.flags & EventFlag.failed) !== 0;
  }

  get hasValue(): boolean {
    return (this.flags & EventFlag.noValue) === 0;
  }
}
