import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, scratch, shell, vpmu } from './vpmu.ts';

function page(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

/** A folder in which the lines of the documents can be typed: with the shipped recordings, and a log guest.vpmu. */
async function desk(): Promise<string> {
  const folder = scratch();
  symlinkSync(join(ROOT, 'traces'), join(folder, 'traces'));
  const made = await vpmu(
    [
      'import',
      '-q',
      '-o',
      'guest.vpmu',
      '--kernel',
      '6.12.117',
      'traces/S3-lean/trace-raw.txt.zst',
    ],
    { cwd: folder },
  );
  expect(made).toEqual({ code: 0, stdout: '', stderr: '' });
  return folder;
}

/** Types every line and expects that it does its work, whatever it finds. */
async function type(lines: readonly string[]): Promise<void> {
  expect(lines.length).toBeGreaterThan(0);
  const cwd = await desk();
  for (const line of lines) {
    const { code, stderr } = await shell(line, { cwd });
    expect({ line, code, stderr }).toEqual({
      line,
      code: expect.toSatisfy((code: number) => [0, 1, 4].includes(code)),
      stderr: expect.not.stringContaining('hint:'),
    });
  }
}

/** Command lines of `vpmu` in a text; lines that need a recorder are left out. */
function commandLines(text: string): readonly string[] {
  return [...text.matchAll(/^ *(?:npx )?(vpmu (?!VERB|--help).*)$/gm)]
    .map((match) => match[1]!)
    .filter((line) => !line.includes('perf script'));
}

describe('the README', () => {
  it('shows what the commands print', async () => {
    const [block] = /^\$ vpmu [\s\S]*?(?=^```)/m.exec(page('README.md'))!;
    const shown = block.split(/^\$ /m).slice(1);
    expect(shown.length).toBeGreaterThan(2);
    for (const part of shown) {
      const [line, ...expected] = part.trimEnd().split('\n');
      const { stdout } = await shell(line!);
      let at = 0;
      for (const text of expected) {
        if (text === '…') continue;
        const found = stdout.indexOf(`${text}\n`, at);
        expect(found, `${line}: ${text}`).toBeGreaterThanOrEqual(at);
        at = found + text.length + 1;
      }
    }
  });

  it('has only commands that work', () => type(commandLines(page('README.md'))));
});

describe('the guide', () => {
  it('has only commands that work', () => type(commandLines(page('docs/guide.md'))));
});

describe('the recordings', () => {
  const names = readdirSync(join(ROOT, 'traces'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

  it.each(names)('%s can be tried as its README says', (name) =>
    type(commandLines(page(`traces/${name}/README.md`))),
  );
});

describe('the help texts', () => {
  it('show only examples that work', async () => {
    const help = await vpmu(['--help']);
    const verbs = [...help.stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1]!);
    const examples = await Promise.all(
      verbs
        .filter((verb) => verb !== 'help')
        .map(async (verb) => (await vpmu([verb, '--help'])).stdout),
    );
    await type([help.stdout, ...examples].flatMap(commandLines));
  });
});
