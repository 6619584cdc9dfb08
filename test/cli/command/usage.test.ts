import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, vpmu } from './vpmu.ts';

describe('the command line', () => {
  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(await vpmu(['--version'])).toEqual({ code: 0, stdout: `vpmu ${version}\n`, stderr: '' });
  });

  it('prints its help, and that of every verb with an example', async () => {
    const { code, stdout, stderr } = await vpmu(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const verbs = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)]
      .map((match) => match[1]!)
      .filter((verb) => verb !== 'help');
    expect(verbs).toEqual(expect.arrayContaining(['import', 'info', 'events', 'verify']));
    for (const verb of verbs) {
      const help = await vpmu([verb, '--help']);
      expect({ verb, code: help.code, stderr: help.stderr }).toEqual({ verb, code: 0, stderr: '' });
      expect(help.stdout).toMatch(new RegExp(`^ {2}vpmu ${verb}`, 'm'));
    }
  });

  it('is called wrongly: one line and a hint, exit 2', async () => {
    const cases: readonly (readonly [args: readonly string[], message: string, hint: string])[] = [
      [['evnts'], '"evnts" is no verb of vpmu (did you mean events?)', 'verbs: import,'],
      [['frobnicate', 'x'], '"frobnicate" is no verb of vpmu', 'verbs: import,'],
      [['info', '--jsn'], "unknown option '--jsn' (did you mean --json?)", 'vpmu info --help'],
      [['events', '--vcpu'], "option '--vcpu <LIST>' argument missing", 'vpmu events --help'],
      [['info'], 'no log and no recording given', 'name a log'],
    ];
    for (const [args, message, hint] of cases) {
      const outcome = await vpmu(args);
      expect({ args, code: outcome.code, stdout: outcome.stdout }).toEqual({
        args,
        code: 2,
        stdout: '',
      });
      const lines = outcome.stderr.trimEnd().split('\n');
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatch(/^vpmu: /);
      expect(lines[0]).toContain(message);
      expect(lines[1]).toMatch(/^hint: /);
      expect(lines[1]).toContain(hint);
    }
  });

  it('is called without anything: help, exit 2', async () => {
    const { code, stdout, stderr } = await vpmu([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: vpmu VERB');
  });
});
