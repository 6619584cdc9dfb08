import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../domain/event-kind.ts';
import { U64_MAX } from '../domain/u64.ts';
import { AttrCollector } from './attr-collector.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { Op } from './field-op.ts';
import { CODE_BITS, HAS_VALUE } from './field-plan.ts';
import { joinHalf, keepHalf } from './halves.ts';
import { HIGH, type ImportContext, LOW } from './importer.ts';
import type { RawRecord } from './raw-record.ts';
import { type ThreadState, Threads } from './threads.ts';

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

/** Lowest address that is an error pointer (−4095 … −1). */
const ERROR_POINTER = -4095;
/** Flips the order of signed numbers to that of unsigned ones. */
const SIGN = 1 << 31;
/** Bit 16 of a cp15 code: a 64-bit (MCRR, MRRC) access. */
const CP15_WIDE = 1 << 16;
const CP15_FLAGS = spaceFlags(RegisterSpace.cp15);

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
  private readonly maxTime = new Int32Array(2);
  private readonly attr: AttrCollector;
  /** Of the record being mapped: see takeRest. */
  private code = 0;
  private valueGiven = true;
  private index = -1;
  private about: ThreadState | undefined;

  constructor(context: ImportContext, record: RawRecord) {
    this.context = context;
    this.record = record;
    this.attr = new AttrCollector(context);
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
    const maxHigh = max[1]!;
    if (high === maxHigh ? (low ^ SIGN) >= (max[0]! ^ SIGN) : (high ^ SIGN) > (maxHigh ^ SIGN)) {
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
    if (rule.pair >= 0 && !rule.isEntry && !joinHalf(rule, thread, record)) {
      outcome = Outcome.unjoined;
    }
    const s = rule.select;
    const { present } = record;
    const second = s >= 0 && ((present >>> s) & 1) === 1 && (low[s]! | high[s]!) !== 0;
    const plan = second ? rule.otherPlans.get(present) : rule.plans.get(present);
    if (!plan.complete) return Outcome.incomplete;
    const { kind, wide, bits } = plan;
    if (kind === EventKind.other) return Outcome.keep;

    const i = this.base(kind, thread);
    if (this.threads.isNews(thread, record)) this.threads.learnFrom(thread, record);
    const out = this.context.out;
    const chunk = out.chunk;
    const { payload } = out.words;
    const w = 2 * i;
    for (let k = 0; k < wide.length; k++) {
      const step = wide[k]!;
      const n = step & 0xff;
      const into = payload[step >> 8]!;
      into[w + LOW] = low[n]!;
      into[w + HIGH] = high[n]!;
    }
    let flags = chunk.flags[i]! | plan.flags;
    const { event, counter, vcpu, op0 } = plan;
    if (high[event] === -1 && low[event]! >= ERROR_POINTER && low[event]! < 0) {
      flags |= EventFlag.failed;
    }
    if (low[plan.ok] === 0 || low[plan.failed] !== 0) flags |= EventFlag.failed;
    if (low[counter]! >>> 7 === 0 && high[counter] === 0) chunk.counter[i] = low[counter]!;
    // Negative: an interrupt of no vCPU.
    let index = low[vcpu]! >>> 15 === 0 ? low[vcpu]! : -1;
    let code = plan.code;
    for (let k = 0; k < bits.length; k += 3) {
      code |= (low[bits[k]!]! & bits[k + 1]!) << bits[k + 2]!;
    }
    if (low[op0] === 0) flags |= CP15_FLAGS;
    let about = thread;
    if (plan.rest.length > 0) {
      this.about = thread;
      this.code = code;
      this.index = index;
      this.valueGiven = true;
      flags |= this.takeRest(rule, plan.rest, thread, i);
      about = this.about;
      index = this.index;
      code = this.code;
      if (!this.valueGiven) {
        out.words.value[w + LOW] = 0;
        out.words.value[w + HIGH] = 0;
        if (HAS_VALUE[kind]) flags |= EventFlag.noValue;
      }
    }
    if (flags & CP15_FLAGS && (rule.flags & 0x30) === 0) {
      // 64-bit accesses have no CRn (KVM leaves it 0) and CRm c9.
      if (((code >> 7) & 15) === 0 && ((code >> 3) & 15) === 9) code |= CP15_WIDE;
    }
    if (kind === EventKind.eventCreate) code = this.attr.id();
    chunk.code[i] = code;
    if (index >= 0 && this.threads.runVcpus) {
      if (rule.onVcpuThread && (thread.vcpuIndex !== index || !thread.vcpuProved)) {
        const field = rule.fields[rule.ops.indexOf(Op.vcpu)];
        this.threads.prove(thread, index, `${field}= of ${rule.rule.name}`);
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
    if (rule.isEntry) keepHalf(rule, thread, record);
    return outcome;
  }

  /** Fields that few rules have. Gives the flags they set; the rest is in `code`, `valueGiven`, `index` and `about`. */
  private takeRest(
    { ops, args }: CompiledRule,
    fields: Uint8Array,
    thread: ThreadState,
    i: number,
  ): number {
    const record = this.record;
    const { low, high } = record;
    const chunk = this.context.out.chunk;
    const words = this.context.out.words;
    let flags = 0;
    let code = this.code;
    let codeSaysNothing = false;
    for (const n of fields) {
      const lo = low[n]!;
      switch (ops[n]) {
        case Op.counter:
          if (lo >>> 7 === 0 && high[n] === 0) chunk.counter[i] = lo;
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
        case Op.failedCall:
          if (lo === 0) break;
          flags |= EventFlag.failed;
          codeSaysNothing = true;
          break;
        case Op.valueGiven:
          if (lo === 0) this.valueGiven = false;
          break;
        case Op.vcpu:
          // Negative: an interrupt of no vCPU.
          if (lo >>> 15 === 0) this.index = lo;
          break;
        case Op.tid:
          if (lo !== record.tid) {
            chunk.tid[i] = lo;
            this.about = this.threads.get(lo);
          }
          break;
        case Op.exitReason:
          code |= lo >>> 24 === 1 || lo >>> 24 === 2 ? lo : lo & 0xffffff;
          break;
        case Op.taskState:
          code = lo & 0xff;
          if (lo >>> 8 !== 0) flags |= EventFlag.preempted;
          break;
        case Op.deliveryMode:
          words.value[2 * i + LOW] = (lo >>> 8) & 7;
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
          this.attr.field(ops[n]!, args[n]!, lo, high[n]!);
          break;
        default:
          // Where another field sets the code as a whole, their order counts.
          code |= (lo & CODE_BITS[ops[n]!]!) << args[n]!;
      }
    }
    this.code = codeSaysNothing ? 0 : code;
    return flags;
  }

  /** Field n is the name of the task whose thread id is in field `tidField`. */
  private nameOf(tidField: number, n: number, thread: ThreadState): void {
    const record = this.record;
    if (((record.present >>> tidField) & 1) === 0) return;
    const tid = record.low[tidField]!;
    const about = tid === thread.tid ? thread : this.threads.get(tid);
    this.threads.name(about, record.bytes, record.start[n]!, record.end[n]!);
  }
}
