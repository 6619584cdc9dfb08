import type { X86Vcpu } from './x86-vcpu.ts';

/** AMD: PERF_CTLn at 0xc0010200 + 2n, PERF_CTRn one above; the K7 aliases are not used by hosts that have these. */
const FIRST = 0xc001_0200;
/** Most counters a core has (CPUID 0x80000022 EBX[3:0]). */
const INDICES = 16;
/** Physical CPUs told apart; records of others are no evidence. */
const MAX_PCPUS = 1024;

/** Values of an AMD counter. */
const WRAP = 2 ** 48;

const EN = 1 << 22;
const GUEST_ONLY_HIGH = 1 << 8;
/** Event, umask, USR, OS, edge, inv, cmask in the low half; event bits 35:32 in the high half. */
const COUNTED_LOW = 0xff87_ffff | 0;
const COUNTED_HIGH = 0xf;

const NOBODY = -1;

/** Life of what is on a hardware counter. */
const Phase = {
  /** An event is on it, also while perf has all counters off for a moment. */
  settled: 0,
  /** It was read out while its selector was off: its event was taken off. */
  stopped: 1,
  /** Its value was written while its selector was off: an event is being put there. */
  starting: 2,
  /** A GuestOnly event was put there since the last exit of the vCPU in `vcpu`: whose is not decided. */
  fresh: 3,
} as const;

/**
 * What the physical CPUs' performance counters hold, as the host's own RDMSR, WRMSR and RDPMC records show it, and which
 * guest counter's event each counts. perf writes a counter's start and then its selector when it puts an event there;
 * the guest counter is the one whose selector and value such a start fits. Only GuestOnly events can be KVM's.
 *
 * perf starts an event so that the counter overflows after what is left of its period, at most 2^47 − 1. What is left of
 * a guest's event is what its counter lacks to 2^48: the start is the guest's value, or LONGEST_START for smaller ones.
 */
export class HardwareCounters {
  readonly buffer: ArrayBuffer;
  private readonly pcpus: number;
  /** Last selector written, in halves. */
  private readonly low: Int32Array;
  private readonly high: Int32Array;
  /** Value written last, and seen last. */
  private readonly start: Float64Array;
  private readonly raw: Float64Array;
  /** Slot of the vCPU and number of the guest counter, NOBODY: not a guest's or not known. */
  private readonly vcpu: Int16Array;
  private readonly counter: Int8Array;
  private readonly phase: Uint8Array;
  private readonly vcpuOf: (slot: number) => X86Vcpu | undefined;

  /** `pcpus`: physical CPUs of the host, as far as they were recorded. */
  constructor(pcpus: number, vcpuOf: (slot: number) => X86Vcpu | undefined) {
    this.vcpuOf = vcpuOf;
    this.pcpus = Math.min(pcpus, MAX_PCPUS);
    const n = this.pcpus * INDICES;
    this.buffer = new ArrayBuffer(n * 28);
    this.start = new Float64Array(this.buffer, 0, n);
    this.raw = new Float64Array(this.buffer, 8 * n, n);
    this.low = new Int32Array(this.buffer, 16 * n, n);
    this.high = new Int32Array(this.buffer, 20 * n, n);
    this.vcpu = new Int16Array(this.buffer, 24 * n, n);
    this.counter = new Int8Array(this.buffer, 26 * n, n);
    this.phase = new Uint8Array(this.buffer, 27 * n, n);
    this.forget();
  }

  /** Nothing is known: before the first record, and after lost ones. */
  forget(): void {
    this.start.fill(0);
    this.raw.fill(0);
    this.low.fill(0);
    this.high.fill(0);
    this.vcpu.fill(NOBODY);
    this.counter.fill(NOBODY);
    this.phase.fill(Phase.settled);
  }

  /** Place of MSR `code` of a physical CPU: 2 × (pcpu × INDICES + n) for PERF_CTLn, one more for PERF_CTRn; −1 no such. */
  placeOfMsr(pcpu: number, code: number): number {
    const offset = code - FIRST;
    if (offset < 0 || offset >= 2 * INDICES || pcpu < 0 || pcpu >= this.pcpus) return -1;
    return 2 * INDICES * pcpu + offset;
  }

  /** Place of the counter RDPMC index `code` reads; −1 no such. */
  placeOfIndex(pcpu: number, code: number): number {
    if (code >= INDICES || pcpu < 0 || pcpu >= this.pcpus) return -1;
    return 2 * (INDICES * pcpu + code) + 1;
  }

  /** The host wrote a register at `place`; `running` is the vCPU of the thread that did, or none. */
  wrote(place: number, low: number, high: number, running: X86Vcpu | undefined): void {
    const at = place >> 1;
    if ((place & 1) === 1) this.counterWritten(at, (high & 0xffff) * 2 ** 32 + low);
    else this.selectorWritten(at, low | 0, high | 0, running);
  }

  /** The host read counter `place`. `byRdpmc`: perf takes counts by RDPMC, all else is looking. */
  read(
    place: number,
    low: number,
    high: number,
    byRdpmc: boolean,
    running: X86Vcpu | undefined,
  ): void {
    const at = place >> 1;
    if ((place & 1) === 0 || this.phase[at] === Phase.starting) return;
    this.raw[at] = (high & 0xffff) * 2 ** 32 + low;
    const owner = this.ownerOf(at);
    if (owner !== undefined) owner.perf.hardwareCount(this.counter[at]!, this.since(at));
    else if (byRdpmc && running !== undefined) running.places.saw = at;
    if (byRdpmc && (this.low[at]! & EN) === 0 && this.phase[at] === Phase.settled) {
      this.phase[at] = Phase.stopped;
    }
  }

  /** A guest read of `counter` was answered from the counter at `at`: counts begin at what it held. */
  tie(at: number, vcpu: X86Vcpu, counter: number): void {
    if ((this.high[at]! & GUEST_ONLY_HIGH) === 0 || this.counter[at] !== NOBODY) return;
    this.start[at] = this.raw[at]!;
    this.own(at, vcpu, counter);
    vcpu.perf.hardwareCount(counter, 0);
  }

  /**
   * Value at which the event of guest counter `i` was put on a hardware counter since the last exit; −1 when it was not,
   * or when that cannot be told.
   */
  restartOf(vcpu: X86Vcpu, i: number): number {
    let found = -1;
    const first = vcpu.pcpu * INDICES;
    for (let at = first; at < first + INDICES; at++) {
      if (!this.isFresh(at, vcpu) || !this.countsLike(at, vcpu.places.runningSelector(i))) continue;
      if (at % INDICES === vcpu.places.lastIndex[i]) return this.start[at]!;
      found = found < 0 ? this.start[at]! : -2;
    }
    return found;
  }

  /** The vCPU is about to enter its guest, its counters are programmed: decides whose the fresh events are. */
  decide(vcpu: X86Vcpu): void {
    const first = vcpu.pcpu * INDICES;
    if (first < 0 || vcpu.pcpu >= this.pcpus) return;
    for (let at = first; at < first + INDICES; at++) {
      if (!this.isFresh(at, vcpu)) continue;
      this.phase[at] = Phase.settled;
      this.vcpu[at] = NOBODY;
      const found = this.fitting(at, vcpu);
      if (found === NOBODY) continue;
      this.own(at, vcpu, found);
      vcpu.places.put(found, this.start[at]!);
    }
  }

  private isFresh(at: number, vcpu: X86Vcpu): boolean {
    return this.phase[at] === Phase.fresh && this.vcpu[at] === vcpu.slot;
  }

  private own(at: number, vcpu: X86Vcpu, counter: number): void {
    this.disown(vcpu.places.at[counter]!);
    this.vcpu[at] = vcpu.slot;
    this.counter[at] = counter;
    vcpu.places.at[counter] = at;
    vcpu.places.lastIndex[counter] = at % INDICES;
    vcpu.perf.hardwareStarted(counter);
  }

  private disown(at: number): void {
    if (at < 0 || this.counter[at] === NOBODY) return;
    const vcpu = this.vcpuOf(this.vcpu[at]!);
    if (vcpu !== undefined) vcpu.places.at[this.counter[at]!] = -1;
    this.vcpu[at] = NOBODY;
    this.counter[at] = NOBODY;
  }

  private since(at: number): number {
    const delta = this.raw[at]! - this.start[at]!;
    return delta < 0 ? delta + WRAP : delta;
  }

  private ownerOf(at: number): X86Vcpu | undefined {
    return this.counter[at] === NOBODY ? undefined : this.vcpuOf(this.vcpu[at]!);
  }

  private counterWritten(at: number, value: number): void {
    const owner = this.ownerOf(at);
    if ((this.low[at]! & EN) === 0) {
      // Off: whatever was here has been read out; an event is being put here.
      owner?.places.take(this.counter[at]!, this.start[at]!, this.raw[at]!);
      this.disown(at);
      this.vcpu[at] = NOBODY;
      this.phase[at] = Phase.starting;
    }
    this.start[at] = value;
    this.raw[at] = value;
    if (owner === undefined || this.phase[at] === Phase.starting) return;
    // It runs: the overflow handler starts the same event anew.
    owner.perf.hardwareStarted(this.counter[at]!);
    owner.places.reload(this.counter[at]!);
  }

  private selectorWritten(
    at: number,
    low: number,
    high: number,
    running: X86Vcpu | undefined,
  ): void {
    this.low[at] = low;
    this.high[at] = high;
    if ((low & EN) === 0) return;
    if (this.phase[at] === Phase.stopped) this.phase[at] = Phase.settled;
    if (this.phase[at] !== Phase.starting) return;
    const mayBeGuest = running !== undefined && (high & GUEST_ONLY_HIGH) !== 0;
    this.phase[at] = mayBeGuest ? Phase.fresh : Phase.settled;
    this.vcpu[at] = mayBeGuest ? running.slot : NOBODY;
  }

  private countsLike(at: number, selector: number): boolean {
    if (selector < 0) return false;
    const low = this.low[at]!;
    const high = this.high[at]!;
    return (
      ((selector ^ low) & COUNTED_LOW) === 0 &&
      ((Math.floor(selector / 2 ** 32) ^ high) & COUNTED_HIGH) === 0
    );
  }

  /** The one guest counter that an event started at `at` can be of. perf puts an event back where it was. */
  private fitting(at: number, vcpu: X86Vcpu): number {
    let found = NOBODY;
    let several = false;
    const { counters } = vcpu;
    for (let k = 0; k < counters.length; k++) {
      const i = counters[k]!;
      if (!this.countsLike(at, vcpu.places.runningSelector(i)) || this.isOn(vcpu.places.at[i]!))
        continue;
      if (!vcpu.places.fitsStart(i, this.start[at]!)) continue;
      if (vcpu.places.lastIndex[i] === at % INDICES) return i;
      several = found !== NOBODY;
      found = i;
    }
    return several ? NOBODY : found;
  }

  private isOn(at: number): boolean {
    return at >= 0 && this.phase[at] === Phase.settled;
  }
}
