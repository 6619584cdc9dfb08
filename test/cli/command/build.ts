import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
// biome-ignore lint/correctness/useImportExtensions: its types stand in build.d.mts
import { buildLibrary, buildProgram } from '../../../build.mjs';

const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));

/** Builds library and command line once before the tests that start them. */
export default async function setup(): Promise<void> {
  const complaints: string = buildLibrary(DIST);
  if (!existsSync(join(DIST, 'index.js'))) throw new Error(`the build failed:\n${complaints}`);
  await buildProgram(DIST);
}
