import { sysregCode } from '../../arch/arm64-registers.ts';
import type { Pmuv3Config } from '../../emulator/pmuv3-config.ts';
import type { Fact, VcpuFacts } from '../vm-facts.ts';

const PMCR = sysregCode(3, 3, 9, 12, 0);
const PMCEID0 = sysregCode(3, 3, 9, 12, 6);
const PMCEID1 = sysregCode(3, 3, 9, 12, 7);
const PMCR_N_BITS = 0xf800n;
const PMCR_IDENTITY_BITS = 0xffff0000n;

/** The configuration of a vCPU's PMU: what the recording told of its constants, defaults for the rest. */
export function pmuv3Config(facts: VcpuFacts): Pmuv3Config {
  const pmuVer = facts.wideCounters?.value === true ? 6 : 5;
  return {
    pmcrN: facts.pmcrN?.value ?? 31,
    pmuVer,
    hostPmuVer: pmuVer,
    el0Aarch32: facts.el0Aarch32?.value ?? false,
    el2: false,
    el3: false,
    hostPmceid0: facts.pmceid0?.value,
    hostPmceid1: facts.pmceid1?.value,
    pmcrIdentity: (facts.pmcrIdentity?.value ?? 0n) << 16n,
    pmcrUnknownMask: 0n,
    pmuPresent: true,
  };
}

/**
 * A constant must not be predicted from the very read that shows it: the configuration without what only the read of
 * `code` at `seq` tells. Undefined for a register that shows no constants.
 */
export function withoutSoleWitness(
  config: Pmuv3Config,
  facts: VcpuFacts,
  code: number,
  seq: number,
): Pmuv3Config | undefined {
  if (code !== PMCR && code !== PMCEID0 && code !== PMCEID1) return undefined;
  const sole = (fact: Fact<unknown> | undefined): boolean =>
    fact === undefined || (fact.second === 0 && fact.first === seq);
  return {
    ...config,
    pmcrUnknownMask:
      (sole(facts.pmcrN) ? PMCR_N_BITS : 0n) | (sole(facts.pmcrIdentity) ? PMCR_IDENTITY_BITS : 0n),
    hostPmceid0: sole(facts.pmceid0) ? undefined : facts.pmceid0?.value,
    hostPmceid1: sole(facts.pmceid1) ? undefined : facts.pmceid1?.value,
  };
}
