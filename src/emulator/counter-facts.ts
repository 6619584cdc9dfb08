import { CYCLE_COUNTER, Evtyper, eventNumberMask, Pmcr, PmuVersion } from '../arch/arm64-bits.ts';
import { CHAIN, CPU_CYCLES, SW_INCR } from '../arch/arm64-events.ts';
import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import type { EventFilter } from './event-filter.ts';
import type { Pmuv3Config } from './pmuv3-config.ts';
import { CycleWidth, Misc, type Pmuv3State, Slot } from './pmuv3-state.ts';
import type { RegisterFile, Tri } from './register-file.ts';

/** True if the PMUVer number stands for PMUv3p5 or later. */
export function isV3p5(pmuVer: number): boolean {
  return pmuVer >= PmuVersion.v3p5 && pmuVer !== PmuVersion.impdef;
}

function eventMaskOf({ eventBitsBy }: Arm64RuleSet, config: Pmuv3Config): number {
  if (eventBitsBy === 10) return Evtyper.eventV30;
  if (eventBitsBy === 16) return Evtyper.event;
  return eventNumberMask(eventBitsBy === 'guest-pmuver' ? config.pmuVer : config.hostPmuVer);
}

/** What follows about a counter from registers, configuration and rule set, without its value. */
export class CounterFacts {
  /** Event numbers the guest's PMEVTYPER can hold. */
  eventMask = 0;
  /** Bits of PMEVTYPER that are kept (semantics A.4 step 1). */
  typeMask = 0;
  /** Bits that can be set in PMEVTYPER: those kept, and those of the reset value. */
  typeBits = 0;
  protected readonly state: Pmuv3State;
  protected readonly registers: RegisterFile;
  protected readonly rules: Arm64RuleSet;
  #filter: EventFilter | undefined;
  #wideEvents = false;
  /** The cycle counter's width where it never varies, 0 where it does. */
  readonly #cycleBits: number;

  constructor(state: Pmuv3State, registers: RegisterFile, rules: Arm64RuleSet) {
    this.state = state;
    this.registers = registers;
    this.rules = rules;
    this.#cycleBits = rules.cycleWidth === '64-once-lc' ? 0 : rules.cycleWidth;
  }

  configure(config: Pmuv3Config, filter: EventFilter): void {
    const { rules } = this;
    this.#filter = filter;
    this.#wideEvents = rules.wideEventCounters === 'guest-pmuver-3.5' && isV3p5(config.pmuVer);
    this.eventMask = eventMaskOf(rules, config);
    this.typeMask =
      (rules.typeBits.always |
        (config.el2 ? rules.typeBits.el2 : 0) |
        (config.el3 ? rules.typeBits.el3 : 0) |
        this.eventMask) >>>
      0;
    const reset = rules.typeResetMask === 'as-written' ? 0 : rules.typeResetMask;
    this.typeBits = (this.typeMask | reset) >>> 0;
  }

  /** Bits of the counter a guest sees; where that is not known (`CycleWidth.either`), 64. */
  width(i: number): number {
    if (i !== CYCLE_COUNTER) return this.#wideEvents ? 64 : 32;
    if (this.#cycleBits !== 0) return this.#cycleBits;
    const width = this.state.misc[Misc.cycleWidth]!;
    return width === CycleWidth.wide || width === CycleWidth.either ? 64 : 32;
  }

  /** Bits in which base and count of the counter are added up. */
  protected storedWidth(i: number): number {
    return this.cycleIs(i, CycleWidth.narrow) ? 64 : this.width(i);
  }

  /** True for a cycle counter of varying width that is in this state. */
  protected cycleIs(i: number, width: number): boolean {
    return (
      i === CYCLE_COUNTER && this.#cycleBits === 0 && this.state.misc[Misc.cycleWidth] === width
    );
  }

  /** PMCR.LC or PMCR.LP moves the overflow of this counter to 64 bits (whatever its width). */
  overflow64(i: number): Tri {
    if (i === CYCLE_COUNTER) {
      if (this.#cycleBits === 64) return this.registers.bit(Slot.pmcr, Pmcr.LC);
      // Otherwise a counter overflows at the width it shows.
      return this.cycleIs(i, CycleWidth.either) ? 2 : this.width(i) === 64 ? 1 : 0;
    }
    return this.rules.lpMovesOverflow ? this.registers.bit(Slot.pmcr, Pmcr.LP) : 0;
  }

  /** An overflow of this counter ticks a CHAIN neighbour: even index, 32-bit overflow (semantics A.7). */
  canChain(i: number): Tri {
    if (!this.rules.chainBySoftware || (i & 1) !== 0 || i + 1 >= CYCLE_COUNTER) return 0;
    const long = this.overflow64(i);
    return long === 2 ? 2 : long === 1 ? 0 : 1;
  }

  /** PMCR.E and the counter's PMCNTEN bit. */
  gate(i: number): Tri {
    const e = this.registers.bit(Slot.pmcr, Pmcr.E);
    const enabled = this.registers.bit(Slot.cnten, 1 << i);
    if (e === 0 || enabled === 0) return 0;
    return e === 1 && enabled === 1 ? 1 : 2;
  }

  /** Number of the event the counter is programmed for; −1 if not known. */
  eventNumber(i: number): number {
    if (i === CYCLE_COUNTER && this.rules.cycleEvent === 'cpu-cycles') return CPU_CYCLES;
    return (this.state.typeUnknown[i]! & this.eventMask) !== 0
      ? -1
      : this.state.type[i]! & this.eventMask;
  }

  /** Could the counter be programmed for this event: no, for sure, or perhaps. */
  countsEvent(i: number, event: number): Tri {
    const open = this.state.typeUnknown[i]! & this.eventMask;
    if (((this.state.type[i]! ^ event) & this.eventMask & ~open) !== 0) return 0;
    return open === 0 ? 1 : 2;
  }

  /** Would the counter get a backing event: not for SW_INCR, CHAIN and filtered events (semantics A.4 step 4). */
  backed(i: number): Tri {
    const number = this.eventNumber(i);
    if (number < 0) return 2;
    if (number === SW_INCR && this.rules.swIncrUnbacked) return 0;
    if (number === CHAIN && this.rules.chainBySoftware) return 0;
    return this.#filter === undefined || this.#filter.allows(number) ? 1 : 0;
  }

  /** exclude_user (own U, nonSecure NSU) or exclude_kernel (P, NSK) of the counter: semantics A.4 step 5. */
  protected excludes(i: number, own: number, nonSecure: number): Tri {
    const inverted = this.rules.excludeBy === 'U,P' ? 0 : nonSecure;
    if ((this.state.typeUnknown[i]! & (own | inverted)) !== 0) return 2;
    const type = this.state.type[i]!;
    return ((type & own) !== 0) !== ((type & inverted) !== 0) ? 1 : 0;
  }

  protected excludesUser(i: number): Tri {
    return this.excludes(i, Evtyper.U, Evtyper.NSU);
  }

  protected excludesKernel(i: number): Tri {
    return this.excludes(i, Evtyper.P, Evtyper.NSK);
  }
}
