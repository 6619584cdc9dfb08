import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Rooms whose code decides what an import gives: a cache made by other code is not used. */
const IMPORTING_ROOMS = ['import', 'log', 'arch', 'domain'];

/** Digest of the code of the importing rooms, as this process runs it. `build.mjs` computes it once for the program. */
export function codeDigest(): string {
  const hash = createHash('sha256');
  for (const room of IMPORTING_ROOMS) {
    const folder = fileURLToPath(new URL(`../${room}`, import.meta.url));
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
      if (/\.[jt]s$/.test(file)) hash.update(readFileSync(join(folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 8);
}
