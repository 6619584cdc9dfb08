import { ARM64_RULES } from './tracepoints/arm64.ts';
import { COMMON_RULES, KEPT_BY_NAME } from './tracepoints/common.ts';
import type { TracepointRule } from './tracepoints/rule.ts';
import { X86_KEPT_BY_NAME, X86_RULES } from './tracepoints/x86.ts';

export { ExitSpace, exitName, userspaceExitName, X86_EXIT_WORDS } from './tracepoints/exit-code.ts';
export {
  type ColumnTarget,
  HaltInstruction,
  PLUGIN_TASK_STATES,
  TARGETS,
  type Target,
  TaskState,
  type TracepointRule,
} from './tracepoints/rule.ts';

function kept(name: string): TracepointRule {
  return { name, kind: 'other', source: 'recorded by the recipes, not needed by a replay' };
}

/** The mapping table: every tracepoint and probe that is known, by name. */
export const TRACEPOINT_RULES: readonly TracepointRule[] = [
  ...COMMON_RULES,
  ...ARM64_RULES,
  ...X86_RULES,
  ...KEPT_BY_NAME.map(kept),
  ...X86_KEPT_BY_NAME.map(kept),
];

/** Rules by tracepoint or probe name (without its group). */
export type TracepointRules = ReadonlyMap<string, TracepointRule>;

/** The mapping table with `own` entries added; an own entry replaces the built-in one of its name. */
export function tracepointRules(own: readonly TracepointRule[] = []): TracepointRules {
  return new Map([...TRACEPOINT_RULES, ...own].map((rule) => [rule.name, rule]));
}
