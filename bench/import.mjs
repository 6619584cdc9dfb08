// node bench/import.mjs FILE…: rate at which recordings are imported, stored included, in events per CPU second.
//   FILE          any recording vpmu reads, packed or not
//   perf.data     is also decoded and printed by `perf script --ns --guest-code`, unpacked first
//   trace.dat     likewise by `trace-cmd report -t`
// For binary files the rate of the foreign tool is measured in the same run, so that the ratio is of one machine and
// one moment. Each import is a `vpmu import` of its own (start-up included) into a fresh log; the median of three.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, rate } from './measure.mjs';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: node bench/import.mjs FILE…');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'vpmu-bench-'));
const vpmu = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
try {
  for (const file of files) bench(file);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function bench(file) {
  const log = join(folder, 'bench.vpmu');
  const report = join(folder, 'report.json');
  const tool = printer(file);
  const printed = [];
  const runs = [];
  for (let round = 0; round < 3; round++) {
    if (tool !== undefined)
      printed.push(timed(tool.command, tool.args, join(folder, 'printed.txt')).seconds);
    for (const suffix of ['', '-wal', '-shm']) rmSync(log + suffix, { force: true });
    runs.push(timed(process.execPath, [vpmu, 'import', '-q', '--json', '-o', log, file], report));
  }
  const { events } = JSON.parse(readFileSync(report, 'utf8'));
  const seconds = median(runs.map((run) => run.seconds));
  const megabytes = Math.round(Math.max(...runs.map((run) => run.megabytes)));
  const bytes = statSync(log).size / events;
  let line = `${basename(file)}: ${events} events, ${rate(events, seconds)} imported and stored, ${bytes.toFixed(1)} bytes/event, peak ${megabytes} MB`;
  if (tool !== undefined) {
    const foreign = median(printed);
    line += `; ${tool.command} prints ${rate(events, foreign)}: ratio ${(foreign / seconds).toFixed(2)}`;
  }
  console.log(line);
}

/** The tool that decodes a binary recording, by its magic, and what to tell it. */
function printer(file) {
  let path = file;
  let head = headOf(file);
  if (head.readUInt32LE(0) === 0xfd2fb528) {
    path = join(folder, 'unpacked');
    const run = spawnSync('zstd', ['-dqf', file, '-o', path]);
    if (run.status !== 0) return undefined;
    head = headOf(path);
  }
  if (head.toString('latin1', 0, 8) === 'PERFILE2') {
    return { command: 'perf', args: ['script', '--ns', '--guest-code', '-i', path] };
  }
  if (head.toString('latin1', 3, 10) === 'tracing') {
    return { command: 'trace-cmd', args: ['report', '-t', '-i', path] };
  }
  return undefined;
}

function headOf(file) {
  const head = Buffer.alloc(10);
  const handle = openSync(file);
  readSync(handle, head, 0, 10, 0);
  closeSync(handle);
  return head;
}

/** CPU seconds and peak memory of a command whose output goes to a file. */
function timed(command, args, output) {
  const out = openSync(output, 'w');
  const script =
    'import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL); u=resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime+u.ru_stime, u.ru_maxrss, file=sys.stderr)';
  const run = spawnSync('python3', ['-c', script, command, ...args], {
    stdio: ['ignore', out, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(out);
  if (run.status !== 0) throw new Error(`${command}: ${run.stderr}`);
  const [seconds, kilobytes] = run.stderr.trim().split('\n').pop().split(' ').map(Number);
  return { seconds, megabytes: kilobytes / 1024 };
}
