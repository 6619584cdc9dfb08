import { closeSync, fstatSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type JsonLinesSource, writeJsonLines } from '../index.ts';

/** Writes events as JSON lines; a regular file that could not be written to its end is removed. */
export function writeJsonLinesFile(path: string, source: JsonLinesSource): void {
  const file = openSync(path, 'w');
  const regular = fstatSync(file).isFile();
  try {
    writeJsonLines(source, (text) => writeFileSync(file, text));
  } catch (error) {
    if (regular) rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
