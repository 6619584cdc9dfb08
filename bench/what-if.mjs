// node bench/what-if.mjs [LOG | RECORDING [REPEAT]]: what playing a log under five rule sets costs, against replaying it
// once (default: a recording that ships, repeated 8 times).
// CPU seconds; every figure is the median of five rounds in one process, the first round (cold) left out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLog, prepareReplay, replay, ruleSets, whatIf } from '../dist/index.js';
import { cpu, median, peakMegabytes, rate } from './measure.mjs';
import { asLog, repeatLog } from './repeat-log.mjs';

const shipped = fileURLToPath(new URL('../traces/S1-stat/trace-raw.txt.zst', import.meta.url));
const [path = shipped, repeat = '8'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'vpmu-bench-'));
try {
  const long = join(folder, 'long.vpmu');
  await repeatLog(await asLog(path, folder), long, Number(repeat));
  const log = openLog(long);
  const events = log.eventCount;
  const { config } = prepareReplay(log);
  const names = [...ruleSets()]
    .filter(([, info]) => info.arch === config.arch && info.selectable)
    .map(([name]) => name)
    .slice(-5);
  const rounds = { replay: [], two: [], five: [] };
  for (let round = 0; round < 6; round++) {
    const { source } = prepareReplay(log);
    const played = cpu(() => replay(source, config).subscribe());
    const two = cpu(() => whatIf(log, names.slice(-2)));
    const five = cpu(() => whatIf(log, names));
    if (round === 0) continue;
    rounds.replay.push(played.seconds);
    rounds.two.push(two.seconds);
    rounds.five.push(five.seconds);
  }
  log.close();
  const one = median(rounds.replay);
  const times = (seconds) => `${(seconds / one).toFixed(2)} replays`;
  console.log(`events                        ${events}`);
  console.log(`replay                        ${rate(events, one)}`);
  console.log(`what-if of 2 rule sets        ${times(median(rounds.two))}`);
  console.log(`what-if of ${names.length} rule sets        ${times(median(rounds.five))}`);
  console.log(`peak memory                   ${peakMegabytes()} MB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
