import type { RecordingFacts } from '../../domain/log-facts.ts';
import type { NoticeBook } from '../notices.ts';
import { latin1, u32At } from './byte-source.ts';
import { type Option, OptionId, type TraceDat } from './description.ts';

/** trace-cmd's name for that clock when it asks for times in ns. */
const TSC_NS_CLOCK = 'tsc2nsec';
/** Clocks that do not count ns. */
const TICKS = new Set(['counter', 'uptime', 'ppc-tb', 'x86-tsc']);
/** Parts of an option named in a notice. */
const MAX_PARTS = 16;

/** Multiply, shift: how ticks become ns. */
export interface TickScale {
  readonly multiplier: bigint;
  readonly shift: bigint;
}

/** What the options tell: facts for the import row, the scale of the times, and notices. */
export class Options {
  readonly facts: { -readonly [K in keyof RecordingFacts]?: RecordingFacts[K] } = {};
  /** undefined: times are ns already, or nothing tells. */
  readonly scale: TickScale | undefined;
  private readonly book: NoticeBook;

  constructor(trace: TraceDat, book: NoticeBook) {
    this.book = book;
    const version = textOf(trace.options.findLast(({ id }) => id === OptionId.version));
    const tool = /^[\w.+-]{1,64}/.exec(version);
    const format = `trace.dat version ${trace.version}`;
    this.facts.toolVersion = tool === null ? format : `trace-cmd ${tool[0]}, ${format}`;
    this.uname(textOf(trace.options.findLast(({ id }) => id === OptionId.uname)));
    this.clock(trace);
    this.scale = this.scaleOf(trace);
    for (const option of trace.options) this.alignment(option);
    this.overruns(trace);
  }

  /** `Linux node 6.12.117+deb12-arm64 aarch64` */
  private uname(text: string): void {
    const words = text.trim().split(/\s+/);
    if (words.length < 4) return;
    const [, node, release] = words;
    const machine = words.at(-1)!;
    if (node !== undefined && node !== '(none)') this.facts.hostname = node;
    if (release !== undefined) this.facts.kernelRelease = release;
    if (/^(aarch64|arm64)/.test(machine)) this.facts.arch = 'arm64';
    else if (/^(x86_64|i[3-6]86|amd64)/.test(machine)) this.facts.arch = 'x86';
  }

  /** The clock in brackets of trace_clock, or the one the buffers name. */
  private clock(trace: TraceDat): void {
    const option = textOf(trace.options.findLast(({ id }) => id === OptionId.traceClock));
    const chosen = /\[([\w-]{1,32})\]/.exec(option)?.[1];
    const clocks = [...new Set(trace.buffers.map(({ clock }) => clock ?? ''))].filter(
      (clock) => clock !== '',
    );
    const clock = clocks[0] ?? chosen;
    if (clock !== undefined) this.facts.clock = clock;
    if (clocks.length > 1) {
      const text = `buffers with different clocks (${clocks.slice(0, MAX_PARTS).join(', ')}): their records are not in one order`;
      this.book.add('warning', 'several-clocks', text);
    }
  }

  private scaleOf(trace: TraceDat): TickScale | undefined {
    const { clock } = this.facts;
    if (clock === undefined || (!TICKS.has(clock) && clock !== TSC_NS_CLOCK)) return undefined;
    const option = trace.options.findLast(({ id }) => id === OptionId.tscToNs);
    if (option !== undefined && option.bytes.length >= 16 && clock !== 'counter') {
      const multiplier = u32At(option.bytes, 0);
      const shift = u32At(option.bytes, 4);
      if (multiplier > 0 && shift < 64) {
        const text = `times converted to ns: clock ${clock}, multiplied by ${multiplier}, shifted right by ${shift}, offset ${u64At(option.bytes, 8)} not added`;
        this.book.add('info', 'clock-converted', text);
        return { multiplier: BigInt(multiplier), shift: BigInt(shift) };
      }
    }
    const text = `clock ${clock} does not count ns and nothing tells its rate: ticks are taken as ns`;
    this.book.add('warning', 'time-unit-unknown', text);
    return undefined;
  }

  /** Numbers that a later alignment of clocks needs; none of them is applied to the times. */
  private alignment(option: Option): void {
    const { id, bytes } = option;
    switch (id) {
      case OptionId.date:
        this.keep(
          'clock-date',
          `option DATE (µs to the time of day, not added): ${textOf(option)}`,
        );
        break;
      case OptionId.offset:
        this.keep('clock-offset', `option OFFSET (ns, not added): ${textOf(option)}`);
        break;
      case OptionId.traceId:
        if (bytes.length >= 8) this.keep('trace-id', `trace id ${u64At(bytes, 0)}`);
        break;
      case OptionId.timeShift:
        this.timeShift(bytes);
        break;
      case OptionId.guest:
        this.guest(bytes);
        break;
    }
  }

  /** peer id, flags, CPUs; for each CPU a count, then times, offsets, scalings. */
  private timeShift(bytes: Uint8Array): void {
    if (bytes.length < 16) return;
    const cpus = u32At(bytes, 12);
    const parts: string[] = [];
    let at = 16;
    for (let cpu = 0; cpu < cpus && at + 4 <= bytes.length; cpu++) {
      const count = u32At(bytes, at);
      at += 4;
      if (count * 24 > bytes.length - at) break;
      if (count > 0 && parts.length < MAX_PARTS) {
        const time = u64At(bytes, at);
        const offset = BigInt.asIntN(64, u64At(bytes, at + 8 * count));
        const scaling = u64At(bytes, at + 16 * count);
        parts.push(`CPU ${cpu}: ${count} samples, the first at ${time} ${offset} ×${scaling}`);
      }
      at += count * 24;
    }
    const text = `option TIME_SHIFT (not applied): peer trace id ${u64At(bytes, 0)}, flags ${u32At(bytes, 8)}, ${cpus} CPUs; ${parts.join('; ')}`;
    this.keep('clock-time-shift', text);
  }

  /** name, trace id of the guest, CPUs; for each the number and the thread that runs it. */
  private guest(bytes: Uint8Array): void {
    const length = bytes.indexOf(0);
    if (length < 0 || bytes.length < length + 13) return;
    const count = u32At(bytes, length + 9);
    const threads: string[] = [];
    let at = length + 13;
    for (let i = 0; i < count && at + 8 <= bytes.length; i++, at += 8) {
      if (threads.length < MAX_PARTS) {
        threads.push(`${u32At(bytes, at)}: ${u32At(bytes, at + 4)}`);
      }
    }
    const name = printable(latin1(bytes.subarray(0, Math.min(length, 64))));
    const text = `guest ${name}: trace id ${u64At(bytes, length + 1)}, threads by CPU ${threads.join(', ')}`;
    this.keep('guest-trace', text);
  }

  /** What the kernel counted as lost (per_cpu/cpuN/stats), all CPUs together. */
  private overruns(trace: TraceDat): void {
    const parts: string[] = [];
    let total = 0;
    for (const option of trace.options) {
      if (option.id !== OptionId.cpuStat) continue;
      const text = textOf(option);
      const cpu = /^CPU: (\d{1,5})/m.exec(text)?.[1];
      const overwritten = Number(/^overrun: (\d{1,15})/m.exec(text)?.[1] ?? 0);
      const dropped = Number(/^dropped events: (\d{1,15})/m.exec(text)?.[1] ?? 0);
      if (overwritten + dropped === 0) continue;
      total += overwritten + dropped;
      if (parts.length < MAX_PARTS) {
        parts.push(`CPU ${cpu ?? '?'}: ${overwritten} overwritten, ${dropped} dropped`);
      }
    }
    if (total === 0) return;
    const text = `records the kernel says were lost (CPUSTAT): ${parts.join('; ')}`;
    this.book.add('warning', 'buffer-overrun', text, undefined, total);
  }

  private keep(code: string, text: string): void {
    this.book.add('info', code, printable(text), undefined, 1, text);
  }
}

function textOf(option: Option | undefined): string {
  if (option === undefined) return '';
  const end = option.bytes.indexOf(0);
  return latin1(end < 0 ? option.bytes : option.bytes.subarray(0, end)).trim();
}

function printable(text: string): string {
  return text.slice(0, 600).replace(/[^\x20-\x7eµ×]/g, '?');
}

function u64At(bytes: Uint8Array, at: number): bigint {
  return (BigInt(u32At(bytes, at + 4)) << 32n) | BigInt(u32At(bytes, at));
}
