import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BARE, json, withLog, withRecording } from './recordings.ts';
import { scratch, shell, vpmu } from './vpmu.ts';

describe('recordings where a log is expected', () => {
  it('are imported once, into a cache beside them', async () => {
    const { folder, recording } = withRecording();
    const first = await vpmu(['info', '-v', recording]);
    expect(first.stderr).toContain('imported into');
    expect(readdirSync(join(folder, '.vpmu-cache'))).toHaveLength(1);
    const second = await vpmu(['info', '-v', recording]);
    expect(second.stderr).toContain('using');
    expect(second.stdout).toBe(first.stdout);
    const named = await vpmu(['info', '-v', '--kernel', '6.12.117', recording]);
    expect(named.stderr).toContain('imported into');
    expect(named.stdout).toContain('6.12.117');
  });

  it('are imported elsewhere when the folder cannot be written', async () => {
    const { folder, recording } = withRecording();
    // A file in its place cannot be made a folder, not even by root.
    writeFileSync(join(folder, '.vpmu-cache'), '');
    const cache = join(folder, 'user');
    const env = { XDG_CACHE_HOME: cache };
    expect((await vpmu(['info', recording], { env })).code).toBe(0);
    expect(readdirSync(join(cache, 'vpmu'))).toHaveLength(1);
    const nowhere = { XDG_CACHE_HOME: join(folder, '.vpmu-cache'), TMPDIR: join(folder, 'tmp') };
    mkdirSync(nowhere.TMPDIR);
    expect((await vpmu(['info', recording], { env: nowhere })).code).toBe(0);
    expect(readdirSync(nowhere.TMPDIR)).toEqual([]);
  });

  it('leave nothing behind when they cannot be read', async () => {
    const folder = scratch();
    writeFileSync(join(folder, 'junk'), 'no recording at all\n');
    expect((await vpmu(['info', join(folder, 'junk')])).code).toBe(3);
    expect(readdirSync(join(folder, '.vpmu-cache'))).toEqual([]);
  });

  it('come from standard input too', async () => {
    const { code, stdout } = await shell(`cat ${BARE} | vpmu info --json -`);
    expect(code).toBe(0);
    expect(json(stdout)['events']).toBe(14_802);
  });

  it('are not mixed with logs', async () => {
    const { log } = await withLog();
    const { code, stderr } = await vpmu(['info', log, BARE]);
    expect(code).toBe(2);
    expect(stderr).toContain('cannot be read together with other files');
  });
});
