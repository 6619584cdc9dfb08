import { RESERVED_RULE_SETS } from '../../arch/reserved-rule-sets.ts';
import { type Arch, ruleSets } from '../../arch/rule-sets.ts';
import { UsageError } from '../../domain/errors.ts';

/** Names of the rule sets of one architecture that can be played, oldest first. */
export function playable(arch: Arch): readonly string[] {
  return [...ruleSets()]
    .filter(([, info]) => info.arch === arch && info.selectable)
    .map(([name]) => name);
}

/** UsageError for a name that is no rule set, cannot be played, or is one of another architecture. */
export function checkRuleName(name: string, arch: Arch): void {
  const info = ruleSets().get(name);
  const hint = `rule sets for ${arch}: ${playable(arch).join(', ')}`;
  const reserved = RESERVED_RULE_SETS.find((row) => row.name === name);
  if (reserved !== undefined) {
    throw new UsageError(`${name} is a reserved name: ${reserved.why}`, hint);
  }
  if (info === undefined) throw new UsageError(`no rule set ${name}`, hint);
  if (info.arch !== arch) {
    throw new UsageError(
      `${name} is a rule set for ${info.arch}, the recording is of ${arch}`,
      hint,
    );
  }
  if (!info.selectable) {
    throw new UsageError(
      `${name} cannot be played${info.missing ? `: ${info.missing}` : ''}`,
      hint,
    );
  }
}
