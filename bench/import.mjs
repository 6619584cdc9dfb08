// node bench/import.mjs FILE…: rate at which recordings are imported, stored included, in events per CPU second.
//   FILE          any recording vpmu reads
//   perf.data     `perf script --ns --guest-code` decodes and prints it first; its text is then imported
//   trace.dat     `trace-cmd report -t` likewise
// For binary files the rate of the foreign tool is measured in the same run, so that the ratio is of one machine and
// one moment. Each import is a process of its own (start-up included), output to a fresh log; the median of three.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { median } from './measure.mjs';

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: node bench/import.mjs FILE…');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'vpmu-bench-'));
// A child process tells its own CPU time and peak memory when it ends.
const child = join(folder, 'import-one.mjs');
writeFileSync(
  child,
  `import { importInto } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
const [file, log] = process.argv.slice(2);
const report = await importInto(log, [{ path: file }]);
const used = process.resourceUsage();
console.log(JSON.stringify({ events: report.events, seconds: (used.userCPUTime + used.systemCPUTime) / 1e6, megabytes: used.maxRSS / 1024 }));
`,
);
try {
  for (const file of files) bench(file);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function bench(file) {
  const tool = printer(file);
  let text = file;
  let foreign;
  if (tool !== undefined) {
    text = join(folder, 'printed.txt');
    const seconds = [1, 2, 3].map(() => timed(tool.command, tool.args(file), text));
    foreign = median(seconds);
  }
  const log = join(folder, 'bench.vpmu');
  const runs = [1, 2, 3].map(() => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(log + suffix, { force: true });
    const run = spawnSync(process.execPath, [child, text, log], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
    return JSON.parse(run.stdout);
  });
  const { events } = runs[0];
  const seconds = median(runs.map((run) => run.seconds));
  const megabytes = Math.round(Math.max(...runs.map((run) => run.megabytes)));
  const bytes = statSync(log).size / events;
  const own = (events / seconds / 1e6).toFixed(2);
  let line = `${basename(file)}: ${events} events, ${own} M/s imported and stored, ${bytes.toFixed(1)} bytes/event, peak ${megabytes} MB`;
  if (foreign !== undefined) {
    line += `; ${tool.command} prints ${(events / foreign / 1e6).toFixed(2)} M/s: ratio ${(foreign / seconds).toFixed(2)}`;
  }
  console.log(line);
}

/** The tool that decodes a binary recording, by its magic. */
function printer(file) {
  const head = Buffer.alloc(10);
  const handle = openSync(file);
  readSync(handle, head, 0, 10, 0);
  closeSync(handle);
  if (head.toString('latin1', 0, 8) === 'PERFILE2') {
    return { command: 'perf', args: (path) => ['script', '--ns', '--guest-code', '-i', path] };
  }
  if (head.toString('latin1', 3, 10) === 'tracing') {
    return { command: 'trace-cmd', args: (path) => ['report', '-t', '-i', path] };
  }
  return undefined;
}

/** CPU seconds of a command whose output goes to a file. */
function timed(command, args, output) {
  const out = openSync(output, 'w');
  const script =
    'import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL); u=resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime+u.ru_stime, file=sys.stderr)';
  const run = spawnSync('python3', ['-c', script, command, ...args], {
    stdio: ['ignore', out, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(out);
  if (run.status !== 0) throw new Error(`${command}: ${run.stderr}`);
  return Number(run.stderr.trim().split('\n').pop());
}
