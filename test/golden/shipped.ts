import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import {
  importInto,
  type Log,
  type Observation,
  openLog,
  parseWithheld,
  prepareReplay,
  replay,
} from '../../src/index.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TRACES = join(ROOT, 'traces');

const FORM =
  /^((?:trace-raw|trace-cmd-report|perf-script)(?:-\w+)?(?=\.txt)|perf\.data|trace(?:-v6)?\.dat)(?:\.txt)?(?:\.zst|\.gz)?$/;

/**
 * The arm64 recordings that ship, each with its forms: `trace-raw`, `perf-script-F`, `perf.data`, … → path. Names that begin
 * with X are of x86 hosts.
 */
export const SHIPPED: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  readdirSync(TRACES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('X'))
    .map(({ name }): [string, Map<string, string>] => {
      const texts = readdirSync(join(TRACES, name)).flatMap((file): [string, string][] => {
        const form = FORM.exec(file)?.[1];
        return form === undefined ? [] : [[form, join(TRACES, name, file)]];
      });
      return [name, new Map(texts)];
    })
    // Folders of perf stat outputs alone are no recordings.
    .filter(([, forms]) => forms.size > 0),
);

/** `perf script` without --guest-code: nothing of a guest is left in it. */
export const INCOMPLETE = 'perf-script-default';

/** One row per shipped text that holds guest reads, for `it.each`. */
export const TEXTS: readonly { recording: string; form: string; path: string }[] = [
  ...SHIPPED,
].flatMap(([recording, forms]) =>
  [...forms]
    .filter(([form]) => form !== INCOMPLETE)
    .map(([form, path]) => ({ recording, form, path })),
);

/** What the guest of a recording printed. */
export function consoleOf(recording: string): string {
  return readFileSync(join(TRACES, recording, 'guest-console.txt'), 'utf8');
}

const logs = new Map<string, Promise<Log>>();
let folder: string | undefined;

/** A log of these recordings (`guest:PATH`: of the guest), made once per test file and gone at its end. */
export function logOf(...paths: readonly string[]): Promise<Log> {
  const key = paths.join('\n');
  let log = logs.get(key);
  if (log === undefined) {
    folder ??= mkdtempSync(join(tmpdir(), 'vpmu-golden-'));
    const file = join(folder, `${logs.size}.vpmu`);
    log = importInto(
      file,
      paths.map((path) =>
        path.startsWith('guest:') ? { path: path.slice('guest:'.length), role: 'guest' } : { path },
      ),
    ).then(() => openLog(file));
    logs.set(key, log);
  }
  return log;
}

/** Every guest read of a log as replayed without the evidence that `without` names. */
export async function guestReads(
  log: Log,
  without: readonly string[] = [],
): Promise<readonly Observation[]> {
  const { source, config } = prepareReplay(log, { withheld: parseWithheld(without) });
  const reads: Observation[] = [];
  await replay(source, config).forEach(({ observations }) => {
    reads.push(...observations);
  });
  return reads;
}

afterAll(async () => {
  for (const log of logs.values()) (await log).close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});
