import { describe, expect, it } from 'vitest';
import { ARM64_RULE_SETS } from '../../src/arch/arm64-rules.ts';
import {
  ARM64_RULE_FIELDS,
  ruleDifferences,
  ruleValues,
  X86_RULE_FIELDS,
} from '../../src/arch/rule-set-fields.ts';
import { X86_RULE_SETS } from '../../src/arch/x86-rules.ts';

describe('rule sets in words', () => {
  const known = new Set([...ARM64_RULE_FIELDS, ...X86_RULE_FIELDS].map(({ field }) => field));

  it.each([...ARM64_RULE_SETS, ...X86_RULE_SETS].map(({ name }) => name))(
    '%s: every rule is described, every word of a value explained',
    (name) => {
      for (const { field, meaning, value, source } of ruleValues(name)!) {
        expect(known, `${name}: ${field}`).toContain(field);
        expect(meaning).not.toBe('');
        expect(value, `${name}: ${field}`).not.toMatch(/\[object|undefined/);
        expect(source, `${name}: ${field}`).not.toBe('');
      }
    },
  );

  it('describes no rule that no set has', () => {
    const fields = [...ARM64_RULE_SETS, ...X86_RULE_SETS].flatMap((rules) => Object.keys(rules));
    for (const field of known) expect(fields).toContain(field);
  });

  it('differ from themselves in nothing, and both ways alike', () => {
    for (const { name } of X86_RULE_SETS) expect(ruleDifferences(name, name)).toEqual([]);
    const there = ruleDifferences('x86-kvm-4.14', 'x86-kvm-6.12');
    const back = ruleDifferences('x86-kvm-6.12', 'x86-kvm-4.14');
    expect(there.length).toBeGreaterThan(20);
    expect(back.map(({ field, a, b }) => [field, b, a])).toEqual(
      there.map(({ field, a, b }) => [field, a, b]),
    );
  });
});
