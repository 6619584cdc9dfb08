import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ROOT, scratch, vpmu } from './vpmu.ts';

export const BARE = 'traces/S5-bare/trace-raw.txt.zst';
export const BARE_61 = 'traces/S5-bare-61/trace-raw.txt.zst';

/** A scratch folder with a recording of its own in it. */
export function withRecording(): { readonly folder: string; readonly recording: string } {
  const folder = scratch();
  cpSync(join(ROOT, BARE), join(folder, 'rec.zst'));
  return { folder, recording: join(folder, 'rec.zst') };
}

/** A scratch folder with a log of a recording in it. */
export async function withLog(recording = BARE): Promise<{ folder: string; log: string }> {
  const folder = scratch();
  const log = join(folder, 'a.vpmu');
  const { code, stderr } = await vpmu(['import', '-o', log, recording]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return { folder, log };
}

export function json(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}
