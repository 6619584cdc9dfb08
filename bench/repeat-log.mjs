import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importInto, openLog, openLogForImport } from '../dist/index.js';

/** The log itself, or one made of the recording. */
export async function asLog(file, folder) {
  if (readFileSync(file).subarray(0, 15).toString('latin1') === 'SQLite format 3') return file;
  const log = join(folder, 'once.vpmu');
  await importInto(log, [{ path: file }]);
  return log;
}

/** Writes the events of a log `times` times into a new one, each copy later than the one before. */
export async function repeatLog(from, to, times) {
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
