import { readFileSync } from 'node:fs';

/** `vpmu 0.1.0`, from the package this file belongs to. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return `vpmu ${(JSON.parse(text) as { version: string }).version}`;
}
