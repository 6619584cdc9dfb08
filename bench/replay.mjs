// node bench/replay.mjs [LOG | RECORDING [REPEAT]]: rates of reading, replaying and checking a log of either architecture,
// and the latency of seeking in it (default: a recording of each that ships, one after the other).
// The log is repeated REPEAT times (default 8) with shifted times, so that its length is that of a long recording.
// CPU seconds; every figure is the median of five rounds in one process, the first round (cold) left out.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkLog, openLog, prepareReplay, replay, replayTo } from '../dist/index.js';
import { cpu, median, peakMegabytes, quantile, rate } from './measure.mjs';
import { asLog, repeatLog } from './repeat-log.mjs';

const shipped = ['S1-stat/trace-raw.txt.zst', 'X1s-stock-events-only/perf-script.txt.zst'].map(
  (name) => fileURLToPath(new URL(`../traces/${name}`, import.meta.url)),
);
const [path, repeat = '8'] = process.argv.slice(2);
for (const one of path === undefined ? shipped : [path]) await measure(one, Number(repeat));

async function measure(path, repeat) {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-bench-'));
  try {
    await measureIn(folder, path, repeat);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureIn(folder, path, repeat) {
  const long = join(folder, 'long.vpmu');
  await repeatLog(await asLog(path, folder), long, repeat);
  const log = openLog(long);
  const events = log.eventCount;
  const rounds = { read: [], prepare: [], replay: [], check: [] };
  for (let round = 0; round < 6; round++) {
    const read = cpu(() => {
      let n = 0;
      for (const chunk of log.chunks()) n += chunk.length;
      return n;
    });
    // What a scan found is kept with the checkpoints.
    log.dropCheckpoints();
    const prepare = cpu(() => prepareReplay(log));
    const { source, config } = prepare.result;
    const played = cpu(() => {
      let seen = 0;
      replay(source, config).subscribe((step) => {
        seen += step.observations.length;
      });
      return seen;
    });
    const checked = cpu(() => checkLog(log));
    if (round === 0) continue;
    rounds.read.push(read.seconds);
    rounds.prepare.push(prepare.seconds);
    rounds.replay.push(played.seconds);
    rounds.check.push(checked.seconds);
  }
  const { first, last } = { first: log.firstTime, last: log.lastTime };
  // Seeks: the first pass writes the checkpoints, the second is what a person meets.
  let state = 12345;
  const random = () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
  cpu(() => replayTo(log, { kind: 'end' }));
  const seeks = [];
  const busy = [];
  for (let i = 0; i < 300; i++) {
    const ns = first + BigInt(Math.floor(Number(last - first) * random()));
    const from = performance.now();
    const { seconds } = cpu(() => replayTo(log, { kind: 'at', ns }));
    if (i < 50) continue;
    seeks.push(performance.now() - from);
    busy.push(1000 * seconds);
  }
  const { config, ruleSet } = prepareReplay(log);
  const { arch } = config;
  log.close();
  const bytes = statSync(long).size / events;
  console.log(`${path}: ${arch}, ${ruleSet.name}`);
  console.log(`events                        ${events}`);
  console.log(`read all chunks               ${rate(events, median(rounds.read))}`);
  console.log(`scan for the VM's constants   ${rate(events, median(rounds.prepare))}`);
  console.log(`replay, log to observations   ${rate(events, median(rounds.replay))}`);
  console.log(`check (both of the above)     ${rate(events, median(rounds.check))}`);
  console.log(
    `state at a random instant     p50 ${quantile(seeks, 0.5).toFixed(2)} ms, p99 ${quantile(seeks, 0.99).toFixed(2)} ms (250 seeks, warm)`,
  );
  console.log(`log with checkpoints          ${bytes.toFixed(2)} bytes/event`);
  console.log(`peak memory (so far)          ${peakMegabytes()} MB`);
}
