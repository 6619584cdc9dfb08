import { bytesOf, copyOf } from '../byte-table.ts';

/** Threads whose names are remembered. */
const MAX_TASKS = 1 << 18;
const MAX_GUESTS = 65536;
const MAX_NAME = 32;
const NONE = new Uint8Array(0);
const IDLE = bytesOf('swapper');

/** Names of threads, as the COMM and FORK records before a sample tell them. */
export class Tasks {
  private readonly names = new Map<number, Uint8Array>();
  private readonly guests = new Map<number, Uint8Array>();
  private lastTid = -1;
  private last: Uint8Array = NONE;
  private lastGuestPid = -1;
  private lastGuest: Uint8Array = NONE;

  /** The thread is now called bytes[start, end), up to a NUL. */
  name(tid: number, bytes: Uint8Array, start: number, end: number): void {
    let stop = start;
    while (stop < end && bytes[stop] !== 0 && stop - start < MAX_NAME) stop++;
    if (this.names.size < MAX_TASKS || this.names.has(tid))
      this.names.set(tid, copyOf(bytes, start, stop));
    this.lastTid = -1;
  }

  /** A new thread is called like the one that made it. */
  fork(tid: number, parent: number): void {
    if (tid === parent) return;
    const name = this.names.get(parent);
    if (name === undefined) this.names.delete(tid);
    else if (this.names.size < MAX_TASKS || this.names.has(tid)) this.names.set(tid, name);
    this.lastTid = -1;
  }

  /** Name of the thread, empty if no record told. */
  get(tid: number): Uint8Array {
    if (tid === this.lastTid) return this.last;
    const name = tid === 0 ? IDLE : (this.names.get(tid) ?? NONE);
    this.lastTid = tid;
    this.last = name;
    return name;
  }

  /** What perf script calls every thread of a process in guest mode. */
  guest(pid: number): Uint8Array {
    if (pid === this.lastGuestPid && pid >= 0) return this.lastGuest;
    let name = this.guests.get(pid);
    if (name === undefined) {
      name = bytesOf(`[guest/${pid}]`);
      if (this.guests.size < MAX_GUESTS) this.guests.set(pid, name);
    }
    this.lastGuestPid = pid;
    this.lastGuest = name;
    return name;
  }
}
