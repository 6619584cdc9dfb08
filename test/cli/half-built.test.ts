import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { buildName, removeDeadBuilds } from '../../src/cli/half-built.ts';

function folderOf(names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const name of names) writeFileSync(join(folder, name), '');
  return folder;
}

const mine = buildName('a-1.vpmu');
const by = (pid: number): string => mine.replace(`.${process.pid}.`, `.${pid}.`);
const dead = by(spawnSync(process.execPath, ['-e', '']).pid);

it('half-built logs go with the files beside them when their process is gone, and only those', () => {
  const stay = [mine, `${mine}-wal`, by(process.ppid), by(1), 'a-1.vpmu', 'a.building.txt'];
  const folder = folderOf([...stay, dead, `${dead}-wal`, `${dead}-shm`, `${dead}-journal`]);
  removeDeadBuilds(folder);
  expect(readdirSync(folder).sort()).toEqual([...stay].sort());
});

it('what another machine builds in a shared folder stays until nobody has written to it for a day', () => {
  const away = dead.replace(/\.[0-9a-f]{12}\./, '.0123456789ab.');
  const folder = folderOf([away, `${away}-wal`]);
  const old = new Date(Date.now() - 25 * 3600_000);
  utimesSync(join(folder, away), old, old);
  removeDeadBuilds(folder);
  expect(readdirSync(folder)).toHaveLength(2);
  utimesSync(join(folder, `${away}-wal`), old, old);
  removeDeadBuilds(folder);
  expect(readdirSync(folder)).toEqual([]);
});
