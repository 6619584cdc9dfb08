import { bytesOf, copyOf } from '../byte-table.ts';

/** Threads whose names are remembered. */
const MAX_TASKS = 1 << 18;
const RECENT = 64;
const MAX_NAME = 32;
const NONE = new Uint8Array(0);
const IDLE = bytesOf('swapper');

/** Names of threads, as the COMM and FORK records before a sample tell them. */
export class Tasks {
  private readonly names = new Map<number, Uint8Array>();
  /** The name last asked for of each thread, by the lowest bits of its id. */
  private readonly recentTids = new Int32Array(RECENT).fill(-1);
  private readonly recent: Uint8Array[] = new Array(RECENT).fill(NONE);

  /** The thread is now called bytes[start, end), up to a NUL. */
  name(tid: number, bytes: Uint8Array, start: number, end: number): void {
    let stop = start;
    while (stop < end && bytes[stop] !== 0 && stop - start < MAX_NAME) stop++;
    if (this.names.size < MAX_TASKS || this.names.has(tid))
      this.names.set(tid, copyOf(bytes, start, stop));
    this.recentTids.fill(-1);
  }

  /** A new thread is called like the one that made it. */
  fork(tid: number, parent: number): void {
    if (tid === parent) return;
    const name = this.names.get(parent);
    if (name === undefined) this.names.delete(tid);
    else if (this.names.size < MAX_TASKS || this.names.has(tid)) this.names.set(tid, name);
    this.recentTids.fill(-1);
  }

  /** Name of the thread, empty if no record told; the bytes never change. */
  get(tid: number): Uint8Array {
    const slot = tid & (RECENT - 1);
    return this.recentTids[slot] === tid ? this.recent[slot]! : this.find(tid, slot);
  }

  private find(tid: number, slot: number): Uint8Array {
    const name = tid === 0 ? IDLE : (this.names.get(tid) ?? NONE);
    // −1 is no thread.
    this.recentTids[slot] = tid;
    this.recent[slot] = name;
    return name;
  }
}
