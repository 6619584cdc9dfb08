import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { json, withLog } from './recordings.ts';
import { scratch, vpmu } from './vpmu.ts';

const LEAN = 'traces/S3-lean/trace-raw.txt.zst';

/** A folder with a log and a slice of the window in which the guest's counter was refused. */
async function withSlice(): Promise<{ folder: string; log: string; slice: string }> {
  const { folder, log } = await withLog(LEAN);
  const slice = join(folder, 'slice.jsonl');
  const { code, stderr } = await vpmu(['slice', log, '@19851-@22194', '-o', slice]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { folder, log, slice };
}

describe('vpmu slice', () => {
  it('cuts a recording that check, diagnose and info take', async () => {
    const { slice } = await withSlice();
    const header = json(readFileSync(slice, 'utf8').split('\n')[0]!);
    expect(header).toMatchObject({
      format: 'vpmu-events/1',
      slice: { fromSeq: 19836, toSeq: 22194, form: 'state', ruleSet: 'arm64-kvm-6.12' },
    });
    const check = await vpmu(['check', slice]);
    expect({ code: check.code, stderr: check.stderr }).toEqual({ code: 0, stderr: '' });
    expect(check.stdout).toContain('The slice comes out as when it was cut.');
    const diagnosis = await vpmu(['diagnose', slice, '-e', 'cycles']);
    expect(diagnosis.code).toBe(1);
    expect(diagnosis.stdout).toMatch(/proven pinned-error/);
    const result = json((await vpmu(['check', slice, '--json'])).stdout);
    expect(result['slice']).toEqual(header['slice']);
  });

  it('is exported whole with what it says of itself, and in part without', async () => {
    const { folder, slice } = await withSlice();
    const log = join(folder, 'slice.vpmu');
    await vpmu(['import', '-q', '-o', log, slice]);
    const whole = await vpmu(['export', log]);
    const [header, ...events] = whole.stdout.split('\n');
    const [cut, ...own] = readFileSync(slice, 'utf8').split('\n');
    expect(json(header!)['slice']).toEqual(json(cut!)['slice']);
    expect(events).toEqual(own);
    const part = await vpmu(['export', log, '@1-@60']);
    expect(json(part.stdout.split('\n')[0]!)['slice']).toBeUndefined();
  });

  it('does not claim to be the recording it was cut from', async () => {
    const { folder, log, slice } = await withSlice();
    const both = await vpmu(['import', '-o', log, slice]);
    expect(both.stdout).not.toMatch(/already/);
    expect(both.code).toBe(0);
    expect(folder).not.toBe('');
  });

  it('refuses what is no slice', async () => {
    const { log, folder, slice } = await withSlice();
    const out = join(folder, 'x.jsonl');
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[log, '-o', out], 'no part given'],
      [[log, '@1-@20'], 'no file to write'],
      [[log, '@1-@20', '-o', slice], 'exists'],
      [[log, '@900000-@900001', '-o', out], 'the log has nothing there'],
      [[log, '--time', '22,21', '-o', out], 'ends before'],
      [['@1-@20', '-o', out], 'no log and no recording given'],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await vpmu(['slice', ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
    }
  });

  it('is refused with the place of the fault when its header is damaged', async () => {
    const { folder, slice } = await withSlice();
    const text = readFileSync(slice, 'utf8');
    const broken = join(folder, 'broken.jsonl');
    const cases: readonly (readonly [string, string, string])[] = [
      ['"form":"state"', '"form":"guess"', 'slice: form is not state or history'],
      ['"preamble":', '"preambles":', 'slice: preamble is no whole number'],
      ['"fromTime":"', '"fromTime":"-', 'slice: fromTime is no time in ns'],
      ['"tool":', '"more":1,"tool":', 'slice: unknown member "more"'],
      ['"bounded":0', '"bounded":-1', 'bounded is no whole number'],
    ];
    for (const [from, to, message] of cases) {
      writeFileSync(broken, text.replace(from, to));
      const { code, stdout, stderr } = await vpmu(['check', broken]);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain(`line 1: `);
      expect(stderr).toContain(message);
    }
  });
});

describe('vpmu check of a folder', () => {
  async function folderOf(): Promise<string> {
    const { slice } = await withSlice();
    const folder = scratch();
    const text = readFileSync(slice, 'utf8');
    copyFileSync(slice, join(folder, 'a.jsonl'));
    writeFileSync(join(folder, 'b.jsonl'), text.replace('"confirmed":7', '"confirmed":6'));
    writeFileSync(join(folder, 'c#.jsonl'), text.slice(0, text.length / 2));
    writeFileSync(join(folder, 'notes.txt'), 'what we saw <1>\n');
    return folder;
  }

  it('runs every file, and goes on after one that fails: exit 1', async () => {
    const folder = await folderOf();
    const { code, stdout, stderr } = await vpmu(['check', '.'], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^passed {3}a\.jsonl\n {9}7 guest reads: .* as when it was cut$/m);
    expect(stdout).toMatch(
      /^failed {3}b\.jsonl\n {9}guest reads confirmed: 7, 6 when the slice was cut$/m,
    );
    expect(stdout).toMatch(/^error {4}c#\.jsonl\n {9}c#\.jsonl: /m);
    expect(stdout).toMatch(/^skipped {2}notes\.txt\n {9}not a recording$/m);
    expect(stdout).toMatch(/^1 passed, 1 failed, 1 not readable, 1 skipped\.$/m);
    const result = json((await vpmu(['check', folder, '--json'])).stdout);
    expect(result).toMatchObject({ passed: 1, failed: 1, error: 1, skipped: 1 });
  });

  it('speaks TAP', async () => {
    const folder = await folderOf();
    const { code, stdout } = await vpmu(['check', '--format', 'tap', '.'], { cwd: folder });
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, 3)).toEqual(['TAP version 13', '1..4', 'ok 1 - a.jsonl']);
    expect(lines).toContain('not ok 2 - b.jsonl');
    expect(lines).toContain('not ok 3 - c\\#.jsonl');
    expect(lines.at(-1)).toBe('ok 4 - notes.txt # SKIP not a recording');
  });

  it('speaks JUnit', async () => {
    const folder = await folderOf();
    const { stdout } = await vpmu(['check', '--format', 'junit', folder]);
    expect(stdout).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<testsuites tests="4"/);
    expect(stdout).toMatch(/failures="1" errors="1" skipped="1"/);
    expect(stdout.match(/<testcase /g)).toHaveLength(4);
    // Every tag that is opened is closed.
    const open = [...stdout.matchAll(/<([a-z-]+)(?:\s[^>]*[^/?])?>/g)].map(([, tag]) => tag);
    const closed = [...stdout.matchAll(/<\/([a-z-]+)>/g)].map(([, tag]) => tag);
    expect(open.toSorted()).toEqual(closed.toSorted());
  });

  it('says that nothing could be checked: exit 4', async () => {
    const folder = scratch();
    expect((await vpmu(['check', folder])).code).toBe(4);
    writeFileSync(join(folder, 'notes.txt'), 'nothing\n');
    const { code, stdout } = await vpmu(['check', folder]);
    expect(code).toBe(4);
    expect(stdout).toContain('0 passed, 0 failed, 0 not readable, 1 skipped.');
  });

  it('refuses a form or a role without a folder', async () => {
    const folder = await folderOf();
    for (const args of [
      ['check', '--format', 'tap', LEAN],
      ['check', '--format', 'xml', folder],
      ['check', folder, '--guest', LEAN],
      ['check', folder, '--json', '--format', 'tap'],
    ]) {
      const { code, stdout } = await vpmu(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
    }
  });
});
