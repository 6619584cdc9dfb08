import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { refuseLosingInput, replaceFile } from '../../src/cli/write-file.ts';
import { UsageError } from '../../src/domain/errors.ts';
import { openLogForImport } from '../../src/log/log.ts';
import { importEvents, timeline } from '../log/helpers.ts';

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

it('a file that could not be written to its end is as it was, and nothing lies beside it', () => {
  const folder = scratch();
  const path = join(folder, 'a');
  writeFileSync(path, 'old');
  const half = (): void =>
    replaceFile(path, (into) => {
      writeFileSync(into, 'ne');
      throw new Error('disk');
    });
  expect(half).toThrow('disk');
  expect(readFileSync(path, 'utf8')).toBe('old');
  replaceFile(path, (into) => writeFileSync(into, 'new'));
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect(readdirSync(folder)).toEqual(['a']);
});

it('what is read is never written over, whatever it is called, nor is a log', async () => {
  const folder = scratch();
  const input = join(folder, 'rec.txt');
  writeFileSync(input, 'x');
  symlinkSync(input, join(folder, 'soft'));
  linkSync(input, join(folder, 'hard'));
  for (const output of ['rec.txt', 'soft', 'hard', './rec.txt']) {
    for (const named of [input, `host:${input}`]) {
      expect(() => refuseLosingInput(join(folder, output), [named])).toThrow(UsageError);
    }
  }
  const log = openLogForImport(join(folder, 'other.vpmu'));
  await importEvents(log, timeline(10, 1));
  log.close();
  expect(() => refuseLosingInput(join(folder, 'other.vpmu'), [input])).toThrow('is a log');
  writeFileSync(join(folder, 'text'), 'y');
  for (const free of ['text', 'new']) refuseLosingInput(join(folder, free), [input, '-', 'nosuch']);
});
