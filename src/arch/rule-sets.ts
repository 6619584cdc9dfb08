import { ARM64_RULE_SETS, type Arm64RuleSet } from './arm64-rules.ts';
import { X86_RULE_SETS, type X86RuleSet } from './x86-rules.ts';

export type Arch = 'arm64' | 'x86';

/** What `vpmu models` prints of a rule set. */
export interface RuleSetInfo {
  readonly arch: Arch;
  readonly summary: string;
  readonly sources: readonly string[];
  readonly selectable: boolean;
  /** Why it cannot be selected. */
  readonly missing?: string;
}

function info(arch: Arch, rules: Arm64RuleSet | X86RuleSet): RuleSetInfo {
  return {
    arch,
    summary: rules.summary,
    sources: rules.sources,
    selectable: rules.selectable,
    ...(rules.missing === undefined ? {} : { missing: rules.missing }),
  };
}

/** Every rule set by name. */
export function ruleSets(): ReadonlyMap<string, RuleSetInfo> {
  return new Map([
    ...ARM64_RULE_SETS.map((rules): [string, RuleSetInfo] => [rules.name, info('arm64', rules)]),
    ...X86_RULE_SETS.map((rules): [string, RuleSetInfo] => [rules.name, info('x86', rules)]),
  ]);
}

/** The rules by name; undefined if there are none, also for a row that is not selectable. */
export function arm64RuleSet(name: string): Arm64RuleSet | undefined {
  return ARM64_RULE_SETS.find((rules) => rules.name === name && rules.selectable);
}

/** The rules by name; undefined if there are none, also for a row that is not selectable. */
export function x86RuleSet(name: string): X86RuleSet | undefined {
  return X86_RULE_SETS.find((rules) => rules.name === name && rules.selectable);
}

/** A rule set chosen for a kernel, and how well it fits. */
export interface RuleSetChoice<Rules = Arm64RuleSet> {
  readonly rules: Rules;
  /** True when the rules were checked against this kernel series; otherwise they are the nearest known: a guess. */
  readonly exact: boolean;
  /** One clause that says why, for people. */
  readonly reason: string;
}

interface Kernel {
  readonly major: number;
  readonly minor: number;
}

function before(kernel: Kernel, major: number, minor: number): boolean {
  return kernel.major < major || (kernel.major === major && kernel.minor < minor);
}

function covers(rules: Arm64RuleSet | X86RuleSet, { major, minor }: Kernel): boolean {
  if (!rules.selectable || rules.kernels === undefined) return false;
  // Rules that come from reading alone were not checked against any kernel.
  if ('checked' in rules && rules.checked === 'read') return false;
  const [first, last] = rules.kernels;
  return first[0] === major && first[1] <= minor && last[0] === major && minor <= last[1];
}

/**
 * The rule set of an architecture for a kernel release (`6.12.117+deb12-arm64`, as `uname -r` prints it); undefined if
 * the text does not begin with a version. Boundaries: 6.2 brought software CHAIN and PMUv3p5 counters (semantics A.3)
 * and on x86 deferred reprogramming (semantics C), 5.5 event reuse on x86: so 6.2 and later is nearest to 6.12 and
 * anything older to 6.1. Before 5.5 (x86) and 5.3 (arm64: stale period, CHAIN asked of the host) to 4.14, and on arm64
 * before 4.10 (cycle counter's event as typed) to 4.6.
 */
export function ruleSetForKernel(release: string, arch?: 'arm64'): RuleSetChoice | undefined;
export function ruleSetForKernel(
  release: string,
  arch: 'x86',
): RuleSetChoice<X86RuleSet> | undefined;
export function ruleSetForKernel(
  release: string,
  arch: Arch = 'arm64',
): RuleSetChoice<Arm64RuleSet | X86RuleSet> | undefined {
  const version = /^(\d+)\.(\d+)/.exec(release);
  if (version === null) return undefined;
  const kernel = { major: Number(version[1]), minor: Number(version[2]) };
  const sets: readonly (Arm64RuleSet | X86RuleSet)[] =
    arch === 'x86' ? X86_RULE_SETS : ARM64_RULE_SETS;
  const series = `${kernel.major}.${kernel.minor}`;
  const exact = sets.find((rules) => covers(rules, kernel));
  if (exact !== undefined) {
    return { rules: exact, exact: true, reason: `checked against kernel series ${series}` };
  }
  const guess = arch === 'x86' ? nearestX86(kernel) : nearestArm64(kernel);
  return {
    rules: guess.rules,
    exact: false,
    reason: `nearest known rules for ${series}: a guess${guess.note}`,
  };
}

interface Guess {
  readonly rules: Arm64RuleSet | X86RuleSet;
  readonly note: string;
}

function nearestArm64(kernel: Kernel): Guess {
  if (before(kernel, 5, 3)) {
    const rules = arm64RuleSet(before(kernel, 4, 10) ? 'arm64-kvm-4.6' : 'arm64-kvm-4.14')!;
    return { rules, note: ' (rules from reading the source, checked against no recording)' };
  }
  const rules = arm64RuleSet(before(kernel, 6, 2) ? 'arm64-kvm-6.1' : 'arm64-kvm-6.12')!;
  return { rules, note: '' };
}

function nearestX86(kernel: Kernel): Guess {
  if (before(kernel, 5, 5)) return { rules: x86RuleSet('x86-kvm-4.14')!, note: '' };
  return { rules: x86RuleSet(before(kernel, 6, 2) ? 'x86-kvm-6.1' : 'x86-kvm-6.12')!, note: '' };
}
