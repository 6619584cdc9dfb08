import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import type { PerfAttr } from './attr.ts';

/** All of the time, in permyriad. */
const FULL = 10_000n;
const MAX_CPU = 32767;

/** What one event counted between two instants. */
export interface CountRow {
  readonly attr: PerfAttr;
  /** Its end, and how long it lasted; 0 unknown. ns. */
  readonly time: bigint;
  readonly length: bigint;
  readonly value: bigint;
  /** Time the event was enabled and on hardware within it, ns; −1 not recorded. */
  readonly enabled: bigint;
  readonly running: bigint;
  /** −1: all CPUs, any thread. */
  readonly cpu: number;
  readonly tid: number;
  readonly total: boolean;
}

/** Writes counts as events of kind `count`, as perf stat prints them. */
export class CountRows {
  written = 0;
  private readonly context: ImportContext;
  private readonly book: NoticeBook;
  private readonly nameIds = new Map<PerfAttr, number>();

  constructor(context: ImportContext, book: NoticeBook) {
    this.context = context;
    this.book = book;
  }

  write(row: CountRow): void {
    const { context, book } = this;
    const i = context.out.row();
    const { chunk } = context.out;
    chunk.kind[i] = EventKind.count;
    chunk.time[i] = BigInt.asUintN(64, row.time);
    chunk.code[i] = this.nameId(row.attr);
    chunk.object[i] = BigInt.asUintN(64, row.length);
    let { value } = row;
    let share = FULL;
    let flags: number = row.total ? EventFlag.total : 0;
    const { enabled, running } = row;
    if (enabled >= 0n && running >= 0n) {
      if (running === 0n) {
        flags |= EventFlag.notCounted;
        share = 0n;
        book.add('warning', 'not-counted', 'counts of events that did not run in the interval');
      } else if (running < enabled) {
        // What it would have been had it run all the time, as perf stat prints it.
        value = (value * enabled + running / 2n) / running;
        share = (running * FULL) / enabled;
        flags |= EventFlag.scaled;
        book.add('warning', 'scaled-count', 'counts scaled up by enabled / running: estimates');
      }
      chunk.aux1[i] = BigInt.asUintN(64, running);
    }
    chunk.value[i] = BigInt.asUintN(64, value);
    chunk.aux0[i] = share;
    if (row.cpu >= 0 && row.cpu <= MAX_CPU) {
      chunk.pcpu[i] = row.cpu;
      if (context.role === 'guest') {
        const { slot, ambiguous } = context.slotOfIndex(row.cpu, -1);
        chunk.vcpu[i] = slot;
        if (ambiguous) flags |= EventFlag.vcpuAmbiguous;
      }
    }
    if (row.tid > 0 && context.role !== 'guest') {
      chunk.tid[i] = row.tid;
      chunk.vcpu[i] = context.slotOfThread(row.tid);
    }
    chunk.flags[i] = flags;
    this.written++;
  }

  private nameId(attr: PerfAttr): number {
    let id = this.nameIds.get(attr);
    if (id === undefined) {
      const name = attr.name || `type ${attr.type} config 0x${attr.config.toString(16)}`;
      id = this.context.nameId(name);
      this.nameIds.set(attr, id);
    }
    return id;
  }
}
