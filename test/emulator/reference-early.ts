import type { BackingAttr, HostPerf } from '../../src/emulator/host-perf.ts';
import type { Answer, Form, PlainVpmu, ReferenceSetup } from './reference.ts';

const M32 = 0xffff_ffffn;
const M64 = 0xffff_ffff_ffff_ffffn;
const POISON = 0x1de7ec7edbadc0den;
const bit = (i: number | bigint): bigint => 1n << BigInt(i);
const [E, P, C, LC] = [1n, 2n, 4n, 0x40n];

/** What the draft asks perf for: [event number, type, config], searched from the top. By hand from its two tables. */
const DRAFT_MAPS: readonly [event: number, type: 'hardware' | 'hw-cache', config: number][] = [
  [0x11, 'hardware', 0],
  [0x08, 'hardware', 1],
  [0x04, 'hardware', 2],
  [0x03, 'hardware', 3],
  [0x10, 'hardware', 5],
  [0x04, 'hw-cache', 0x0],
  [0x03, 'hw-cache', 0x1_0000],
  [0x04, 'hw-cache', 0x100],
  [0x03, 'hw-cache', 0x1_0100],
  [0x12, 'hw-cache', 0x5],
  [0x10, 'hw-cache', 0x1_0005],
  [0x12, 'hw-cache', 0x105],
  [0x10, 'hw-cache', 0x1_0105],
];

/**
 * The vPMU of Linux 4.6 to 5.2 and of the 2015 draft in the plainest way, from section B and C of
 * docs/semantics-arm64.md: a second time and differently from src/, as `Reference` is for later kernels.
 */
export class EarlyReference implements PlainVpmu {
  readonly stored = new Map<string, bigint>();
  readonly hasEvent = new Set<number>();
  readonly periods = new Map<number, bigint>();
  n: number;
  hasRun = false;
  irqLevel = 0;
  irqPending = false;
  readonly #setup: ReferenceSetup;
  readonly #perf: HostPerf;
  /** The cycle counter's mask (4.6: grows once PMCR.LC was written). */
  #cycleMask = M32;
  /** The draft's own record of what a counter was programmed for; 0xff: nothing yet. */
  readonly #selected = new Map<number, number>();

  constructor(setup: ReferenceSetup, perf: HostPerf) {
    this.#setup = setup;
    this.#perf = perf;
    this.n = setup.n;
    this.reset();
  }

  get(name: string): bigint {
    return this.stored.get(name) ?? 0n;
  }

  #draft(): boolean {
    return this.#setup.kernel === '2015';
  }

  valid(): bigint {
    return bit(31) | (bit(this.n) - 1n);
  }

  // The registers first, then the events: what a live event counted ends up on top of the reset value (4.6).
  reset(): void {
    this.stored.set('PMCR', 0x2cn);
    this.stored.set('PMSELR', POISON);
    this.stored.set('PMUSERENR', 0n);
    for (const name of ['PMCNTEN', 'PMINTEN', 'PMOVS']) this.stored.set(name, POISON);
    if (this.#draft()) this.stored.set('PMOVS', 0n);
    for (let i = 0; i < 32; i++) {
      if (!this.#draft()) this.stored.set(`counter${i}`, POISON);
      this.stored.set(`type${i}`, this.#draft() ? 0xffn : i === 31 ? 0n : POISON & this.typeMask());
    }
    for (let i = 0; i < 32; i++) {
      this.stop(i);
      this.#selected.set(i, 0xff);
    }
    this.#cycleMask = M32;
    this.irqPending = false;
  }

  eventMask(): bigint {
    return this.#setup.kernel === '4.14' ? 0xffffn : 0x3ffn;
  }

  typeMask(): bigint {
    return bit(31) | bit(30) | bit(27) | this.eventMask();
  }

  mask(i: number): bigint {
    return i === 31 ? this.#cycleMask : M32;
  }

  value(i: number): bigint {
    const count = this.hasEvent.has(i) ? this.#perf.countLow(i) : 0n;
    return (this.get(`counter${i}`) + count) & this.mask(i);
  }

  stop(i: number): void {
    if (!this.hasEvent.has(i)) return;
    // The draft forgets the count; 4.6 folds it.
    if (!this.#draft()) this.stored.set(`counter${i}`, this.value(i));
    this.#perf.disable(i);
    this.#perf.release(i);
    this.hasEvent.delete(i);
  }

  enabled(i: number): boolean {
    return (this.get('PMCR') & E) !== 0n && (this.get('PMCNTEN') & bit(i)) !== 0n;
  }

  /** A write of PMEVTYPER, PMXEVTYPER or PMCCFILTR. */
  setType(i: number, data: bigint): void {
    const event = Number(data & this.eventMask());
    if (this.#draft()) {
      if (event !== this.#selected.get(i)) {
        this.stop(i);
        this.#selected.set(i, event);
        this.#create(i, data, event);
      }
    } else {
      this.stop(i);
      const cycles = i === 31 && this.#setup.kernel === '4.14';
      if (event !== 0 || cycles) this.#create(i, data, cycles ? 0x11 : event);
    }
    this.stored.set(`type${i}`, data & this.typeMask());
  }

  #create(i: number, data: bigint, event: number): void {
    const has = (b: number): boolean => (data & bit(b)) !== 0n;
    const samplePeriod = -this.value(i) & this.mask(i);
    const attr: BackingAttr = {
      config: event,
      wide: false,
      samplePeriod,
      periodKnown: true,
      excludeUser: has(30),
      excludeKernel: has(31),
      excludeKnown: true,
      disabled: !this.enabled(i),
    };
    if (this.#draft()) {
      const row = DRAFT_MAPS.find(([number]) => number === event);
      if (row !== undefined) [, attr.type, attr.config] = row;
      attr.excludeHv = !has(27);
      attr.disabled = false;
    }
    if (!this.#perf.create(i, attr)) return;
    this.hasEvent.add(i);
    this.periods.set(i, samplePeriod);
  }

  setCounter(i: number, value: bigint): void {
    const name = `counter${i}`;
    this.stored.set(name, (this.get(name) + value - this.value(i)) & M64);
  }

  enable(mask: bigint): void {
    if ((this.get('PMCR') & E) === 0n) return;
    for (const i of [...this.hasEvent].sort((a, b) => a - b)) {
      if ((mask & bit(i)) !== 0n) this.#perf.enable(i);
    }
  }

  disable(mask: bigint): void {
    for (const i of [...this.hasEvent].sort((a, b) => a - b)) {
      if ((mask & bit(i)) !== 0n) this.#perf.disable(i);
    }
  }

  handlePmcr(value: bigint): void {
    if ((value & E) !== 0n) this.enable(this.get('PMCNTEN') & this.valid());
    else this.disable(this.valid());
    if ((value & C) !== 0n) this.setCounter(31, 0n);
    if ((value & P) !== 0n) for (let i = 0; i < 31; i++) this.setCounter(i, 0n);
    if ((value & LC) !== 0n && !this.#draft()) this.#cycleMask = M64;
  }

  increment(mask: bigint): void {
    for (let i = 0; i < 31; i++) {
      if ((mask & this.get('PMCNTEN') & bit(i)) === 0n) continue;
      if ((this.get(`type${i}`) & this.eventMask()) !== 0n) continue;
      const value = (this.get(`counter${i}`) + 1n) & M32;
      this.stored.set(`counter${i}`, value);
      if (value === 0n) this.stored.set('PMOVS', this.get('PMOVS') | bit(i));
    }
  }

  /** The period stays what it was: perf re-arms by itself. */
  overflow(i: number): undefined {
    this.stored.set('PMOVS', this.get('PMOVS') | bit(i));
    if (this.level() === 1) this.irqPending = true;
  }

  level(): 0 | 1 {
    const line = this.get('PMOVS') & this.get('PMCNTEN') & this.get('PMINTEN') & this.valid();
    return (this.get('PMCR') & E) !== 0n && line !== 0n ? 1 : 0;
  }

  enter(): boolean {
    this.hasRun = true;
    this.irqPending = false;
    return this.exit();
  }

  exit(): boolean {
    const changed = this.level() !== this.irqLevel;
    this.irqLevel = this.level();
    return changed;
  }

  setPmcrByUser(value: bigint): void {
    this.n = Number((value >> 11n) & 0x1fn);
    this.stored.set('PMCR', value & 0x7fn);
  }

  setFilter(): number {
    return -6;
  }

  #index(reg: string): number {
    const own = /^PMEV(?:CNTR|TYPER)(\d+)$/.exec(reg);
    if (own !== null) return Number(own[1]);
    if (reg === 'PMCCNTR' || reg === 'PMCCFILTR') return 31;
    if (reg === 'PMXEVCNTR' || reg === 'PMXEVTYPER') return Number(this.get('PMSELR') & 0x1fn);
    return -1;
  }

  /** PMUSERENR by bits: EN 1, SW 2, CR 4, ER 8. */
  #user(reg: string, write: boolean, form: Form): boolean {
    if (form.el === 1) return true;
    if (reg === 'PMUSERENR') return !write;
    if (reg.startsWith('PMINTEN')) return false;
    let bits = 1n;
    if (reg === 'PMSWINC') bits |= 2n;
    else if (reg === 'PMSELR') bits |= 8n;
    else if (reg.includes('CNTR') && !write) bits |= reg === 'PMCCNTR' && !form.wide ? 4n : 8n;
    return (this.get('PMUSERENR') & bits) !== 0n;
  }

  refused(reg: string, write: boolean, form: Form): 'no' | 'undef' | 'warn' {
    if (reg === 'PMMIR' || (write && reg.startsWith('PMCEID'))) return 'undef';
    if (!this.#user(reg, write, form) || (!write && reg === 'PMSWINC')) return 'undef';
    const index = this.#index(reg);
    return index >= this.n && index !== 31 ? 'undef' : 'no';
  }

  access(reg: string, write: boolean, written: bigint, form: Form): Answer {
    if (this.refused(reg, write, form) !== 'no') return { undef: true, warn: false, value: 0n };
    const half = form.aa32 && !form.wide;
    const index = this.#index(reg);
    let value = 0n;
    if (!write) value = this.#read(reg, index);
    else this.#write(reg, index, half ? written & M32 : written);
    return { undef: false, warn: false, value: half ? value & M32 : value };
  }

  #read(reg: string, index: number): bigint {
    if (reg.includes('CNTR')) return this.value(index);
    if (index >= 0) return this.get(`type${index}`);
    switch (reg) {
      case 'PMCR':
        return this.#setup.identity | (BigInt(this.n) << 11n) | (this.get('PMCR') & ~(C | P));
      case 'PMCEID0':
        return this.#setup.ceid0;
      case 'PMCEID1':
        return this.#setup.ceid1;
      case 'PMSELR':
        return this.get('PMSELR') & 0x1fn;
      case 'PMUSERENR':
        return this.get('PMUSERENR');
      default:
        return this.get(reg.slice(0, -3)) & this.valid();
    }
  }

  #write(reg: string, index: number, value: bigint): void {
    const masked = value & this.valid();
    const name = reg.slice(0, -3);
    if (reg.includes('CNTR')) this.setCounter(index, value);
    else if (index >= 0) this.setType(index, value);
    else if (reg === 'PMCR') {
      this.stored.set('PMCR', value & 0x7fn);
      this.handlePmcr(value & 0x7fn);
    } else if (reg === 'PMSELR') this.stored.set('PMSELR', value);
    else if (reg === 'PMUSERENR') this.stored.set('PMUSERENR', value & 0xfn);
    else if (reg === 'PMSWINC') this.increment(masked);
    else if (reg.endsWith('SET')) {
      this.stored.set(name, this.get(name) | masked);
      if (name === 'PMCNTEN') this.enable(masked);
    } else {
      this.stored.set(name, this.get(name) & ~masked);
      if (name === 'PMCNTEN') this.disable(masked);
    }
  }
}
