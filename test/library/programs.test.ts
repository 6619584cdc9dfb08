import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as library from '../../src/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const BARE = join(ROOT, 'traces', 'S5-bare', 'trace-raw.txt.zst');
const BARE_61 = join(ROOT, 'traces', 'S5-bare-61', 'trace-raw.txt.zst');

const page = readFileSync(join(ROOT, 'docs', 'library.md'), 'utf8');
/** Each program with the output that follows it. */
const programs: { code: string; output: string }[] = [];
for (const [, language, text] of page.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
  if (language === 'js') programs.push({ code: text!, output: '' });
  else if (language === 'text') programs.at(-1)!.output = text!;
}

/** A project of its own with the package installed, as a user of the library has it. */
let project: string;

function tsc(...args: readonly string[]): string {
  return spawnSync(process.execPath, [TSC, ...args], { cwd: project, encoding: 'utf8' }).stdout;
}

function run(number: number, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(project, `program${number}.mjs`), ...args],
    { cwd: project, encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'vpmu-library-'));
  const installed = join(project, 'node_modules', 'vpmu');
  mkdirSync(installed, { recursive: true });
  for (const file of ['package.json', 'migrations']) {
    cpSync(join(ROOT, file), join(installed, file), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  for (const name of ['rxjs', '@types']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
  }
  const built = tsc('-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(installed, 'dist'));
  expect(built).toBe('');
  programs.forEach(({ code }, i) => {
    writeFileSync(join(project, `program${i + 1}.mjs`), code);
    writeFileSync(join(project, `program${i + 1}.mts`), code);
  });
  await library.importInto(join(project, 'guest.vpmu'), [{ path: BARE }]);
}, 120_000);

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

describe('the programs of docs/library.md', () => {
  it('are three', () => {
    expect(programs).toHaveLength(3);
  });

  it('pass the strictest type check against the published types', () => {
    const files = programs.map((_, i) => `program${i + 1}.mts`);
    const options = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes'];
    const output = ['--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    expect(tsc(...options, ...output, ...files)).toBe('');
  }, 60_000);

  it('1 prints what is in a log', () => {
    expect(run(1)).toEqual({ status: 0, stdout: programs[0]!.output, stderr: '' });
  });

  it('2 imports a recording and checks it', () => {
    const told = run(2, BARE_61, 'check.vpmu');
    expect(told).toEqual({ status: 0, stdout: programs[1]!.output, stderr: '' });
    // Again: nothing is added, and under the rules of another kernel it finds what does not fit.
    const wrong = run(2, BARE_61, 'check.vpmu', 'arm64-kvm-6.12');
    expect(wrong).toMatchObject({ status: 1, stderr: '' });
    expect(wrong.stdout).toMatch(
      /^arm64-kvm-6\.12 \(asked for\)\n.*\n@\d+ \w+: \d+ read, \d+ predicted\n$/,
    );
  });

  it('3 follows a counter until an instant', () => {
    expect(run(3, 'guest.vpmu', '31', '16.51')).toEqual({
      status: 0,
      stdout: programs[2]!.output,
      stderr: '',
    });
    const whole = run(3).stdout;
    expect(whole.startsWith(programs[2]!.output)).toBe(true);
    expect(whole.length).toBeGreaterThan(programs[2]!.output.length);
  });
});

describe('docs/library.md', () => {
  it('lists every name the library exports, and no other', () => {
    const table = page.slice(page.indexOf('## All names'));
    const listed = [...table.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    expect([...listed].sort()).toEqual(Object.keys(library).sort());
  });
});
