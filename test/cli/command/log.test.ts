import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BARE, json, withLog } from './recordings.ts';
import { shell, vpmu } from './vpmu.ts';

describe('vpmu export', () => {
  it('writes what import reads back: the same again', async () => {
    const { folder, log } = await withLog();
    const file = join(folder, 'a.jsonl');
    expect((await vpmu(['export', log, '-o', file])).code).toBe(0);
    expect((await vpmu(['import', '-o', join(folder, 'b.vpmu'), file])).code).toBe(0);
    const { code, stdout } = await shell(
      `vpmu export '${folder}/b.vpmu' | cmp - '${file}' && echo same`,
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'same\n' });
  });

  it('writes a selection', async () => {
    const { stdout } = await vpmu(['export', BARE, '--kind', 'event-overflow']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1 + 4);
  });
});

describe('vpmu verify', () => {
  it('accepts a log as it was imported and names the head of its chain', async () => {
    const { log } = await withLog();
    const { code, stdout } = await vpmu(['verify', log]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^unchanged: 1 import run, 4 segments, 14,802 events\nhead [0-9a-f]{64}\n$/,
    );
  });

  it('names the first bad place of a log that was changed: exit 3', async () => {
    const { log } = await withLog();
    const bytes = readFileSync(log);
    const at = Math.floor(bytes.length * 0.6);
    bytes[at] = bytes[at]! ^ 1;
    writeFileSync(log, bytes);
    const { code, stdout } = await vpmu(['verify', log]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^damaged: .*\(segment \d+, import run 1, @\d+-@\d+\)/);
    const asked = await vpmu(['verify', '--json', log]);
    expect(asked.code).toBe(3);
    expect(json(asked.stdout)['ok']).toBe(false);
  });

  it('refuses what is no log: exit 3', async () => {
    for (const file of [BARE, 'traces', 'nowhere.vpmu']) {
      const { code, stderr } = await vpmu(['verify', file]);
      expect({ file, code }).toEqual({ file, code: 3 });
      expect(stderr).toMatch(/^vpmu: /);
    }
  });
});
