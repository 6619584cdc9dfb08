import type { HostPerf } from '../../src/emulator/host-perf.ts';

/**
 * A second vPMU, written from the rules (semantics A, corrections, recorded differences of 6.1) in the plainest way and
 * sharing nothing with src/ but the HostPerf interface: bigints, Maps, register names, one rule after the other.
 */

export type Kernel = '2015' | '4.6' | '4.14' | '6.1' | '6.12';

export interface ReferenceSetup {
  kernel: Kernel;
  n: number;
  hostN: number;
  pmuVer: number;
  hostPmuVer: number;
  aarch32: boolean;
  el2: boolean;
  el3: boolean;
  ceid0: bigint;
  ceid1: bigint;
  identity: bigint;
}

export interface Answer {
  undef: boolean;
  warn: boolean;
  value: bigint;
}

export interface Form {
  el: 0 | 1;
  /** AArch32 access; `wide` the 64-bit form of PMCCNTR. */
  aa32: boolean;
  wide: boolean;
}

/** What a test asks of a plain vPMU, whichever rules it was written from. */
export interface PlainVpmu {
  readonly hasEvent: ReadonlySet<number>;
  /** Sample period each counter's last event has. */
  readonly periods: ReadonlyMap<number, bigint>;
  n: number;
  hasRun: boolean;
  irqLevel: number;
  irqPending: boolean;
  /** Stored state by name: `PMCR`, `counter3`, `type31`. */
  get(name: string): bigint;
  value(counter: number): bigint;
  reset(): void;
  /** The new sample period; undefined: perf goes on with the old one by itself. */
  overflow(counter: number): bigint | undefined;
  level(): 0 | 1;
  enter(): boolean;
  exit(): boolean;
  setPmcrByUser(value: bigint): void;
  setFilter(base: number, count: number, allow: boolean): number;
  refused(reg: string, write: boolean, form: Form): 'no' | 'undef' | 'warn';
  access(reg: string, write: boolean, written: bigint, form: Form): Answer;
}

const M32 = 0xffff_ffffn;
const M64 = 0xffff_ffff_ffff_ffffn;
const POISON = 0x1de7ec7edbadc0den;
const bit = (i: number | bigint): bigint => 1n << BigInt(i);
const E = 1n;
const P = 2n;
const C = 4n;
const LC = 0x40n;
const LP = 0x80n;

/** Name of the AArch64 register without suffix → [op0, op1, CRn, CRm, op2]; copied by hand from semantics A.2. */
export function encoding(reg: string): [number, number, number, number, number] {
  const indexed = /^(PMEVCNTR|PMEVTYPER)(\d+)$/.exec(reg);
  if (indexed !== null) {
    const n = Number(indexed[2]);
    return [3, 3, 14, (indexed[1] === 'PMEVCNTR' ? 8 : 12) + Math.floor(n / 8), n % 8];
  }
  const fixed: Record<string, [number, number, number, number, number]> = {
    PMCR: [3, 3, 9, 12, 0],
    PMCNTENSET: [3, 3, 9, 12, 1],
    PMCNTENCLR: [3, 3, 9, 12, 2],
    PMOVSCLR: [3, 3, 9, 12, 3],
    PMSWINC: [3, 3, 9, 12, 4],
    PMSELR: [3, 3, 9, 12, 5],
    PMCEID0: [3, 3, 9, 12, 6],
    PMCEID1: [3, 3, 9, 12, 7],
    PMCCNTR: [3, 3, 9, 13, 0],
    PMXEVTYPER: [3, 3, 9, 13, 1],
    PMXEVCNTR: [3, 3, 9, 13, 2],
    PMUSERENR: [3, 3, 9, 14, 0],
    PMINTENSET: [3, 0, 9, 14, 1],
    PMINTENCLR: [3, 0, 9, 14, 2],
    PMOVSSET: [3, 3, 9, 14, 3],
    PMMIR: [3, 0, 9, 14, 6],
    PMCCFILTR: [3, 3, 14, 15, 7],
  };
  return fixed[reg]!;
}

export class Reference implements PlainVpmu {
  readonly stored = new Map<string, bigint>();
  readonly hasEvent = new Set<number>();
  readonly periods = new Map<number, bigint>();
  n: number;
  hasRun = false;
  irqLevel = 0;
  irqPending = false;
  filter: { standard: boolean; exceptions: Map<number, boolean> } | undefined;
  readonly #setup: ReferenceSetup;
  readonly #perf: HostPerf;

  constructor(setup: ReferenceSetup, perf: HostPerf) {
    this.#setup = setup;
    this.#perf = perf;
    this.n = setup.n;
    this.reset();
  }

  get(name: string): bigint {
    return this.stored.get(name) ?? 0n;
  }

  valid(): bigint {
    return bit(31) | (bit(this.n) - 1n);
  }

  #old(): boolean {
    return this.#setup.kernel === '6.1';
  }

  // A.2 reset column; the events of the valid counters are folded and released first.
  reset(): void {
    for (let i = 0; i < 32; i++) if ((this.valid() & bit(i)) !== 0n) this.stop(i);
    const lc = this.#setup.aarch32 ? 0n : LC;
    this.stored.set('PMCR', (this.#old() ? 0xacn : 0n) | lc);
    this.stored.set('PMSELR', 0x1en);
    this.stored.set('PMUSERENR', 0n);
    for (const name of ['PMCNTEN', 'PMINTEN', 'PMOVS'])
      this.stored.set(name, POISON & this.valid());
    for (let i = 0; i < 31; i++) {
      this.stored.set(`counter${i}`, 0xdbadc0den);
      this.stored.set(`type${i}`, POISON & (this.#old() ? 0xc800ffffn : this.typeMask()));
    }
    this.stored.set('counter31', POISON);
    this.stored.set('type31', 0n);
    this.irqPending = false;
  }

  eventMask(): bigint {
    const version = this.#old() ? this.#setup.hostPmuVer : this.#setup.pmuVer;
    return version === 1 ? 0x3ffn : 0xffffn;
  }

  typeMask(): bigint {
    if (this.#old()) return bit(31) | bit(30) | bit(27) | this.eventMask();
    let mask = bit(31) | bit(30) | this.eventMask();
    if (this.#setup.el2) mask |= bit(27);
    if (this.#setup.el3) mask |= bit(29) | bit(28) | bit(26);
    return mask;
  }

  is64(i: number): boolean {
    return i === 31 || (!this.#old() && this.#setup.pmuVer >= 6);
  }

  overflow64(i: number): boolean {
    if (i === 31) return (this.get('PMCR') & LC) !== 0n;
    return !this.#old() && (this.get('PMCR') & LP) !== 0n;
  }

  value(i: number): bigint {
    let value = this.get(`counter${i}`);
    if (this.hasEvent.has(i)) value = (value + this.#perf.countLow(i)) & M64;
    return this.is64(i) ? value : value & M32;
  }

  release(i: number): void {
    if (!this.hasEvent.has(i)) return;
    this.#perf.disable(i);
    this.#perf.release(i);
    this.hasEvent.delete(i);
  }

  stop(i: number): void {
    if (!this.hasEvent.has(i)) return;
    this.stored.set(`counter${i}`, this.value(i));
    this.release(i);
  }

  period(i: number, value: bigint): bigint {
    if (this.#old() && i === 31 && !this.overflow64(31)) return -(value & M32) & M64;
    return this.is64(i) && this.overflow64(i) ? -value & M64 : -value & M32;
  }

  enabled(i: number): boolean {
    return (this.get('PMCR') & E) !== 0n && (this.get('PMCNTEN') & bit(i)) !== 0n;
  }

  allowed(event: number): boolean {
    return this.filter === undefined || (this.filter.exceptions.get(event) ?? this.filter.standard);
  }

  create(i: number): void {
    this.stop(i);
    const type = this.get(`type${i}`);
    const event = i === 31 ? 0x11 : Number(type & this.eventMask());
    if (event === 0 || event === 0x1e) return;
    if (!this.allowed(event)) return;
    const has = (b: number): boolean => (type & bit(b)) !== 0n;
    const samplePeriod = this.period(i, this.value(i));
    const made = this.#perf.create(i, {
      config: event,
      wide: this.is64(i),
      samplePeriod,
      periodKnown: true,
      excludeUser: this.#old() ? has(30) : has(30) !== has(28),
      excludeKernel: this.#old() ? has(31) : has(31) !== has(29),
      excludeKnown: true,
      disabled: !this.enabled(i),
    });
    if (!made) return;
    this.hasEvent.add(i);
    this.periods.set(i, samplePeriod);
  }

  setCounter(i: number, value: bigint, aa32: boolean): void {
    const name = `counter${i}`;
    if (this.#old()) {
      // reg += val − get(reg), then creation folds and releases.
      this.stored.set(name, (this.get(name) + value - this.value(i)) & M64);
    } else {
      this.release(i);
      const kept = aa32 && i !== 31 ? (this.get(name) & ~M32) | (value & M32) : value;
      this.stored.set(name, kept);
    }
    this.create(i);
  }

  enable(mask: bigint): void {
    if ((this.get('PMCR') & E) === 0n) return;
    for (let i = 0; i < 32; i++) {
      if ((mask & bit(i)) === 0n) continue;
      if (this.hasEvent.has(i)) this.#perf.enable(i);
      else this.create(i);
    }
  }

  disable(mask: bigint): void {
    for (let i = 0; i < 32; i++) {
      if ((mask & bit(i)) !== 0n && this.hasEvent.has(i)) this.#perf.disable(i);
    }
  }

  handlePmcr(value: bigint): void {
    let kept = value;
    if (!this.#old() && this.#setup.pmuVer < 6) kept &= ~LP;
    this.stored.set('PMCR', kept & ~(C | P));
    if ((kept & E) !== 0n) this.enable(this.get('PMCNTEN'));
    else this.disable(this.get('PMCNTEN'));
    if ((kept & C) !== 0n) this.setCounter(31, 0n, false);
    if ((kept & P) !== 0n) for (let i = 0; i < this.n; i++) this.setCounter(i, 0n, false);
  }

  increment(mask: bigint, event: bigint): void {
    if ((this.get('PMCR') & E) === 0n) return;
    for (let i = 0; i < 31; i++) {
      if ((mask & this.get('PMCNTEN') & bit(i)) === 0n) continue;
      if ((this.get(`type${i}`) & this.eventMask()) !== event) continue;
      let value = (this.get(`counter${i}`) + 1n) & M64;
      if (!this.is64(i)) value &= M32;
      this.stored.set(`counter${i}`, value);
      if ((this.overflow64(i) ? value : value & M32) !== 0n) continue;
      this.overflowed(i);
    }
  }

  overflowed(i: number): void {
    this.stored.set('PMOVS', this.get('PMOVS') | bit(i));
    if (i % 2 === 0 && i + 1 < 31 && !this.overflow64(i)) this.increment(bit(i + 1), 0x1en);
  }

  overflow(i: number): bigint {
    const period = this.period(i, this.#perf.countLow(i));
    this.periods.set(i, period);
    this.overflowed(i);
    if (this.level() === 1) this.irqPending = true;
    return period;
  }

  level(): 0 | 1 {
    const on = (this.get('PMCR') & E) !== 0n;
    return on && (this.get('PMOVS') & this.get('PMINTEN')) !== 0n ? 1 : 0;
  }

  enter(): boolean {
    if (!this.hasRun) {
      this.hasRun = true;
      this.handlePmcr(this.get('PMCR'));
      if (!this.#old()) {
        for (const name of ['PMCNTEN', 'PMINTEN', 'PMOVS']) {
          this.stored.set(name, this.get(name) & this.valid());
        }
      }
    }
    this.irqPending = false;
    return this.exit();
  }

  exit(): boolean {
    const changed = this.level() !== this.irqLevel;
    this.irqLevel = this.level();
    return changed;
  }

  setPmcrByUser(value: bigint): void {
    const n = Number((value >> 11n) & 0x1fn);
    if (this.#old()) {
      this.n = n;
      this.stored.set('PMCR', value & 0xffn);
      return;
    }
    if (!this.hasRun && n <= this.#setup.hostN) this.n = n;
    this.stored.set('PMCR', (value & 0xffn) | (this.#setup.aarch32 ? 0n : LC));
  }

  setFilter(base: number, count: number, allow: boolean): number {
    const space = this.#setup.hostPmuVer === 1 ? 0x400 : 0x10000;
    if (base + count > space) return -22;
    if (this.hasRun) return -16;
    this.filter ??= { standard: !allow, exceptions: new Map() };
    for (let i = 0; i < count; i++) this.filter.exceptions.set(base + i, allow);
    return 0;
  }

  /** PMUSERENR: may this access pass at EL0? */
  #user(reg: string, write: boolean, form: Form): boolean {
    if (form.el === 1) return true;
    const u = this.get('PMUSERENR');
    const en = (u & 1n) !== 0n;
    const sw = (u & 2n) !== 0n;
    const cr = (u & 4n) !== 0n;
    const er = (u & 8n) !== 0n;
    if (reg === 'PMUSERENR') return !write;
    if (reg === 'PMINTENSET' || reg === 'PMINTENCLR') return false;
    if (reg === 'PMSWINC') return sw || en;
    if (reg === 'PMSELR') return er || en;
    if (reg === 'PMCCNTR' && !form.wide) return write ? en : cr || en;
    if (reg === 'PMCCNTR' || reg === 'PMXEVCNTR' || reg.startsWith('PMEVCNTR')) {
      return write ? en : er || en;
    }
    return en;
  }

  /** Counter index behind a counter or type register; −1 for another register. */
  #index(reg: string): number {
    const own = /^PMEV(?:CNTR|TYPER)(\d+)$/.exec(reg);
    if (own !== null) return Number(own[1]);
    if (reg === 'PMCCNTR' || reg === 'PMCCFILTR') return 31;
    if (reg === 'PMXEVCNTR' || reg === 'PMXEVTYPER') return Number(this.get('PMSELR') & 0x1fn);
    return -1;
  }

  /** Whether an access is refused, and with a warning in the host's log. */
  refused(reg: string, write: boolean, form: Form): 'no' | 'undef' | 'warn' {
    if (reg === 'PMMIR') return 'no';
    if (write && reg.startsWith('PMCEID')) return 'warn';
    if (!this.#user(reg, write, form)) return 'undef';
    if (!write && reg === 'PMSWINC') return 'warn';
    const index = this.#index(reg);
    return index >= this.n && index !== 31 ? 'undef' : 'no';
  }

  access(reg: string, write: boolean, written: bigint, form: Form): Answer {
    const refused = this.refused(reg, write, form);
    if (refused !== 'no') return { undef: true, warn: refused === 'warn', value: 0n };
    const done = (value = 0n): Answer => ({
      undef: false,
      warn: false,
      value: form.aa32 && !form.wide ? value & M32 : value,
    });
    if (reg === 'PMMIR') return done();
    const index = this.#index(reg);
    const value = form.aa32 && !form.wide ? written & M32 : written;
    if (reg.includes('CNTR')) {
      if (!write) return done(this.value(index));
      this.setCounter(index, value, form.aa32);
      return done();
    }
    if (index >= 0) {
      if (!write) return done(this.get(`type${index}`));
      this.stored.set(`type${index}`, value & this.typeMask());
      this.create(index);
      return done();
    }
    return done(write ? this.#writePlain(reg, value) : this.#readPlain(reg));
  }

  #readPlain(reg: string): bigint {
    switch (reg) {
      case 'PMCR': {
        const high = this.#old() ? this.#setup.identity : 0n;
        return high | (BigInt(this.n) << 11n) | (this.get('PMCR') & ~(C | P));
      }
      case 'PMCEID0':
        return (this.#setup.ceid0 | (this.#old() ? 0n : bit(30))) & this.#ceidFilter(0);
      case 'PMCEID1': {
        const hidden = this.#old() ? bit(31) : bit(31) | bit(30) | bit(29);
        return this.#setup.ceid1 & ~hidden & this.#ceidFilter(32);
      }
      case 'PMSELR':
        return this.get('PMSELR') & 0x1fn;
      case 'PMUSERENR':
        return this.get('PMUSERENR');
      default:
        return this.get(reg.replace(/(SET|CLR)$/, ''));
    }
  }

  #ceidFilter(base: number): bigint {
    if (this.filter === undefined) return M64;
    let mask = 0n;
    const long = this.eventMask() > 0x3ffn;
    for (let i = 0; i < 32; i++) {
      if (this.allowed(base + i)) mask |= bit(i);
      if (long && this.allowed(0x4000 + base + i)) mask |= bit(32 + i);
    }
    return mask;
  }

  #writePlain(reg: string, value: bigint): bigint {
    const masked = value & this.valid();
    switch (reg) {
      case 'PMCR':
        this.handlePmcr((value & 0xffn) | (this.#setup.aarch32 ? 0n : LC));
        break;
      case 'PMCNTENSET':
        this.stored.set('PMCNTEN', this.get('PMCNTEN') | masked);
        this.enable(masked);
        break;
      case 'PMCNTENCLR':
        this.stored.set('PMCNTEN', this.get('PMCNTEN') & ~masked);
        this.disable(masked);
        break;
      case 'PMINTENSET':
      case 'PMOVSSET':
        this.stored.set(reg.slice(0, -3), this.get(reg.slice(0, -3)) | masked);
        break;
      case 'PMINTENCLR':
      case 'PMOVSCLR':
        this.stored.set(reg.slice(0, -3), this.get(reg.slice(0, -3)) & ~masked);
        break;
      case 'PMSWINC':
        this.increment(masked, 0n);
        break;
      case 'PMSELR':
        this.stored.set('PMSELR', value);
        break;
      case 'PMUSERENR':
        this.stored.set('PMUSERENR', value & 0xfn);
        break;
      default:
        throw new Error(`no rule for a write of ${reg}`);
    }
    return 0n;
  }
}
