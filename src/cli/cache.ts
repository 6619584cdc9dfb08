import { accessSync, constants, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { codeDigest } from './code-digest.ts';
import { buildName, isBuild, removeDeadBuilds } from './half-built.ts';

/** Where the log made of some recordings is kept. */
export interface CacheEntry {
  readonly path: string;
  /** A name beside it for the log while it is being made. */
  readonly building: string;
  /** True when nothing is to be left behind. */
  readonly temporary: boolean;
}

/**
 * The cache entry of recordings with this digest: in `.vpmu-cache/` beside the first of them, else in the user's cache
 * folder, else in a folder that is removed when the process ends.
 */
export function cacheEntry(recording: string, digest: string): CacheEntry {
  const name = `${basename(recording).replace(/\.(zst|gz|txt|json)(?=$|\.)/g, '')}-${digest}`;
  const file = `${name}-${codeDigest()}.vpmu`;
  const folders = [
    join(dirname(recording), '.vpmu-cache'),
    join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'vpmu'),
  ];
  for (const folder of folders) {
    if (!isUsable(folder)) continue;
    removeDeadBuilds(folder);
    forgetOlder(folder, name, file);
    return {
      path: join(folder, file),
      building: join(folder, buildName(file)),
      temporary: false,
    };
  }
  return temporaryEntry(file);
}

/** An entry nobody finds again: for standard input, which cannot be read twice. */
export function temporaryEntry(file: string): CacheEntry {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-'));
  process.on('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  return { path: join(folder, file), building: join(folder, `${file}.new`), temporary: true };
}

function isUsable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Removes what older code made of the same recordings. */
function forgetOlder(folder: string, name: string, file: string): void {
  for (const entry of readdirSync(folder)) {
    // A build may be another process's, of other code, under way now.
    if (entry.startsWith(`${name}-`) && !entry.startsWith(file) && !isBuild(entry)) {
      rmSync(join(folder, entry), { force: true });
    }
  }
}
