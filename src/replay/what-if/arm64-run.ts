import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import type { Arm64RuleSet } from '../../arch/arm64-rules.ts';
import type { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import { Pmuv3 } from '../../emulator/pmuv3.ts';
import type { AccessResult, Pmuv3Config } from '../../emulator/pmuv3-config.ts';
import { UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { CounterfactualPerf } from './counterfactual-perf.ts';
import { RulesRun } from './rules-run.ts';

/** Bits 31:16 of PMCR: the host's identity, which only some rule sets show. */
const PMCR_IDENTITY = 0xffff_0000n;
const CHAIN_BIT = 1n << 0x1en;

/** One rule set's vPMU of one arm64 vCPU. */
export class Arm64Run extends RulesRun<Pmuv3> {
  /** What the recorded rules hid from the guest: the recording cannot tell it for rules that show it. */
  readonly #hiddenFacts: { readonly pmcr: bigint; readonly ceid0: bigint; readonly ceid1: bigint };

  constructor(
    rules: Arm64RuleSet,
    recordedRules: Arm64RuleSet,
    config: Pmuv3Config,
    perf: CounterfactualPerf,
  ) {
    super(rules.name, new Pmuv3(config, rules, perf), perf);
    const shows = rules.pmcrIdentity === 'host' && recordedRules.pmcrIdentity !== 'host';
    this.#hiddenFacts = {
      pmcr: shows ? PMCR_IDENTITY : 0n,
      ceid0: recordedRules.ceidShowsChain && !rules.ceidShowsChain ? CHAIN_BIT : 0n,
      ceid1: BigInt((recordedRules.ceid1Hidden & ~rules.ceid1Hidden) >>> 0),
    };
  }

  /** Reads; returns which of the unknown bits are constants of the host. */
  read(code: number, space: RegisterSpace, el: number, out: AccessResult): bigint {
    this.pmu.read(code, space, el, out);
    if (out.undef || out.counter >= 0) return 0n;
    const hidden = this.#hidden(registerByCode(code, space)?.row.register);
    if (hidden === 0n) return 0n;
    out.unknownBits |= hidden;
    out.low &= ~hidden & U64_MAX;
    return hidden;
  }

  #hidden(register: PmuRegister | undefined): bigint {
    switch (register) {
      case PmuRegister.pmcr:
        return this.#hiddenFacts.pmcr;
      case PmuRegister.ceid0:
        return this.#hiddenFacts.ceid0;
      case PmuRegister.ceid1:
        return this.#hiddenFacts.ceid1;
      default:
        return 0n;
    }
  }

  protected override openFromStart(code: number, space: RegisterSpace): boolean {
    const name = registerByCode(code, space)?.row.name.replace('CLR', 'SET');
    const view = this.pmu.registerViews().find((register) => register.name === name);
    return view === undefined || view.reason === UncertaintyReason.initialState;
  }

  protected override adopt(code: number, space: RegisterSpace, value: bigint): void {
    this.pmu.adopt(code, space, value);
  }
}
