import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../domain/event-kind.ts';
import { U64_MAX } from '../domain/u64.ts';
import { AttrCollector } from './attr-collector.ts';
import { type CompiledRule, kindHasValue, Op } from './compiled-rule.ts';
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

/** Lowest address that is an error pointer (-4095 … -1). */
const ERROR_POINTER_HIGH = 0xffffffff;
const ERROR_POINTER_LOW = 0xfffff001;
const EXIT_ARM64 = 3 << 24;
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
  private readonly maxTime = new Uint32Array(2);
  private readonly attr: AttrCollector;
  /** Of the record being mapped: see takeRest. */
  private code = 0;
  private given = 0;
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
    if (rule.pair >= 0 && !rule.isEntry && !joinHalf(rule, thread, record)) {
      outcome = Outcome.unjoined;
    }
    const present = record.present;
    if ((present & rule.required) !== rule.required) return Outcome.incomplete;

    const s = rule.select;
    const second = s >= 0 && ((present >>> s) & 1) === 1 && (low[s]! | high[s]!) !== 0;
    const kind = second ? rule.otherKind : rule.kind;
    if (kind === EventKind.other) return Outcome.keep;

    const i = this.base(kind, thread);
    // Mostly it tells nothing new of its thread.
    if (record.commEnd > record.commStart || thread.pid < 0) this.threads.ofRecord(record);
    const out = this.context.out;
    const chunk = out.chunk;
    const words = out.words;
    const w = 2 * i;
    const { wide, event, counter, vcpu, op0, ok, failed, code: plain, bits, rest } = rule.plan;
    for (let k = 0; k < wide.length; k++) {
      const step = wide[k]!;
      const n = step & 0xff;
      if (((present >>> n) & 1) === 0) continue;
      const into = words.payload[step >> 8]!;
      into[w + LOW] = low[n]!;
      into[w + HIGH] = high[n]!;
    }
    let flags = chunk.flags[i]! | rule.flags;
    if ((present >>> event) & 1) {
      if (high[event] === ERROR_POINTER_HIGH && low[event]! >= ERROR_POINTER_LOW) {
        flags |= EventFlag.failed;
      }
    }
    if ((present >>> counter) & 1 && low[counter]! < 128 && high[counter] === 0) {
      chunk.counter[i] = low[counter]!;
    }
    // Negative: an interrupt of no vCPU.
    let index = (present >>> vcpu) & 1 && low[vcpu]! < 32768 ? low[vcpu]! : -1;
    if ((present >>> ok) & 1 && low[ok] === 0) flags |= EventFlag.failed;
    if ((present >>> failed) & 1 && low[failed] !== 0) flags |= EventFlag.failed;
    let code = (present >>> plain) & 1 ? low[plain]! | 0 : 0;
    if ((present >>> op0) & 1) {
      code |= (low[op0]! & 3) << 14;
      if (low[op0] === 0) flags |= CP15_FLAGS;
    }
    for (let k = 0; k < bits.length; k++) {
      const step = bits[k]!;
      const n = step & 0xff;
      if ((present >>> n) & 1) code |= (low[n]! & 15) << (step >> 8);
    }
    let about = thread;
    let given = present;
    if (rest.length > 0) {
      this.about = thread;
      this.code = code;
      this.index = index;
      this.given = present;
      flags |= this.takeRest(rule, thread, i);
      about = this.about;
      index = this.index;
      code = this.code;
      given = this.given;
    }
    if (flags & CP15_FLAGS && (rule.flags & 0x30) === 0) {
      // 64-bit accesses have no CRn (KVM leaves it 0) and CRm c9.
      if (((code >> 7) & 15) === 0 && ((code >> 3) & 15) === 9) code |= CP15_WIDE;
    }
    if (kind === EventKind.eventCreate) code = this.attr.id();
    if (given !== present) {
      words.value[w + LOW] = 0;
      words.value[w + HIGH] = 0;
    }
    if ((given & rule.valueMask) === 0) {
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

  /** Fields that few rules have. Gives the flags they set; the others are in `code`, `given`, `index` and `about`. */
  private takeRest(rule: CompiledRule, thread: ThreadState, i: number): number {
    const record = this.record;
    const { low, high, present } = record;
    const { ops, args, plan } = rule;
    const chunk = this.context.out.chunk;
    const words = this.context.out.words;
    let flags = 0;
    let code = this.code;
    let codeSaysNothing = false;
    for (const n of plan.rest) {
      if (((present >>> n) & 1) === 0) continue;
      const lo = low[n]!;
      switch (ops[n]) {
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
        case Op.failedCall:
          if (lo === 0) break;
          flags |= EventFlag.failed;
          codeSaysNothing = true;
          break;
        case Op.valueGiven:
          if (lo === 0) this.given &= ~rule.valueMask;
          break;
        case Op.vcpu:
          // Negative: an interrupt of no vCPU.
          if (lo < 32768) this.index = lo;
          break;
        case Op.tid:
          if (lo !== record.tid >>> 0) {
            chunk.tid[i] = lo;
            this.about = this.threads.get(lo | 0);
          }
          break;
        case Op.op0:
          code |= (lo & 3) << 14;
          if (lo === 0) flags |= CP15_FLAGS;
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
      }
    }
    this.code = codeSaysNothing ? 0 : code;
    return flags;
  }

  /** Field n is the name of the task whose thread id is in field `tidField`. */
  private nameOf(tidField: number, n: number, thread: ThreadState): void {
    const record = this.record;
    if (((record.present >>> tidField) & 1) === 0) return;
    const tid = record.low[tidField]! | 0;
    const about = tid === thread.tid ? thread : this.threads.get(tid);
    this.threads.name(about, record.bytes, record.start[n]!, record.end[n]!);
  }
}
