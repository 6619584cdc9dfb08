import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, vpmu } from './vpmu.ts';

const PROGRAM = join(ROOT, 'dist', 'cli');

function piece(name: string): string {
  return readFileSync(join(PROGRAM, name), 'utf8');
}

/** The pieces of the program that are loaded with this one. */
function loadedWith(name: string, known = new Set<string>()): ReadonlySet<string> {
  if (known.has(name)) return known;
  known.add(name);
  for (const [, other] of piece(name).matchAll(/^import\b[^;]*?"\.\/([^"]+)"/gm)) {
    loadedWith(other!, known);
  }
  return known;
}

function verb(name: string): string {
  const found = new RegExp(`import\\("\\./(${name}-[^"]+\\.js)"\\)`).exec(piece('main.js'));
  return found![1]!;
}

/** Rooms and packages whose code is in these pieces. */
function contents(pieces: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of pieces) {
    for (const [, where] of piece(name).matchAll(
      /^\/\/ (?:\S*node_modules\/|src\/)([\w.-]+)\/\S+\.[mc]?[jt]s$/gm,
    )) {
      found.add(where!);
    }
  }
  return found;
}

describe('the program', () => {
  it('loads a verb when it is used, and no room it does not need', () => {
    expect([...contents(loadedWith('main.js'))].sort()).toEqual(['cli', 'commander', 'domain']);
    const imports = contents(loadedWith(verb('import')));
    expect([...imports].sort()).toEqual(['arch', 'cli', 'commander', 'domain', 'import', 'log']);
    const replays = contents(loadedWith(verb('replay')));
    expect([...replays]).toEqual(expect.arrayContaining(['replay', 'emulator', 'rxjs']));
  });

  it('tells the place of an error by the sources, on demand', async () => {
    const { stderr } = await vpmu(['info', 'README.md'], { env: { VPMU_DEBUG: '1' } });
    expect(stderr).toMatch(/^ {4}at recognise \(\S*src\/import\/recognise\.ts:\d+:\d+\)$/m);
    const { stderr: quiet } = await vpmu(['info', 'README.md']);
    expect(quiet).not.toMatch(/^ +at /m);
  });

  it('finds a verb behind what commands allow before it', async () => {
    expect(await vpmu(['--', 'models'])).toEqual(await vpmu(['models']));
  });
});
