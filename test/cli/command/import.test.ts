import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BARE, json, withRecording } from './recordings.ts';
import { ROOT, scratch, shell, start, vpmu } from './vpmu.ts';

describe('vpmu import', () => {
  it('puts several recordings into one log, and each only once', async () => {
    const folder = scratch();
    const args = [
      'import',
      '-o',
      'a.vpmu',
      join(ROOT, BARE),
      `host:${join(ROOT, 'traces/S5-bare/host-perf-stat.json')}`,
    ];
    const first = await vpmu(args, { cwd: folder });
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('a.vpmu: 14,830 events from 2 recordings');
    expect(first.stdout).toContain('relative-time');
    const again = await vpmu(args, { cwd: folder });
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('a.vpmu: 0 events from 0 recordings');
    expect(again.stdout).toContain('in the log already (recording 1), nothing was added');
    const info = json((await vpmu(['info', '--json', 'a.vpmu'], { cwd: folder })).stdout);
    expect(info['events']).toBe(14_830);
    expect(info['recordings']).toMatchObject([
      { format: 'tracefs', role: 'host' },
      { format: 'perf-stat-json', role: 'host' },
    ]);
  });

  it('names the log after the first recording, in the current folder', async () => {
    const folder = scratch();
    const { stdout } = await vpmu(['import', join(ROOT, BARE)], { cwd: folder });
    expect(stdout).toContain('trace-raw.vpmu: 14,802 events');
    expect(existsSync(join(folder, 'trace-raw.vpmu'))).toBe(true);
  });

  it('takes roles by prefix and by option, and a file that is called like a prefix as it is', async () => {
    const folder = scratch();
    const stat = join(ROOT, 'traces/S5-bare/host-perf-stat.json');
    cpSync(stat, join(folder, 'guest:x'));
    const role = async (...args: string[]): Promise<unknown> =>
      (
        json((await vpmu(['info', '--json', ...args], { cwd: folder })).stdout)['recordings'] as {
          role: string;
        }[]
      )[0]!.role;
    expect(await role(`guest:${stat}`)).toBe('guest');
    expect(await role('--guest', stat)).toBe('guest');
    expect(await role('--host', stat)).toBe('host');
    expect(await role('guest:x')).toBe('host');
  });

  it('takes rules for probes of its user, and refuses bad ones', async () => {
    const folder = scratch();
    const map = join(folder, 'map.json');
    writeFileSync(
      map,
      JSON.stringify({
        format: 'vpmu-map/1',
        events: { irq_handler_entry: { kind: 'irq-level', fields: { irq: 'code' } } },
      }),
    );
    const args = ['import', '--json', '-o', join(folder, 'a.vpmu'), '--map'];
    expect((await vpmu([...args, map, BARE])).code).toBe(0);
    const info = json((await vpmu(['info', '--json', join(folder, 'a.vpmu')])).stdout);
    expect(info['unmapped']).toHaveLength(2);
    for (const [content, code] of [
      ['{', 2],
      ['{"format":"vpmu-map/2"}', 2],
      [undefined, 3],
    ] as const) {
      if (content === undefined) rmSync(map);
      else writeFileSync(map, content);
      const refused = await vpmu([...args, map, BARE]);
      expect({ content, code: refused.code, stdout: refused.stdout }).toEqual({
        content,
        code,
        stdout: '',
      });
      expect(refused.stderr).toMatch(/^vpmu: .*map\.json: .*\n(hint: .*\n)?$/);
    }
  });

  it('refuses what is no recording in one line and makes no log', async () => {
    const folder = scratch();
    const files: Record<string, string | Uint8Array> = {
      empty: '',
      junk: Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3)) & 0xff),
      'half-line': 'this is no tra',
      nuls: new Uint8Array(100_000),
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    for (const name of [...Object.keys(files), 'missing', '.']) {
      const { code, stdout, stderr } = await vpmu(['import', '-o', 'a.vpmu', name], {
        cwd: folder,
      });
      expect({ name, code, stdout }).toEqual({ name, code: 3, stdout: '' });
      const lines = stderr.trimEnd().split('\n');
      expect(lines.length).toBeLessThanOrEqual(2);
      expect(lines[0]).toMatch(new RegExp(`^vpmu: ${name.replace('.', '\\.')}: `));
      if (lines.length > 1) expect(lines[1]).toMatch(/^hint: /);
      expect(existsSync(join(folder, 'a.vpmu'))).toBe(false);
    }
  });
});

describe('an interrupted import', () => {
  it('leaves no log, or the log as it was: exit 130', async () => {
    const folder = scratch();
    const log = join(folder, 'a.vpmu');
    const interrupted = async (): Promise<void> => {
      const child = start(['import', '-o', log, '-']);
      const ended = new Promise((resolve) => child.on('close', resolve));
      let said = '';
      child.stderr!.on('data', (text) => {
        said += text;
      });
      child.stdin!.on('error', () => {});
      child.stdin!.write('# tracer: nop\n');
      for (let i = 0; i < 20_000; i++) {
        child.stdin!.write(
          ` bash-164 [000] d.... 1.${String(i).padStart(6, '0')}: ev_read: (a <- b) event=0x1 val=1\n`,
        );
      }
      // More than a pipe holds: when the last of it is written, the import is under way.
      await new Promise((resolve) => child.stdin!.write('\n', resolve));
      child.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(said).toBe('vpmu: interrupted: nothing was imported\n');
      child.stdin!.destroy();
    };
    await interrupted();
    expect(readdirSync(folder)).toEqual([]);
    await vpmu(['import', '-o', log, BARE]);
    const before = (await vpmu(['verify', log])).stdout;
    await interrupted();
    expect((await vpmu(['verify', log])).stdout).toBe(before);
  });
});

describe('on a terminal', () => {
  /** Runs vpmu with a terminal of 100 columns as its output; what it would show comes back as text. */
  async function onTerminal(args: string, env: Record<string, string> = {}): Promise<string> {
    const run = `import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['bash', '-c', 'stty cols 100; "$@"', 'bash', *sys.argv[1:]])))`;
    const { code, stdout } = await shell(
      // Node shows no colours where CI is set, terminal or not.
      `unset CI; python3 -c "$RUN" '${process.execPath}' '${join(ROOT, 'dist/cli/main.js')}' ${args}`,
      { env: { RUN: run, TERM: 'xterm-256color', ...env } },
    );
    expect(code).toBe(0);
    return stdout;
  }

  it('shows progress and colours, unless NO_COLOR is set', async () => {
    const { recording } = withRecording();
    const shown = await onTerminal(`info '${recording}'`);
    expect(shown).toContain('\x1b[1m');
    expect(shown).toMatch(/importing rec\.zst: \d+ %, [\d,]+ events/);
    const plain = await onTerminal(`info '${recording}'`, { NO_COLOR: '1' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences of a terminal are what is looked for
    expect(plain).not.toMatch(/\x1b\[\d*m/);
  });
});
