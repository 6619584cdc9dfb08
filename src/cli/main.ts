#!/usr/bin/env node
import { run } from './run.ts';
import { processShell } from './shell.ts';

// A stack trace then names the lines of the sources, not of the pieces build.mjs makes of them.
if (process.env['VPMU_DEBUG'] === '1') process.setSourceMapsEnabled(true);
await run(process.argv.slice(2), processShell());
