// node bench/diagnose-noise.mjs [TRACES]: how many false alarms diagnosis gives on random clean traces (default 2,000),
// by cause and grade. The traces and the check are those of test/diagnose/noise.test.ts, which runs 100 of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [traces = '2000'] = process.argv.slice(2);
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--project',
    'rooms',
    'test/diagnose/noise.test.ts',
    '--disable-console-intercept',
  ],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, VPMU_NOISE: traces },
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
