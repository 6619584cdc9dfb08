import { textOf } from './byte-table.ts';
import type { ImportContext } from './importer.ts';
import type { RawRecord } from './raw-record.ts';

/** Threads remembered at once; with more, those that run no vCPU are forgotten. */
const MAX_THREADS = 65536;
const RECENT = 64;
/** Longest task name looked at (the kernel's are 15 bytes). */
const MAX_COMM = 32;

/** What an entry half left for the other half of its pair. */
export interface Pending {
  /** Field numbers of the other half. */
  readonly to: Int32Array;
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly identifies: Uint8Array;
  count: number;
}

/** One thread of the recording. */
export interface ThreadState {
  readonly tid: number;
  /** Process, −1 unknown. */
  pid: number;
  /** The vCPU it runs: slot and index, −1 none known. */
  slot: number;
  vcpuIndex: number;
  /** A record that only the vCPU's own thread makes named the index; a name alone can be inherited or borrowed. */
  vcpuProved: boolean;
  /** Its last name. */
  readonly comm: Uint8Array;
  commLength: number;
  /** Where that name was taken from, if it is there for good: RawRecord.comm, from where. undefined: elsewhere. */
  told: Uint8Array | undefined;
  toldStart: number;
  /** By pair number. */
  readonly pending: (Pending | undefined)[];
}

/** The threads of one recording: names, and which vCPU they run. */
export class Threads {
  private readonly context: ImportContext;
  private byTid = new Map<number, ThreadState>();
  /** Those last asked for, by the lowest bits of their ids. */
  private readonly recent: (ThreadState | undefined)[] = new Array(RECENT).fill(undefined);
  private named = 0;
  /** Those that run a vCPU. */
  private readonly runners: ThreadState[] = [];
  /** Some record was made by a thread in guest mode (as perf calls it). */
  guestModeSeen = false;
  /** Some thread runs a vCPU. */
  vcpuSeen = false;

  /** A guest's threads are no vCPUs of the host, whatever they are called. */
  readonly runVcpus: boolean;

  constructor(context: ImportContext) {
    this.context = context;
    this.runVcpus = context.role !== 'guest';
  }

  /** How many are remembered. */
  get size(): number {
    return this.byTid.size;
  }

  get(tid: number): ThreadState {
    const recent = this.recent[tid & (RECENT - 1)];
    return recent !== undefined && recent.tid === tid ? recent : this.find(tid);
  }

  private find(tid: number): ThreadState {
    const thread = this.byTid.get(tid) ?? this.create(tid);
    this.recent[tid & (RECENT - 1)] = thread;
    return thread;
  }

  /** The record's thread, its name and process taken over. */
  ofRecord(record: RawRecord): ThreadState {
    const thread = this.get(record.tid);
    if (this.isNews(thread, record)) this.learnFrom(thread, record);
    return thread;
  }

  /** Whether the record may tell something new of its thread. */
  isNews(thread: ThreadState, record: RawRecord): boolean {
    const { comm, commStart } = record;
    if (thread.pid < 0 && record.pid >= 0) return true;
    return record.commEnd > commStart && (thread.told !== comm || thread.toldStart !== commStart);
  }

  /** Takes over the name and the process of the thread that made the record. */
  learnFrom(thread: ThreadState, record: RawRecord): void {
    const { comm, commStart, commEnd } = record;
    // Whether a name makes a vCPU depends on the process.
    if (record.pid >= 0 && thread.pid < 0) this.learnPid(thread, record.pid);
    if (commEnd > commStart && comm[commStart] === 0x5b) this.guestComm(thread, record);
    else this.name(thread, comm, commStart, commEnd);
    if (!record.commStays) return;
    thread.told = comm;
    thread.toldStart = commStart;
  }

  /** The thread is named bytes[start, end). */
  name(thread: ThreadState, bytes: Uint8Array, start: number, end: number): void {
    thread.told = undefined;
    const length = end - start;
    const comm = thread.comm;
    if (length === thread.commLength) {
      let k = 0;
      while (k < length && comm[k] === bytes[start + k]) k++;
      if (k === length) return;
    }
    if (length <= 0 || length > MAX_COMM || thread.tid <= 0 || bytes[start] === 0x3c) return;
    for (let k = 0; k < length; k++) comm[k] = bytes[start + k]!;
    thread.commLength = length;
    const text = textOf(bytes, start, end);
    const vcpu = /^CPU (\d{1,4})\/KVM$/.exec(text);
    if (vcpu !== null && thread.vcpuIndex < 0 && !this.isTaken(Number(vcpu[1]), thread)) {
      this.learn(thread, Number(vcpu[1]), `thread name ${text}`);
    }
    if (thread.slot >= 0 || this.named < MAX_THREADS) {
      this.named++;
      this.context.threadName(thread.tid, text);
    }
  }

  /**
   * Another thread surely is the vCPU that `thread`'s name says: KVM's own helper threads inherit the name of the vCPU
   * thread that starts them. A process has one vCPU of an index, so there a second name is enough.
   */
  private isTaken(index: number, thread: ThreadState): boolean {
    return this.runners.some(
      (other) =>
        other.vcpuIndex === index &&
        (other.pid >= 0 && thread.pid >= 0
          ? other.pid === thread.pid
          : other.vcpuProved && other !== thread),
    );
  }

  /** A record named the vCPU whose thread made it. */
  prove(thread: ThreadState, index: number, learnedFrom: string): void {
    if (thread.vcpuIndex !== index) this.learn(thread, index, learnedFrom);
    thread.vcpuProved = true;
  }

  /** The thread runs vCPU `index`. */
  learn(thread: ThreadState, index: number, learnedFrom: string): void {
    if (!this.runVcpus) return;
    this.vcpuSeen = true;
    if (thread.vcpuIndex < 0) this.runners.push(thread);
    thread.vcpuIndex = index;
    thread.slot = this.context.learnVcpu(index, thread.tid, thread.pid, learnedFrom);
  }

  /** perf names a thread in guest mode `[guest/PID]`, PID being its process. */
  private guestComm(thread: ThreadState, record: RawRecord): void {
    this.guestModeSeen = true;
    if (thread.pid >= 0) return;
    const { comm, commStart, commEnd } = record;
    const found = /^\[guest\/(\d{1,9})\]$/.exec(textOf(comm, commStart, commEnd));
    if (found !== null) this.learnPid(thread, Number(found[1]));
  }

  private learnPid(thread: ThreadState, pid: number): void {
    thread.pid = pid;
    if (thread.vcpuIndex >= 0) this.learn(thread, thread.vcpuIndex, 'process of its records');
  }

  private create(tid: number): ThreadState {
    if (this.byTid.size >= MAX_THREADS) {
      const kept = [...this.byTid].filter(([, thread]) => thread.slot >= 0);
      this.byTid = new Map(kept.length * 2 < MAX_THREADS ? kept : []);
      this.recent.fill(undefined);
    }
    const thread: ThreadState = {
      tid,
      pid: -1,
      slot: this.runVcpus ? this.context.slotOfThread(tid) : -1,
      vcpuIndex: -1,
      vcpuProved: false,
      comm: new Uint8Array(MAX_COMM),
      commLength: 0,
      told: undefined,
      toldStart: 0,
      pending: [],
    };
    this.byTid.set(tid, thread);
    return thread;
  }
}
