import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../domain/event-kind.ts';
import { U64_MAX } from '../domain/u64.ts';
import { type CompiledRule, kindHasValue, Op } from './compiled-rule.ts';
import { HIGH, type ImportContext, LOW } from './importer.ts';
import type { RawRecord } from './raw-record.ts';
import { type Pending, type ThreadState, Threads } from './threads.ts';

/** Whether a record became the event its rule says. */
export const Outcome = {
  mapped: 0,
  /** A required field was missing: nothing was written. */
  incomplete: 1,
  /** Written, but the entry half it should take fields from was not in the recording. */
  unjoined: 2,
  /** The rule says to keep it by name: nothing was written. */
  keep: 3,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Lowest address that is an error pointer (-4095 … -1). */
const ERROR_POINTER_HIGH = 0xffffffff;
const ERROR_POINTER_LOW = 0xfffff001;
const EXIT_ARM64 = 3 << 24;
/** Bit 16 of a cp15 code: a 64-bit (MCRR, MRRC) access. */
const CP15_WIDE = 1 << 16;
const CP15_FLAGS = spaceFlags(RegisterSpace.cp15);
const MAX_CACHED_ATTRS = 4096;

/**
 * Turns decoded records into rows: one place for text and binary recordings. It also joins entry and return halves,
 * and knows which thread runs which vCPU.
 */
export class RecordMapper {
  readonly record: RawRecord;
  readonly threads: Threads;
  /** Records whose time was before an earlier one's. */
  timeBack = 0;
  private readonly context: ImportContext;
  /** Latest time so far: low half, high half. */
  private readonly maxTime = new Uint32Array(2);
  private readonly attrIds = new Map<string, number>();
  // The attr of the record being mapped.
  private attrSeen = false;
  private attrType = 0;
  private attrConfig1Low = 0;
  private attrConfig1High = 0;
  private attrFlagsLow = 0;
  private attrFlagsHigh = 0;
  private attrCpu = -1;
  private attrTask = -1;

  constructor(context: ImportContext, record: RawRecord) {
    this.context = context;
    this.record = record;
    this.threads = new Threads(context);
  }

  /** A row with what every record has: time, thread, CPU, vCPU of the thread. Returns its index. */
  base(kind: EventKind, thread: ThreadState): number {
    const record = this.record;
    const out = this.context.out;
    const i = out.row();
    const chunk = out.chunk;
    const time = out.words.time;
    const low = record.time[0]!;
    const high = record.time[1]!;
    time[2 * i + LOW] = low;
    time[2 * i + HIGH] = high;
    chunk.kind[i] = kind;
    chunk.pcpu[i] = record.pcpu;
    chunk.tid[i] = record.tid;
    chunk.vcpu[i] = thread.slot;
    const max = this.maxTime;
    if (high > max[1]! || (high === max[1]! && low >= max[0]!)) {
      max[0] = low;
      max[1] = high;
    } else {
      chunk.flags[i] = EventFlag.timeBack;
      this.timeBack++;
    }
    return i;
  }

  /** A record kept by its name. */
  other(name: number): void {
    const before = this.threads.get(this.record.tid);
    const i = this.base(EventKind.other, before);
    this.context.out.chunk.code[i] = name;
    const thread = this.threads.ofRecord(this.record);
    this.context.out.chunk.vcpu[i] = thread.slot;
  }

  /**
   * Records the recorder lost: at the time of the last record seen, or (`here`) at the time of `record`. `count` −1:
   * nobody knows how many.
   */
  lost(count: bigint | -1, pcpu: number, here: boolean): void {
    const out = this.context.out;
    const i = out.row();
    const time = here ? this.record.time : this.maxTime;
    out.words.time[2 * i + LOW] = time[0]!;
    out.words.time[2 * i + HIGH] = time[1]!;
    const chunk = out.chunk;
    chunk.kind[i] = EventKind.lost;
    chunk.pcpu[i] = pcpu;
    if (count === -1) chunk.flags[i] = EventFlag.noValue;
    else chunk.value[i] = count & U64_MAX;
  }

  /** `record` has the fields of `rule`: makes the event. */
  map(rule: CompiledRule): Outcome {
    const record = this.record;
    const { low, high } = record;
    const thread = this.threads.get(record.tid);
    let outcome: Outcome = Outcome.mapped;
    if (rule.pair >= 0 && !rule.isEntry && !this.join(rule, thread)) {
      outcome = Outcome.unjoined;
    }
    const present = record.present;
    if ((present & rule.required) !== rule.required) return Outcome.incomplete;

    const s = rule.select;
    const second = s >= 0 && ((present >>> s) & 1) === 1 && (low[s]! | high[s]!) !== 0;
    const kind = second ? rule.otherKind : rule.kind;
    if (kind === EventKind.other) return Outcome.keep;

    const i = this.base(kind, thread);
    this.threads.ofRecord(record);
    const out = this.context.out;
    const chunk = out.chunk;
    const words = out.words;
    const { ops, args } = rule;
    const w = 2 * i;
    let flags = chunk.flags[i]! | rule.flags;
    let code = 0;
    let index = -1;
    let about = thread;
    for (let n = 0, bits = present; bits !== 0 && n < ops.length; n++, bits >>>= 1) {
      if ((bits & 1) === 0) continue;
      const lo = low[n]!;
      switch (ops[n]) {
        case Op.value:
          words.value[w + LOW] = lo;
          words.value[w + HIGH] = high[n]!;
          break;
        case Op.event:
          if (high[n] === ERROR_POINTER_HIGH && lo >= ERROR_POINTER_LOW) flags |= EventFlag.failed;
          words.object[w + LOW] = lo;
          words.object[w + HIGH] = high[n]!;
          break;
        case Op.object:
          words.object[w + LOW] = lo;
          words.object[w + HIGH] = high[n]!;
          break;
        case Op.aux0:
          words.aux0[w + LOW] = lo;
          words.aux0[w + HIGH] = high[n]!;
          break;
        case Op.aux1:
          words.aux1[w + LOW] = lo;
          words.aux1[w + HIGH] = high[n]!;
          break;
        case Op.counter:
          if (lo < 128 && high[n] === 0) chunk.counter[i] = lo;
          break;
        case Op.code:
          code |= lo;
          break;
        case Op.state:
          code = lo;
          flags |= EventFlag.stateKnown;
          break;
        case Op.error:
          code = lo;
          if (lo !== 0) flags |= EventFlag.failed;
          break;
        case Op.ok:
          if (lo === 0) flags |= EventFlag.failed;
          break;
        case Op.failed:
          if (lo !== 0) flags |= EventFlag.failed;
          break;
        case Op.vcpu:
          // Negative: an interrupt of no vCPU.
          if (lo < 32768) index = lo;
          break;
        case Op.tid:
          if (lo !== record.tid >>> 0) {
            chunk.tid[i] = lo;
            about = this.threads.get(lo | 0);
          }
          break;
        case Op.op0:
          code |= (lo & 3) << 14;
          if (lo === 0) flags |= CP15_FLAGS;
          break;
        case Op.registerBits:
          code |= (lo & 15) << args[n]!;
          break;
        case Op.exitReason:
          code |= lo >>> 24 === 1 || lo >>> 24 === 2 ? lo : lo & 0xffffff;
          break;
        case Op.exitIsa:
          code |= (lo & 3) << 24;
          break;
        case Op.exitType:
          code |= ((lo & 0xff) << 8) | EXIT_ARM64;
          break;
        case Op.exitClass:
          code |= (lo & 0xff) | EXIT_ARM64;
          break;
        case Op.taskState:
          code = lo & 0xff;
          if (lo >= 0x100) flags |= EventFlag.preempted;
          break;
        case Op.deliveryMode:
          words.value[w + LOW] = (lo >>> 8) & 7;
          break;
        case Op.name:
          this.nameOf(args[n]!, n, thread);
          break;
        case Op.attrType:
        case Op.attrConfig1:
        case Op.attrFlags:
        case Op.attrBit:
        case Op.attrCpu:
        case Op.attrTask:
          this.attrField(ops[n]!, args[n]!, lo, high[n]!);
          break;
      }
    }
    if (flags & CP15_FLAGS && (rule.flags & 0x30) === 0) {
      // 64-bit accesses have no CRn (KVM leaves it 0) and CRm c9.
      if (((code >> 7) & 15) === 0 && ((code >> 3) & 15) === 9) code |= CP15_WIDE;
    }
    if (kind === EventKind.eventCreate) code = this.attrId();
    if ((present & rule.valueMask) === 0) {
      if (kindHasValue(kind)) flags |= EventFlag.noValue;
    } else if (kind === EventKind.read && flags & EventFlag.entry) {
      // What is in the register's place before a read is not what the read delivers.
      words.value[w + LOW] = 0;
      words.value[w + HIGH] = 0;
      flags |= EventFlag.noValue;
    }
    if (rule.timesMask !== 0 && (present & rule.timesMask) === rule.timesMask) {
      flags |= EventFlag.timesKnown;
    }
    chunk.code[i] = code;
    if (index >= 0 && this.threads.runVcpus) {
      if (rule.rule.onVcpuThread && thread.vcpuIndex !== index) {
        const field = rule.fields[rule.ops.indexOf(Op.vcpu)];
        this.threads.learn(thread, index, `${field}= of ${rule.rule.name}`);
      }
      if (thread.vcpuIndex === index) {
        chunk.vcpu[i] = thread.slot;
      } else {
        const named = this.context.slotOfIndex(index, thread.pid);
        chunk.vcpu[i] = named.slot;
        if (named.ambiguous) flags |= EventFlag.vcpuAmbiguous;
      }
    } else {
      chunk.vcpu[i] = about.slot;
    }
    chunk.flags[i] = flags;
    if (rule.isEntry) this.keep(rule, thread);
    return outcome;
  }

  /** Field n is the name of the task whose thread id is in field `tidField`. */
  private nameOf(tidField: number, n: number, thread: ThreadState): void {
    const record = this.record;
    if (((record.present >>> tidField) & 1) === 0) return;
    const tid = record.low[tidField]! | 0;
    const about = tid === thread.tid ? thread : this.threads.get(tid);
    this.threads.name(about, record.bytes, record.start[n]!, record.end[n]!);
  }

  /** Leaves the fields of an entry half with the thread. */
  private keep(rule: CompiledRule, thread: ThreadState): void {
    const { low, high, present } = this.record;
    const count = rule.join.length;
    let pending = thread.pending[rule.pair];
    if (pending === undefined || pending.to.length < count) {
      pending = {
        to: new Int32Array(count),
        low: new Uint32Array(count),
        high: new Uint32Array(count),
        identifies: new Uint8Array(count),
        count: 0,
      } satisfies Pending;
      thread.pending[rule.pair] = pending;
    }
    let kept = 0;
    for (const { from, to, identifies } of rule.join) {
      if (((present >>> from) & 1) === 0) continue;
      pending.to[kept] = to;
      pending.low[kept] = low[from]!;
      pending.high[kept] = high[from]!;
      pending.identifies[kept] = identifies ? 1 : 0;
      kept++;
    }
    pending.count = kept;
  }

  /**
   * Completes the record from the thread's entry half. False if something was needed and there is none; a half whose
   * identifying fields differ belongs to another call and is dropped.
   */
  private join(rule: CompiledRule, thread: ThreadState): boolean {
    const record = this.record;
    const pending = thread.pending[rule.pair];
    const all = (1 << rule.ops.length) - 1;
    if (pending === undefined || pending.count === 0) return record.present === all;
    const { to, low, high, identifies, count } = pending;
    pending.count = 0;
    for (let k = 0; k < count; k++) {
      const n = to[k]!;
      if (identifies[k] === 0 || ((record.present >>> n) & 1) === 0) continue;
      if (record.low[n] !== low[k] || record.high[n] !== high[k]) return false;
    }
    for (let k = 0; k < count; k++) {
      const n = to[k]!;
      if ((record.present >>> n) & 1) continue;
      record.low[n] = low[k]!;
      record.high[n] = high[k]!;
      record.present |= 1 << n;
    }
    return true;
  }

  private attrField(op: number, shift: number, low: number, high: number): void {
    if (!this.attrSeen) {
      this.attrSeen = true;
      this.attrType = 0;
      this.attrConfig1Low = 0;
      this.attrConfig1High = 0;
      this.attrFlagsLow = 0;
      this.attrFlagsHigh = 0;
      this.attrCpu = -1;
      this.attrTask = -1;
    }
    switch (op) {
      case Op.attrType:
        this.attrType = low;
        break;
      case Op.attrConfig1:
        this.attrConfig1Low = low;
        this.attrConfig1High = high;
        break;
      case Op.attrFlags:
        this.attrFlagsLow |= low;
        this.attrFlagsHigh |= high;
        break;
      case Op.attrBit:
        if (low !== 0) this.attrFlagsLow |= 1 << shift;
        break;
      case Op.attrCpu:
        this.attrCpu = low | 0;
        break;
      case Op.attrTask:
        this.attrTask = low | 0;
        break;
    }
  }

  /** Id of the attr the fields gave, 0 if they gave none. */
  private attrId(): number {
    if (!this.attrSeen) return 0;
    this.attrSeen = false;
    const config1 = u64(this.attrConfig1Low, this.attrConfig1High);
    const attrFlags = u64(this.attrFlagsLow, this.attrFlagsHigh);
    const key = `${this.attrType},${config1},${attrFlags},${this.attrCpu},${this.attrTask}`;
    const known = this.attrIds.get(key);
    if (known !== undefined) return known;
    const id = this.context.attrId({
      type: this.attrType,
      config1,
      attrFlags,
      cpu: this.attrCpu,
      task: this.attrTask,
    });
    if (this.attrIds.size >= MAX_CACHED_ATTRS) this.attrIds.clear();
    this.attrIds.set(key, id);
    return id;
  }
}

function u64(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
