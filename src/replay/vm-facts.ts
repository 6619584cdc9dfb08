import { sysregCode } from '../arch/arm64-registers.ts';
import { type Arch, ruleSetForKernel } from '../arch/rule-sets.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, registerSpace } from '../domain/event-kind.ts';

const PMCR = sysregCode(3, 3, 9, 12, 0);
const PMCEID0 = sysregCode(3, 3, 9, 12, 6);
const PMCEID1 = sysregCode(3, 3, 9, 12, 7);
const ID_AA64DFR0 = sysregCode(3, 0, 0, 5, 0);
const CHAIN_BIT = 1n << 0x1en;

/** ID_AA64DFR0_EL1.PMUVer: PMUv3p5, and a PMU of the implementer's own. */
const PMUVER_V3P5 = 6;
const PMUVER_IMPDEF = 15;

/** A constant of a VM with the first two records that show it: a prediction of one must not rest on itself. */
export interface Fact<T> {
  readonly value: T;
  readonly first: number;
  /** Seq of a second, independent record; 0 while there is none. */
  readonly second: number;
}

/** The constants of one vCPU's PMU that no register write shows, as far as the recording tells. */
export interface VcpuFacts {
  /** PMCR.N. */
  readonly pmcrN?: Fact<number>;
  /** PMCR bits 31:16 (implementer, ID code); zero from 6.12's rules on. */
  readonly pmcrIdentity?: Fact<bigint>;
  readonly pmceid0?: Fact<bigint>;
  readonly pmceid1?: Fact<bigint>;
  /** Event counters are 64 bits wide (guest PMUVer ≥ v3.5). */
  readonly wideCounters?: Fact<boolean>;
  /** EL0 can run AArch32 (PMCR.LC can be 0). */
  readonly el0Aarch32?: Fact<boolean>;
}

/** What a scan of a log found out about its VMs before any replay. */
export interface VmFacts {
  readonly byVcpu: ReadonlyMap<number, VcpuFacts>;
  /** Records that tell the kernel's rules apart, in favour of each rule set. */
  readonly ruleEvidence: readonly {
    readonly ruleSet: string;
    readonly seq: number;
    readonly text: string;
  }[];
}

/** The kinds `scanVmFacts` needs: the log can skip all others. */
export const VM_FACT_KINDS: ReadonlySet<EventKind> = new Set([
  EventKind.read,
  EventKind.write,
  EventKind.pmcrHandle,
  EventKind.eventCreate,
  EventKind.userspaceGet,
]);

type MutableFacts = { -readonly [K in keyof VcpuFacts]: VcpuFacts[K] };

function note<T>(old: Fact<T> | undefined, value: T, seq: number): Fact<T> {
  if (old === undefined) return { value, first: seq, second: 0 };
  if (old.second !== 0 || old.value !== value) return old;
  return { ...old, second: seq };
}

/**
 * Collects the VM's constants from the whole recording. `attrWide(id)` says whether an attr asked for a 64-bit counter;
 * `vcpuOf(tid)` names the vCPU of a thread (late-learned threads).
 */
export function scanVmFacts(
  chunks: Iterable<EventChunk>,
  attrWide: (attrId: number) => boolean | undefined,
  vcpuOf: (tid: number) => number,
): VmFacts {
  const byVcpu = new Map<number, MutableFacts>();
  const ruleEvidence: { ruleSet: string; seq: number; text: string }[] = [];
  const told = new Set<string>();
  const tell = (ruleSet: string, seq: number, text: string): void => {
    if (told.has(text)) return;
    told.add(text);
    ruleEvidence.push({ ruleSet, seq, text });
  };
  const pmcr = (facts: MutableFacts, value: bigint, seq: number, merged: boolean): void => {
    facts.pmcrN = note(facts.pmcrN, Number((value >> 11n) & 31n), seq);
    const identity = (value >> 16n) & 0xffffn;
    facts.pmcrIdentity = note(facts.pmcrIdentity, identity, seq);
    if (identity !== 0n) tell('arm64-kvm-6.1', seq, 'PMCR shows the host CPU identity');
    else tell('arm64-kvm-6.12', seq, 'PMCR shows no host CPU identity');
    // A merged value has LC forced on where EL0 has no AArch32.
    if (merged && (value & 0x40n) === 0n) facts.el0Aarch32 = note(facts.el0Aarch32, true, seq);
  };
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const kind = chunk.kind[i]!;
      const flags = chunk.flags[i]!;
      if ((flags & (EventFlag.entry | EventFlag.trap | EventFlag.failed)) !== 0) continue;
      let vcpu = chunk.vcpu[i]!;
      if (vcpu < 0) vcpu = vcpuOf(chunk.tid[i]!);
      if (vcpu < 0) continue;
      let facts = byVcpu.get(vcpu);
      if (facts === undefined) {
        facts = {};
        byVcpu.set(vcpu, facts);
      }
      const seq = chunk.seq[i]!;
      const value = chunk.value[i]!;
      if (kind === EventKind.pmcrHandle) pmcr(facts, value, seq, true);
      else if (kind === EventKind.read || kind === EventKind.userspaceGet) {
        if ((flags & EventFlag.noValue) !== 0 || registerSpace(flags) !== RegisterSpace.sysreg)
          continue;
        const code = chunk.code[i]!;
        if (code === PMCR) pmcr(facts, value, seq, true);
        else if (code === PMCEID0) {
          facts.pmceid0 = note(facts.pmceid0, value, seq);
          if ((value & CHAIN_BIT) === 0n) tell('arm64-kvm-6.1', seq, 'PMCEID0 does not list CHAIN');
        } else if (code === PMCEID1) facts.pmceid1 = note(facts.pmceid1, value, seq);
        else if (code === ID_AA64DFR0) {
          const version = Number((value >> 8n) & 0xfn);
          const wide = version >= PMUVER_V3P5 && version !== PMUVER_IMPDEF;
          facts.wideCounters = note(facts.wideCounters, wide, seq);
        }
      } else if (kind === EventKind.eventCreate) {
        const counter = chunk.counter[i]!;
        if (counter < 0 || counter === 31) continue;
        const wide = attrWide(chunk.code[i]!);
        if (wide !== undefined) facts.wideCounters = note(facts.wideCounters, wide, seq);
      }
    }
  }
  return { byVcpu, ruleEvidence };
}

/** A rule set and why it was taken. */
export interface RuleSetChoice {
  readonly name: string;
  readonly reason: string;
}

/** The newest rules of each architecture: for a recording that does not tell its kernel. */
const NEWEST: Readonly<Record<Arch, string>> = { arm64: 'arm64-kvm-6.12', x86: 'x86-kvm-6.12' };
/** The older of the rule sets that records can tell apart: only its kernel does what speaks for it. */
const OLDER: Readonly<Record<Arch, string>> = { arm64: 'arm64-kvm-6.1', x86: 'x86-kvm-6.1' };

/**
 * The rule set for a recording: what the user says, else the kernel release the recording names, else what only one
 * kernel does (`evidence`), else the newest, said so.
 */
export function chooseRuleSet(
  arch: Arch,
  asked: string | undefined,
  kernelRelease: string | undefined,
  evidence: VmFacts['ruleEvidence'],
): RuleSetChoice {
  if (asked !== undefined) return { name: asked, reason: 'asked for' };
  if (kernelRelease !== undefined) {
    const found =
      arch === 'x86' ? ruleSetForKernel(kernelRelease, 'x86') : ruleSetForKernel(kernelRelease);
    if (found !== undefined) {
      const fit = found.exact ? '' : ` (${found.reason})`;
      return { name: found.rules.name, reason: `kernel ${kernelRelease}${fit}` };
    }
  }
  const pick = evidence.find((e) => e.ruleSet === OLDER[arch]) ?? evidence[0];
  if (pick !== undefined) return { name: pick.ruleSet, reason: `${pick.text} @${pick.seq}` };
  return { name: NEWEST[arch], reason: 'newest; the recording does not tell its kernel' };
}
