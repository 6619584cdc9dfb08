import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import {
  type AccessResult,
  accessResult,
  type Pmuv3Config,
} from '../../src/emulator/pmuv3-config.ts';
import { FakePerf, hex } from './fake-perf.ts';
import { codeOf, RULES } from './programs.ts';
import type { Form, Kernel } from './reference.ts';

export { RULES } from './programs.ts';

/** The machine of the S5 recordings: PMUv3p5 host with 6 event counters; a 6.1 guest sees PMUv3p4. */
export function machine(kernel: Kernel, changes: Partial<Pmuv3Config> = {}): Pmuv3Config {
  return {
    pmcrN: 6,
    pmuVer: kernel === '6.12' ? 6 : 5,
    hostPmuVer: 6,
    el0Aarch32: true,
    el2: false,
    el3: false,
    hostPmceid0: 0x2_0101n,
    hostPmceid1: 0x1000_0018n,
    pmcrIdentity: 0x4101_0000n,
    pmcrUnknownMask: 0n,
    pmuPresent: true,
    ...changes,
  };
}

const EL1: Form = { el: 1, aa32: false, wide: false };

/** A guest to write short test programs with, on a perf that counts exactly. */
export class Guest {
  readonly perf = new FakePerf();
  readonly pmu: Pmuv3;
  readonly out: AccessResult = accessResult();

  constructor(kernel: Kernel, changes: Partial<Pmuv3Config> = {}) {
    this.pmu = new Pmuv3(machine(kernel, changes), RULES[kernel], this.perf);
    this.pmu.newVcpu();
    const fixed = RULES[kernel].rearm === 'fixed';
    this.perf.selfRearms = fixed;
    this.perf.onOverflow = (counter) => {
      this.pmu.overflow(counter);
      return fixed ? undefined : this.pmu.counterView(counter).period!;
    };
  }

  /** Runs once, so that the first run's effects are over, with everything disabled and clear. */
  started(): this {
    this.pmu.guestEnter();
    this.pmu.guestExit();
    return this.write(
      'PMCNTENCLR',
      0xffff_ffffn,
      'PMINTENCLR',
      0xffff_ffffn,
      'PMOVSCLR',
      0xffff_ffffn,
      'PMCR',
      0n,
    );
  }

  /** Register, value, register, value, … at EL1. */
  write(...pairs: (string | bigint)[]): this {
    for (let i = 0; i < pairs.length; i += 2) {
      const { space, code } = codeOf(pairs[i] as string, EL1);
      this.pmu.write(code, space, pairs[i + 1] as bigint, 1, this.out);
    }
    return this;
  }

  /** Hex of what a read delivers; `undef`; or with a `?` and the span where it is not exact. */
  read(reg: string, form: Partial<Form> = {}): string {
    const full = { ...EL1, ...form };
    const { space, code } = codeOf(reg, full);
    this.pmu.read(code, space, full.el, this.out);
    if (this.out.undef) return 'undef';
    const doubt = this.out.outcomeUnknown ? '(may be undef)' : '';
    if (this.out.unknownBits !== 0n)
      return `${hex(this.out.low)} but for ${hex(this.out.unknownBits)}${doubt}`;
    return this.out.span === 0n
      ? hex(this.out.low) + doubt
      : `${hex(this.out.low)} + ${hex(this.out.span)}${doubt}`;
  }

  /** Hardware events at EL1; returns the number of overflow callbacks. */
  hw(event: number, n: bigint, el: 0 | 1 = 1, skid = 0n): bigint {
    return this.perf.hardware(event, el, n, skid);
  }

  adopt(reg: string, value: bigint, space: RegisterSpace = RegisterSpace.sysreg): this {
    const { code } = codeOf(reg, { ...EL1, aa32: space === RegisterSpace.cp15 });
    this.pmu.adopt(code, space, value);
    return this;
  }
}
