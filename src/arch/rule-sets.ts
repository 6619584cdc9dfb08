import { ARM64_RULE_SETS, type Arm64RuleSet } from './arm64-rules.ts';

/** What `vpmu models` prints of a rule set. */
export interface RuleSetInfo {
  readonly arch: 'arm64';
  readonly summary: string;
  readonly sources: readonly string[];
  readonly selectable: boolean;
  /** Why it cannot be selected. */
  readonly missing?: string;
}

/** Every rule set by name. */
export function ruleSets(): ReadonlyMap<string, RuleSetInfo> {
  return new Map(
    ARM64_RULE_SETS.map((rules) => [
      rules.name,
      {
        arch: 'arm64',
        summary: rules.summary,
        sources: rules.sources,
        selectable: rules.selectable,
        ...(rules.missing === undefined ? {} : { missing: rules.missing }),
      },
    ]),
  );
}

/** The rules by name; undefined if there are none, also for a row that is not selectable. */
export function arm64RuleSet(name: string): Arm64RuleSet | undefined {
  return ARM64_RULE_SETS.find((rules) => rules.name === name && rules.selectable);
}

/** A rule set chosen for a kernel, and how well it fits. */
export interface RuleSetChoice {
  readonly rules: Arm64RuleSet;
  /** True when the rules were checked against this kernel series; otherwise they are the nearest known: a guess. */
  readonly exact: boolean;
  /** One clause that says why, for people. */
  readonly reason: string;
}

/**
 * The arm64 rule set for a kernel release (`6.12.117+deb12-arm64`, as `uname -r` prints it); undefined if the text does
 * not begin with a version. Boundaries: 6.2 brought software CHAIN and PMUv3p5 counters to mainline (semantics A.3), so
 * 6.2 and later is nearest to 6.12 and anything older to 6.1.
 */
export function ruleSetForKernel(release: string): RuleSetChoice | undefined {
  const version = /^(\d+)\.(\d+)/.exec(release);
  if (version === null) return undefined;
  const major = Number(version[1]);
  const minor = Number(version[2]);
  const exact = ARM64_RULE_SETS.find(
    (rules) =>
      rules.selectable &&
      rules.kernels[0][0] === major &&
      rules.kernels[0][1] <= minor &&
      rules.kernels[1][0] === major &&
      minor <= rules.kernels[1][1],
  );
  if (exact !== undefined) {
    return { rules: exact, exact: true, reason: `checked against kernel series ${major}.${minor}` };
  }
  const later = major > 6 || (major === 6 && minor >= 2);
  const rules = arm64RuleSet(later ? 'arm64-kvm-6.12' : 'arm64-kvm-6.1')!;
  const older = !later && (major < 5 || (major === 5 && minor < 3));
  return {
    rules,
    exact: false,
    reason: `nearest known rules for ${major}.${minor}: a guess${older ? ' (kernels before 5.3 keep a stale sample period and pass CHAIN to the host)' : ''}`,
  };
}
