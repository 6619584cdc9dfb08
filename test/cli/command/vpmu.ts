import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The project's folder: commands run in it, so that the shipped recordings are `traces/…`. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const MAIN = join(ROOT, 'dist', 'cli', 'main.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
}

/** Starts `vpmu ARGS` as a child process. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...clean(process.env), ...options.env },
  });
}

/** Runs `vpmu ARGS` and waits for its end. */
export function vpmu(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return finish(start(args, options), options.stdin);
}

/** Runs a shell line in which `vpmu` is the command; pipes, redirections and `ulimit` as a user writes them. */
export function shell(line: string, options: RunOptions = {}): Promise<Outcome> {
  const define = `vpmu() { '${process.execPath}' '${MAIN}' "$@"; }`;
  const child = spawn('bash', ['-c', `${define}\n${line}`], {
    cwd: options.cwd ?? ROOT,
    env: { ...clean(process.env), ...options.env },
  });
  return finish(child, options.stdin);
}

/** A folder of its own for one test, gone when the test is over. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The environment without what changes output. */
function clean(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { COLUMNS, NO_COLOR, FORCE_COLOR, VPMU_DEBUG, ...rest } = env;
  return rest;
}

function finish(child: ChildProcess, stdin: string | Uint8Array = ''): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A command that does not read its input closes it early.
  child.stdin!.on('error', () => {});
  child.stdin!.end(stdin);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}
