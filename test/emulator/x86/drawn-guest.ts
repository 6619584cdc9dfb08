import { x86RuleSet } from '../../../src/arch/rule-sets.ts';
import {
  X86_DEFAULTS,
  type X86Config,
  x86AccessResult,
} from '../../../src/emulator/x86/x86-config.ts';
import { type Pmi, X86Pmu } from '../../../src/emulator/x86/x86-pmu.ts';
import { EnginePerf } from './engine-under-test.ts';
import { hex, type PlainCall, PlainPerf } from './reference-perf.ts';

/** What was asked of perf, counted from the calls themselves. */
export interface Tally {
  create: number;
  release: number;
  reuse: number;
  period: number;
}

const shortPeriod = (value: string): string => (value === '0x1000000000000' ? '2^48' : value);

/** A perf call on a short line: "create 0 0xc0 2^48", "pause 0 0x5", "period 0 0xfff6", "enable 0", "release 0". */
function line(call: PlainCall): string {
  const words: (string | number)[] = [call.call, call.pmc];
  if (call.call === 'create') {
    words.push(call.config === '0x-1' ? 'vmetrics' : call.config!, shortPeriod(call.period!));
  }
  if (call.count !== undefined) words.push(call.count);
  if (call.value !== undefined) words.push(shortPeriod(call.value));
  if (call.ret !== undefined && call.ret !== 0) words.push('refused');
  if (call.err !== undefined) words.push('failed');
  return words.join(' ');
}

/** One guest drawn by hand: what it does, step by step, on the emulator over the plain fake perf. */
export class DrawnGuest {
  readonly pmu: X86Pmu;
  readonly perf: PlainPerf;
  readonly #out = x86AccessResult();

  constructor(rules: string, change: Partial<X86Config> = {}) {
    const config = { ...X86_DEFAULTS[change.vendor ?? 'intel'], ...change };
    const found = x86RuleSet(rules);
    if (found === undefined) throw new Error(`no rule set ${rules}`);
    this.perf = new PlainPerf(config.vendor);
    this.pmu = new X86Pmu(
      config,
      found,
      new EnginePerf(this.perf, found.attrType === 'hardware-or-raw'),
    );
    this.pmu.newVcpu();
    this.perf.onOverflow = (counter) => this.pmu.overflow(counter);
  }

  /** WRMSR without going back into the guest; false: #GP. */
  write(msr: number, value: bigint | number): boolean {
    this.pmu.wrmsr(msr, BigInt(value), this.#out);
    return !this.#out.undef;
  }

  /** WRMSR, then the guest runs on. */
  wrmsr(msr: number, value: bigint | number): Pmi {
    this.write(msr, value);
    return this.pmu.guestEnter();
  }

  /** RDMSR: the value, or "#GP". */
  read(msr: number): string {
    this.pmu.rdmsr(msr, this.#out);
    return this.#answer();
  }

  rdpmc(ecx: number, cpl = 0, pce = true): string {
    this.pmu.rdpmc(ecx, cpl, pce ? 1 : 0, this.#out);
    return this.#answer();
  }

  #answer(): string {
    if (this.#out.undef) return '#GP';
    if (this.#out.span !== 0n || this.#out.unknownBits !== 0n) throw new Error('not exact');
    return hex(this.#out.low);
  }

  enter(): Pmi {
    return this.pmu.guestEnter();
  }

  /** The guest runs and causes n of the event. */
  run(code: number, n: bigint | number, cpl = 3): void {
    this.perf.hardware(BigInt(code), cpl, BigInt(n), false);
  }

  /** The vCPU thread goes out and comes in, then the guest runs on. */
  slice(): Pmi {
    this.perf.schedule();
    this.pmu.scheduled();
    return this.pmu.guestEnter();
  }

  /** The perf calls since the last look. */
  calls(): string[] {
    const lines = this.perf.calls.slice(this.#looked).map(line);
    this.#looked = this.perf.calls.length;
    return lines;
  }
  #looked = 0;

  tally(): Tally {
    const count = (call: PlainCall['call']): number =>
      this.perf.calls.filter((one) => one.call === call && one.err === undefined).length;
    return {
      create: count('create'),
      release: count('release'),
      reuse: count('enable'),
      period: count('period'),
    };
  }
}
