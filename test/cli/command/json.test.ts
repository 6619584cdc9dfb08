import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BARE, BARE_61, withLog } from './recordings.ts';
import { ROOT, vpmu } from './vpmu.ts';

const STAT = 'traces/S3-lean/host-perf-stat.json';
const PAGE = readFileSync(join(ROOT, 'docs/json.md'), 'utf8');
const FORMATS = readFileSync(join(ROOT, 'docs/formats.md'), 'utf8');

/** Every member name in a JSON value, however deep. */
function members(value: unknown, found: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) for (const item of value) members(item, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      found.add(name);
      members(inner, found);
    }
  }
  return found;
}

/** Numbers that no double holds exactly. */
function hugeNumbers(text: string): readonly string[] {
  return [...text.replace(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/(?<![\d.])\d{16,}/g)].map(
    ([digits]) => digits,
  );
}

const COMMANDS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['info', ['info', BARE, STAT]],
  ['events --count', ['events', BARE, '--count']],
  ['replay', ['replay', BARE, '--at', '16.6']],
  ['check', ['check', BARE_61, '--rules', 'arm64-kvm-6.12']],
  ['diff', ['diff', 'traces/S3-lean/trace-raw.txt.zst']],
  ['models', ['models']],
  ['models of one', ['models', 'x86-kvm-6.12']],
  ['models of two', ['models', 'arm64-kvm-6.1', 'arm64-kvm-6.12']],
  ['what-if', ['what-if', BARE, '--rules', 'arm64-kvm-6.12,arm64-kvm-6.1,arm64-kvm-2015']],
];

describe('--json', () => {
  it.each(COMMANDS)('of %s is as docs/json.md says', async (_name, args) => {
    const { stdout } = await vpmu([...args, '--json']);
    const value: unknown = JSON.parse(stdout);
    expect(hugeNumbers(stdout)).toEqual([]);
    const documented = (name: string): boolean =>
      new RegExp(`\\b${name}\\b`).test(PAGE) || FORMATS.includes(`${name} `);
    expect([...members(value)].filter((name) => !documented(name))).toEqual([]);
  });

  it('of import and verify is as docs/json.md says', async () => {
    const { folder, log } = await withLog();
    for (const args of [
      ['import', '-o', join(folder, 'b.vpmu'), BARE, STAT],
      ['import', '-o', log, BARE],
      ['verify', log],
    ]) {
      const { code, stdout } = await vpmu([...args, '--json']);
      expect(code).toBe(0);
      const unknown = [...members(JSON.parse(stdout))].filter(
        (name) => !new RegExp(`\\b${name}\\b`).test(PAGE),
      );
      expect(unknown).toEqual([]);
    }
  });
});
