/**
 * `npm run demo`: a shipped recording through import, info, replay, check, diff and diagnose, each as a user would type it.
 * Exit code 0 when every command did its work, whatever it found.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT } from '../domain/errors.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const LOG = 'demo.vpmu';
const RECORDING = 'traces/S3-lean';

interface Step {
  readonly why: string;
  readonly args: readonly string[];
}

const STEPS: readonly Step[] = [
  {
    why: 'A Linux guest ran `perf stat` on the same loop six times. In rounds 3 and 4 it printed 0 cycles, "100 % running",\n# and no error. The host was traced meanwhile. Both recordings go into one log:',
    args: [
      'import',
      '-o',
      LOG,
      '--kernel',
      '6.12.117+deb12-arm64',
      `${RECORDING}/trace-raw.txt.zst`,
      `host:${RECORDING}/host-perf-stat.json`,
    ],
  },
  { why: 'What is in it?', args: ['info', LOG] },
  {
    why: "What did the guest's PMU hold while round 3 ran?",
    args: ['replay', LOG, '--at', '21.965'],
  },
  {
    why: 'Does every counter and register value the guest read fit the model?',
    args: ['check', LOG],
  },
  {
    why: 'What did the guest count, and what did the host count over the same spans?',
    args: ['diff', LOG],
  },
  {
    why: 'And why did it count nothing in some of them?',
    args: ['diagnose', LOG],
  },
];

process.chdir(ROOT);
for (const suffix of ['', '-wal', '-shm']) rmSync(LOG + suffix, { force: true });
for (const { why, args } of STEPS) {
  process.stdout.write(`\n# ${why}\n$ vpmu ${args.join(' ')}\n`);
  const { status, error } = spawnSync(process.execPath, [MAIN, ...args], { stdio: 'inherit' });
  const done = status === EXIT.ok || status === EXIT.differs || status === EXIT.inconclusive;
  if (!done) {
    process.stderr.write(`demo: vpmu ${args[0]} failed${error ? `: ${error.message}` : ''}\n`);
    process.exit(status ?? EXIT.input);
  }
}
process.stdout.write(`
# The log stays in ${LOG}. Go on from here:
#   npx vpmu events ${LOG} --kind hw-add --time 21.961,21.962   the placements that fail
#   npx vpmu check ${LOG} --without counts                      what the model knows without any recorded count
#   npx vpmu --help
`);
