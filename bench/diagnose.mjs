// node bench/diagnose.mjs LOG… [--rounds N]: what diagnosis costs against a plain replay of the same log, CPU seconds in one
// process after a warm-up round (default 9 rounds, alternating; median and least).
import { diagnoseLog, openLog } from '../dist/index.js';
import { createReplayer } from '../dist/replay/create-replayer.js';
import { prepareReplay } from '../dist/replay/replay-log.js';

const args = process.argv.slice(2);
const at = args.indexOf('--rounds');
const rounds = at < 0 ? 9 : Number(args[at + 1]);
const files = at < 0 ? args : args.filter((_, i) => i !== at && i !== at + 1);

function replay(log) {
  const { config, source } = prepareReplay(log);
  const replayer = createReplayer(config);
  for (const chunk of source.chunks({})) replayer.apply(chunk, 0, chunk.length, () => undefined);
}

function seconds(run) {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);

for (const file of files) {
  const log = openLog(file);
  const plain = [];
  const diagnosed = [];
  let windows = 0;
  for (let round = 0; round <= rounds; round++) {
    const a = seconds(() => replay(log));
    const b = seconds(() => {
      windows = diagnoseLog(log).windows.length;
    });
    if (round === 0) continue;
    plain.push(a);
    diagnosed.push(b);
  }
  const ratio = (of) => (of(diagnosed) / of(plain)).toFixed(2);
  console.log(
    `${file}: ${log.eventCount} events, ${windows} windows: replay ${median(plain).toFixed(3)} s, ` +
      `diagnosis ${median(diagnosed).toFixed(3)} s, ${ratio(median)} replays (least ${ratio(least)})`,
  );
  log.close();
}
