import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './helpers.ts';

/**
 * The log as compiled, in processes of their own: that it finds its migrations from dist/, and what a user without all
 * rights sees. (Tests that already run as such a user need no other one.)
 */
const folder = temporaryFolder();
const root = new URL('../../', import.meta.url).pathname;
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

beforeAll(() => {
  chmodSync(folder, 0o755);
  for (const name of ['node_modules', 'migrations'])
    symlinkSync(join(root, name), join(folder, name));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const config = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: {
      rootDir: join(root, 'src'),
      outDir: join(folder, 'dist'),
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [join(root, 'src/log'), join(root, 'src/domain')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', join(folder, 'tsconfig.json')]);
}, 60_000);

/** Runs a script over the compiled log; what it prints, or the one line and hint of what it throws. */
function run(script: string, options: { uid?: number; gid?: number } = {}): string {
  const whole = `
    import { openLog, openLogForImport } from ${JSON.stringify(join(folder, 'dist/log/log.js'))};
    import { chunkOf } from ${JSON.stringify(join(folder, 'dist/domain/event-chunk.js'))};
    const facts = { name: 'x', format: 'x', role: 'host', timeResolution: 1 };
    const fill = (log, count, digest) => log.importRun(async (sink) => {
      const source = sink.beginSource('x');
      for (let i = 0; i < count; i++) sink.append(chunkOf([{ source, time: BigInt(i) }]));
      sink.finishSource(source, { facts, digest, bytes: 1, notices: [] });
    });
    try { ${script} } catch (error) {
      console.log(error.name + ': ' + error.message + (error.hint ? '' : ' (no hint)'));
    }`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', whole], {
    cwd: folder,
    encoding: 'utf8',
    ...options,
  }).trimEnd();
}

/** A folder with a log of some events, both with the given rights. */
function logWithRights(folderMode: number, fileMode: number): string {
  const inner = mkdtempSync(join(folder, 'rights-'));
  const path = join(inner, 'x.vpmu');
  run(
    `const log = openLogForImport(${JSON.stringify(path)}); await fill(log, 5000, 'a'); log.close();`,
  );
  chmodSync(path, fileMode);
  chmodSync(inner, folderMode);
  return path;
}

const READ = (path: string) => `
  const log = openLog(${JSON.stringify(path)});
  let events = 0;
  for (const chunk of log.chunks()) events += chunk.length;
  const store = log.checkpoints('k');
  store.save({ ordinal: 1, time: 5n, cursor: [1], state: Uint8Array.of(1) });
  console.log(events, store.nearest({ time: 9n }).ordinal, log.verify().ok);
  log.close();`;
const WRITE = (path: string) => `
  const log = openLogForImport(${JSON.stringify(path)});
  await fill(log, 10, 'b');
  console.log(log.eventCount);
  log.close();`;

describe('the compiled log', () => {
  it('finds its migrations', () => {
    const path = join(folder, 'new.vpmu');
    expect(
      run(`const log = openLogForImport(${JSON.stringify(path)});
      console.log(log.schema, log.eventCount); log.close();`),
    ).toBe('1 0');
  });

  it('reads and writes where it may', () => {
    const path = logWithRights(0o777, 0o666);
    expect(run(READ(path), nobody)).toBe('5000 1 true');
    expect(run(WRITE(path), nobody)).toBe('5010');
  });

  it('reads a file it may not write, in a folder it may not write, and leaves nothing beside it', () => {
    for (const [folderMode, fileMode] of [
      [0o555, 0o444],
      [0o555, 0o666],
      [0o777, 0o444],
    ] as const) {
      const path = logWithRights(folderMode, fileMode);
      expect(run(READ(path), nobody)).toBe('5000 1 true');
      expect(readdirSync(join(path, '..'))).toEqual(['x.vpmu']);
      chmodSync(join(path, '..'), 0o777);
    }
  });

  it('names the right that is missing', () => {
    const unreadable = logWithRights(0o777, 0o000);
    expect(run(READ(unreadable), nobody)).toBe(
      `InputError: cannot read ${unreadable}: permission denied`,
    );
    const unwritable = logWithRights(0o777, 0o444);
    expect(run(WRITE(unwritable), nobody)).toBe(
      `InputError: cannot write ${unwritable}: permission denied`,
    );
    const closed = logWithRights(0o555, 0o666);
    expect(run(WRITE(closed), nobody)).toBe(
      `InputError: cannot write ${closed}: its folder cannot be written`,
    );
    const inside = join(closed, '..', 'new.vpmu');
    expect(run(WRITE(inside), nobody)).toBe(
      `InputError: cannot write ${inside}: its folder cannot be written`,
    );
    const hidden = logWithRights(0o000, 0o666);
    expect(run(READ(hidden), nobody)).toBe(`InputError: cannot read ${hidden}: permission denied`);
    for (const path of [closed, hidden]) chmodSync(join(path, '..'), 0o777);
  });

  it('says when a killed import cannot be cleared up, and clears it up where it can', () => {
    const inner = mkdtempSync(join(folder, 'killed-'));
    const path = join(inner, 'x.vpmu');
    const script = `
      const log = openLogForImport(${JSON.stringify(path)});
      await fill(log, 5000, 'a');
      await log.importRun(async (sink) => {
        const source = sink.beginSource('x');
        const chunk = chunkOf(Array.from({ length: 4096 }, (_, i) => ({ source, value: BigInt(i) ** 5n })));
        for (let i = 0; i < 700; i++) sink.append(chunk);
        process.kill(process.pid, 'SIGKILL');
      });`;
    expect(() => run(script)).toThrow();
    expect(readdirSync(inner)).toEqual(['x.vpmu', 'x.vpmu-shm', 'x.vpmu-wal']);
    // A reader without rights on a copy, as it may be handed around.
    const copy = mkdtempSync(join(folder, 'copy-'));
    for (const end of ['', '-wal']) {
      execFileSync('cp', [path + end, join(copy, `x.vpmu${end}`)]);
      chmodSync(join(copy, `x.vpmu${end}`), 0o644);
    }
    chmodSync(copy, 0o555);
    expect(run(READ(join(copy, 'x.vpmu')), nobody)).toBe(
      `InputError: cannot open ${join(copy, 'x.vpmu')}: an import into it was cut off, and its folder cannot be written to clear that up`,
    );
    chmodSync(copy, 0o777);
    expect(run(READ(path))).toBe('5000 1 true');
    expect(readdirSync(inner)).toEqual(['x.vpmu']);
  });
});
