import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Files that SQLite keeps beside a log. */
export const SIDE_FILES: readonly string[] = ['-wal', '-shm', '-journal'];

const DAY_MS = 24 * 60 * 60 * 1000;

/** `FILE.building.PID.PLACE.UUID`, and the files beside it. */
const BUILD = /^(?<build>.+\.building\.(?<pid>\d+)\.(?<place>[0-9a-f]{12})\.[0-9a-f-]{36})/;

/** A name for a file while this process makes it: it tells whose it is. */
export function buildName(file: string): string {
  return `${file}.building.${process.pid}.${place()}.${randomUUID()}`;
}

export function isBuild(entry: string): boolean {
  return BUILD.test(entry);
}

/**
 * Removes what killed processes left half-built in a folder, and nothing else. A process is known to be gone only in its own place (boot and
 * pid namespace, since a folder may be shared); elsewhere a build is given up when nobody has written to it for a day.
 */
export function removeDeadBuilds(folder: string): void {
  for (const entry of readdirSync(folder)) {
    const found = BUILD.exec(entry)?.groups;
    if (found === undefined || found['build'] !== entry) continue;
    const here = found['place'] === place();
    if (here ? !isAlive(Number(found['pid'])) : isForgotten(folder, entry)) {
      removeLog(join(folder, entry));
    }
  }
}

/** Removes a log with the files beside it. */
export function removeLog(path: string): void {
  // The log last: while it is there, the next run finds them.
  for (const suffix of [...SIDE_FILES, '']) rmSync(path + suffix, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isForgotten(folder: string, entry: string): boolean {
  const written = ['', '-wal'].map(
    (suffix) => statSync(join(folder, entry + suffix), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Date.now() - Math.max(...written) > DAY_MS;
}

let known: string | undefined;

/** Where process ids mean what they mean here. */
function place(): string {
  if (known === undefined) {
    const hash = createHash('sha256').update(hostname());
    for (const tell of [
      () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'),
      () => readlinkSync('/proc/self/ns/pid'),
    ]) {
      try {
        hash.update(tell());
      } catch {
        // Not Linux: then the name of the machine has to do.
      }
    }
    known = hash.digest('hex').slice(0, 12);
  }
  return known;
}
