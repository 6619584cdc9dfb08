import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
// biome-ignore lint/correctness/useImportExtensions: its types stand in build.d.mts
import { buildProgram } from '../../build.mjs';
import { fixture, temporaryFolder } from './survive.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const MAIN = join(folder, 'program', 'dist', 'cli', 'main.js');

/** A shell line in which `vpmu` is the command, run in the test's folder. */
function shell(line: string): { code: number | null; stdout: string; stderr: string } {
  const script = `vpmu() { '${process.execPath}' '${MAIN}' "$@"; }\n${line}`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    cwd: join(folder, 'work'),
    encoding: 'utf8',
    timeout: 60_000,
  });
  // No way of misusing it may show the inside, or more than a line and a hint.
  expect(stderr).not.toMatch(/internal error|^\s+at /m);
  return { code: status, stdout, stderr };
}

function files(): string[] {
  return readdirSync(join(folder, 'work')).sort();
}

// Built apart from dist/, which other tests may be building at the same time.
beforeAll(async () => {
  const program = join(folder, 'program');
  mkdirSync(program);
  mkdirSync(join(folder, 'work'));
  for (const name of ['node_modules', 'migrations', 'package.json']) {
    symlinkSync(join(ROOT, name), join(program, name));
  }
  await buildProgram(join(program, 'dist'));
  for (const name of ['arm64-6.12.tracefs.txt', 'x86-6.12.perf-script.txt']) {
    writeFileSync(
      join(folder, 'work', name.startsWith('x86') ? 'x86.txt' : 'a.txt'),
      fixture(name),
    );
  }
  expect(shell('vpmu import -q -o a.vpmu a.txt').code).toBe(0);
});

describe('the command line', () => {
  it('does not pass over a full disk', () => {
    for (const verb of ['export', 'events', 'info']) {
      const { code, stderr } = shell(`vpmu ${verb} a.vpmu > /dev/full`);
      expect({ verb, code, stderr }).toMatchObject({
        code: 3,
        stderr: /no space/i.test(stderr) ? stderr : 'no space',
      });
    }
  });

  it('ends quietly when its reader leaves', () => {
    expect(shell('vpmu events a.vpmu | head -n 1; exit $PIPESTATUS')).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  it('leaves no half log when files may not grow', () => {
    const before = files();
    const { code, stderr } = shell('ulimit -f 30; vpmu import -o small.vpmu a.txt');
    expect(code).toBe(3);
    expect(stderr).toMatch(/^vpmu: .*small\.vpmu.*\n(hint: .*\n)?$/);
    expect(files()).toEqual(before);
  });

  it('reads what is no regular file once', () => {
    const plain = shell('vpmu events a.txt').stdout;
    expect(shell('vpmu events <(cat a.txt)').stdout).toBe(plain);
    expect(shell('cat a.txt | vpmu events /dev/stdin').stdout).toBe(plain);
    expect(shell('cat a.txt | vpmu events -').stdout).toBe(plain);
    expect(shell('cat a.txt | vpmu events - -')).toMatchObject({ code: 2, stdout: '' });
  });

  it('makes a damaged cache anew', () => {
    const good = shell('vpmu check a.txt');
    const cache = join(folder, 'work', '.vpmu-cache');
    const entries = readdirSync(cache);
    expect(entries).toHaveLength(1);
    for (const bytes of ['', 'rubbish', readFileSync(join(cache, entries[0]!)).subarray(0, 9000)]) {
      writeFileSync(join(cache, entries[0]!), bytes);
      expect(shell('vpmu check a.txt')).toEqual(good);
    }
    expect(readdirSync(cache)).toEqual(entries);
  });

  it('survives being killed in the middle of an import', () => {
    copyFileSync(join(folder, 'work', 'a.vpmu'), join(folder, 'work', 'b.vpmu'));
    // The writer holds the pipe open: the import waits for the rest. (A shell function would be a process of its own.)
    const killed = shell(
      `mkfifo pipe; '${process.execPath}' '${MAIN}' import -o b.vpmu - < pipe & pid=$!; exec 9> pipe; cat a.txt >&9; sleep 2; kill -9 $pid; exec 9>&-; wait $pid; rm pipe`,
    );
    expect(killed.stdout).toBe('');
    expect(shell('vpmu verify b.vpmu').code).toBe(0);
    expect(shell('vpmu events b.vpmu').stdout).toBe(shell('vpmu events a.vpmu').stdout);
    writeFileSync(join(folder, 'work', 'b.txt'), fixture('arm64-6.1.tracefs.txt'));
    expect(shell('vpmu import -o b.vpmu b.txt').code).toBe(0);
    expect(files().filter((name) => name.startsWith('b.vpmu'))).toEqual(['b.vpmu']);
  });

  it('replays a recording of an x86 host under x86 rules', () => {
    expect(shell('vpmu info x86.txt').code).toBe(0);
    for (const verb of ['check', 'replay']) {
      const { code, stdout } = shell(`vpmu ${verb} x86.txt`);
      expect({ verb, code: code === 0 || code === 4 }).toEqual({ verb, code: true });
      expect(stdout).toMatch(/x86-kvm-6/);
      expect(stdout).not.toMatch(/_EL0|arm64/);
    }
  });

  it.each([
    'check a.vpmu --without toString',
    'check a.vpmu --without __proto__',
    'check a.vpmu --rules constructor',
    'verify a.vpmu nothing-like-that.vpmu',
    'import -o "" a.txt',
  ])('refuses: vpmu %s', (line) => {
    const { code, stdout, stderr } = shell(`vpmu ${line}`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^vpmu: .*\n(hint: .*\n)?$/);
  });
});
