import type { Arch } from './rule-sets.ts';

/** A name kept for rules that no released kernel has. */
export interface ReservedRuleSet {
  readonly name: string;
  readonly arch: Arch;
  readonly why: string;
  readonly sources: readonly string[];
}

/** Names that stand for something known which nothing here plays. */
export const RESERVED_RULE_SETS: readonly ReservedRuleSet[] = [
  {
    name: 'arm64-partitioned',
    arch: 'arm64',
    why: 'the partitioned PMU (guest counters 0 to HPMN-1, cycles and instructions without traps) was posted, not merged',
    sources: ['series "ARM64 PMU Partitioning", v1 (June 2025) to v9 (September 2026)'],
  },
];
