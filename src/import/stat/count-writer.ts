import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { ImportContext } from '../importer.ts';
import type { StatNotices } from './notices.ts';
import type { StatCount } from './stat-count.ts';

/** What is known of the run of perf stat whose lines are being read. */
interface Run {
  /** End of the last interval, ns since the start of the run; 0n before the first. */
  end: bigint;
  /** Length of the interval that ends at `end`. */
  length: bigint;
  hasIntervals: boolean;
  /** Counts over the whole run seen so far, by event and owner: a repeated one belongs to the next run. */
  readonly totals: Set<string>;
  /** What each of those counts is for (a CPU, a thread …): one run prints all its totals alike. */
  totalsOf: string;
  closed: boolean;
}

/** Turns counter lines into events of kind `count`, placing them in time and telling the runs of perf stat apart. */
export class CountWriter {
  /** Counts written. */
  written = 0;
  /** Runs of perf stat seen. */
  runs = 1;
  private readonly context: ImportContext;
  private readonly notices: StatNotices;
  private readonly base: bigint;
  private run = freshRun();

  constructor(context: ImportContext, notices: StatNotices) {
    this.context = context;
    this.notices = notices;
    this.base = context.statStart ?? 0n;
  }

  /** What follows belongs to another run of perf stat (a `# started on` line, a new table). */
  startRun(line: number): void {
    if (!this.run.hasIntervals && this.run.totals.size === 0) return;
    this.run = freshRun();
    this.runs++;
    this.notices.add('several-runs', line);
  }

  /**
   * The rows of a finished table: counts over a whole run that lasted `elapsed` (ns), if it was printed; means of `runs`
   * such runs.
   */
  table(
    counts: readonly { count: StatCount; line: number }[],
    elapsed: bigint | undefined,
    runs: number,
  ): void {
    // With -I --summary the table sums up the intervals just read, else it is a run of its own.
    const summary = this.run.hasIntervals && !this.run.closed && this.run.totals.size === 0;
    if (!summary && counts.length > 0) this.startRun(counts[0]!.line);
    if (elapsed !== undefined) {
      this.run.end = elapsed;
      this.run.length = elapsed;
    }
    for (const { count, line } of counts) {
      // perf leaves out a deviation of 0.
      const spread = count.spread ?? (runs > 1 ? 0 : undefined);
      this.write({ ...count, spread }, line, true, runs);
    }
    this.run.closed = true;
  }

  /** One line outside of a table. */
  add(count: StatCount, line: number): void {
    const { run } = this;
    if (count.interval !== undefined) {
      if (run.closed || run.totals.size > 0 || count.interval < run.end) this.startRun(line);
      if (count.interval !== this.run.end || !this.run.hasIntervals) {
        this.run.length = count.interval - this.run.end;
        this.run.end = count.interval;
        this.run.hasIntervals = true;
      }
      this.write(count, line, false);
      return;
    }
    const again = run.totals.has(ownedEvent(count));
    const unlike = run.totals.size > 0 && run.totalsOf !== ownerKind(count);
    if (run.closed || again || unlike) this.startRun(line);
    this.write(count, line, true);
  }

  private write(count: StatCount, line: number, total: boolean, runs = 0): void {
    const { context, run } = this;
    if (total) {
      run.totals.add(ownedEvent(count));
      run.totalsOf = ownerKind(count);
    }
    const i = context.out.row();
    const { chunk } = context.out;
    chunk.kind[i] = EventKind.count;
    chunk.time[i] = BigInt.asUintN(64, this.base + run.end);
    chunk.code[i] = context.nameId(count.event);
    // A total is over everything up to its time.
    chunk.object[i] = total ? run.end : run.length;
    chunk.value[i] = typeof count.count === 'string' ? 0n : count.count.value;
    const ran = typeof count.count !== 'string';
    // perf prints 100.00 even for an event that never ran.
    chunk.aux0[i] = ran ? BigInt(count.running ?? FULL) : 0n;
    chunk.aux1[i] = ran ? (count.runtime ?? 0n) : 0n;
    let flags = this.flags(count, line);
    if (total) {
      flags |= EventFlag.total;
      if (run.end === 0n) this.notices.add('no-time', line);
    }
    chunk.flags[i] = flags;
    this.own(count, i, line);
    this.written++;
    if (count.spread !== undefined && ran) this.spread(count.event, count.spread, runs, i);
  }

  /** How far the mean in row `of` may be off; `runs` 0: not printed. */
  private spread(event: string, permyriad: number, runs: number, of: number): void {
    const { out } = this.context;
    const { time, pcpu, vcpu, tid } = out.chunk;
    const same = { time: time[of]!, pcpu: pcpu[of]!, vcpu: vcpu[of]!, tid: tid[of]! };
    const i = out.row();
    const { chunk } = out;
    chunk.kind[i] = EventKind.countSpread;
    chunk.time[i] = same.time;
    chunk.pcpu[i] = same.pcpu;
    chunk.vcpu[i] = same.vcpu;
    chunk.tid[i] = same.tid;
    chunk.code[i] = this.context.nameId(event);
    chunk.value[i] = BigInt(permyriad);
    chunk.aux0[i] = BigInt(runs);
  }

  private flags(count: StatCount, line: number): number {
    const { notices } = this;
    if (count.count === 'not-counted') {
      notices.add('not-counted', line);
      return EventFlag.notCounted;
    }
    if (count.count === 'not-supported') {
      notices.add('not-supported', line);
      return EventFlag.notSupported;
    }
    let flags = 0;
    const mean = count.spread !== undefined;
    if (mean) notices.add('mean-of-runs', line);
    if (mean || count.count.rounded) {
      flags |= EventFlag.rounded;
      notices.add('rounded-count', line);
    }
    if (count.running !== undefined && count.running < FULL) {
      flags |= EventFlag.scaled;
      notices.add('scaled-count', line);
    }
    return flags;
  }

  /** CPU, thread and vCPU of the count. */
  private own(count: StatCount, i: number, line: number): void {
    const { context } = this;
    const { chunk } = context.out;
    if (count.aggregate !== undefined) this.notices.add('aggregated-cpus', line);
    if (count.cpu !== undefined) {
      chunk.pcpu[i] = count.cpu;
      // The guest's CPU n is its vCPU n; which slot that is may not be known yet, the CPU number stays.
      if (context.role === 'guest') {
        const { slot, ambiguous } = context.slotOfIndex(count.cpu, -1);
        chunk.vcpu[i] = slot;
        if (ambiguous) chunk.flags[i] = chunk.flags[i]! | EventFlag.vcpuAmbiguous;
      }
    }
    if (count.thread === undefined) return;
    if (context.role === 'guest') {
      this.notices.add('guest-thread', line);
      return;
    }
    const { tid, name } = count.thread;
    chunk.tid[i] = tid;
    context.threadName(tid, name);
    const vcpu = /^CPU (\d{1,4})\/KVM$/.exec(name);
    chunk.vcpu[i] = vcpu
      ? context.learnVcpu(Number(vcpu[1]), tid, -1, `thread name ${name}`)
      : context.slotOfThread(tid);
  }
}

const FULL = 10_000;

function freshRun(): Run {
  return {
    end: 0n,
    length: 0n,
    hasIntervals: false,
    totals: new Set(),
    totalsOf: '',
    closed: false,
  };
}

function ownedEvent({ event, cpu, thread, aggregate }: StatCount): string {
  return `${cpu ?? ''} ${thread?.tid ?? ''} ${aggregate ?? ''} ${event}`;
}

function ownerKind({ cpu, thread, aggregate }: StatCount): string {
  return `${cpu !== undefined} ${thread !== undefined} ${aggregate !== undefined}`;
}
