// node bench/replay.mjs [LOG | RECORDING [REPEAT]]: rates of reading, replaying and checking a log, and the latency of
// seeking in it (default: a recording that ships).
// The log is repeated REPEAT times (default 8) with shifted times, so that its length is that of a long recording.
// CPU seconds; every figure is the median of five rounds in one process, the first round (cold) left out.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  checkLog,
  importInto,
  openLog,
  openLogForImport,
  prepareReplay,
  replay,
  replayTo,
} from '../dist/index.js';
import { cpu, median, peakMegabytes, quantile, rate } from './measure.mjs';

const shipped = fileURLToPath(new URL('../traces/S1-stat/trace-raw.txt.zst', import.meta.url));
const [path = shipped, repeat = '8'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'vpmu-bench-'));
try {
  const long = join(folder, 'long.vpmu');
  await repeatLog(await asLog(path), long, Number(repeat));
  const log = openLog(long);
  const events = log.eventCount;
  const rounds = { read: [], prepare: [], replay: [], check: [] };
  for (let round = 0; round < 6; round++) {
    const read = cpu(() => {
      let n = 0;
      for (const chunk of log.chunks()) n += chunk.length;
      return n;
    });
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
  log.close();
  const bytes = statSync(long).size / events;
  console.log(`events                        ${events}`);
  console.log(`read all chunks               ${rate(events, median(rounds.read))}`);
  console.log(`scan for the VM's constants   ${rate(events, median(rounds.prepare))}`);
  console.log(`replay, log to observations   ${rate(events, median(rounds.replay))}`);
  console.log(`check (both of the above)     ${rate(events, median(rounds.check))}`);
  console.log(
    `state at a random instant     p50 ${quantile(seeks, 0.5).toFixed(2)} ms, p99 ${quantile(seeks, 0.99).toFixed(2)} ms (250 seeks, warm)`,
  );
  console.log(`log with checkpoints          ${bytes.toFixed(2)} bytes/event`);
  console.log(`peak memory                   ${peakMegabytes()} MB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The log itself, or one made of the recording. */
async function asLog(file) {
  if (readFileSync(file).subarray(0, 15).toString('latin1') === 'SQLite format 3') return file;
  const log = join(folder, 'once.vpmu');
  await importInto(log, [{ path: file }]);
  return log;
}

/** Writes the events of a log `times` times into a new one, each copy later than the one before. */
async function repeatLog(from, to, times) {
  const source = openLog(from);
  const target = openLogForImport(to);
  const span = source.lastTime - source.firstTime + 1_000_000n;
  await target.importRun(async (sink) => {
    const id = sink.beginSource('repeated');
    for (const name of source.names().slice(1)) sink.nameId(name);
    for (let attr = 1; source.attr(attr) !== undefined; attr++) sink.attrId(source.attr(attr));
    for (const { slot: _slot, ...fact } of source.vcpus()) sink.learnVcpu(fact);
    for (let k = 0; k < times; k++) {
      const shift = BigInt(k) * span;
      for (const chunk of source.chunks()) {
        for (let i = 0; i < chunk.length; i++) {
          chunk.time[i] = BigInt.asUintN(64, chunk.time[i] + shift);
          chunk.source[i] = id;
        }
        sink.append(chunk);
      }
    }
    sink.finishSource(id, {
      facts: { ...source.imports()[0].facts, name: 'repeated' },
      digest: '0'.repeat(64),
      bytes: 0,
      notices: [],
    });
  });
  target.close();
  source.close();
}
