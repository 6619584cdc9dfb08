import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Event, eventAt } from '../../src/domain/event-chunk.ts';
import { type Log, openLog, openLogForImport } from '../../src/log/log.ts';
import { latestSchema } from '../../src/log/migrate.ts';
import { fresh, importEvents, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();
const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url).pathname;

/** What fixtures/make.mjs wrote down of a log. */
function dumpOf(log: Log): unknown {
  const lines: string[] = [];
  for (const chunk of log.chunks()) {
    for (let i = 0; i < chunk.length; i++) lines.push(lineOf(eventAt(chunk, i)));
  }
  const dump = {
    head: log.head,
    eventCount: log.eventCount,
    firstTime: log.firstTime,
    lastTime: log.lastTime,
    kindCounts: [...log.kindCounts()],
    imports: log.imports(),
    vcpus: log.vcpus(),
    names: log.names(),
    attr: log.attr(1),
    threads: [...log.threads()],
    digest: createHash('sha256').update(lines.join('\n')).digest('hex'),
    events: lines.filter((_, i) => i < 20 || i % 100 === 0 || i > lines.length - 20),
  };
  const text = JSON.stringify(dump, (_, v) => (typeof v === 'bigint' ? v.toString() : v));
  return JSON.parse(text);
}

function lineOf(e: Event): string {
  const { seq, time, kind, flags, source, pcpu, vcpu, tid, counter, code } = e;
  return [seq, time, kind, flags, source, pcpu, vcpu, tid, counter, code]
    .concat([e.object, e.value, e.aux0, e.aux1] as never)
    .join(' ');
}

const versions = Array.from({ length: latestSchema() }, (_, i) => i + 1);

describe.each(versions)('a log of schema %i, frozen when it was released', (version) => {
  const frozen = fixture(`schema-${version}.sqlite`);
  const golden = JSON.parse(readFileSync(fixture(`schema-${version}.json`), 'utf8')) as unknown;

  it('is read as it was written', () => {
    const path = fresh(folder);
    writeFileSync(path, readFileSync(frozen), { mode: 0o444 });
    const log = openLog(path);
    expect(log.schema).toBe(version);
    expect(dumpOf(log)).toEqual(golden);
    expect(log.verify()).toMatchObject({ ok: true, runs: 2, segments: 3, events: 4241 });
    log.close();
    expect(readFileSync(path).equals(readFileSync(frozen))).toBe(true);
  });

  it('is migrated with all it holds, and goes on', async () => {
    const path = fresh(folder);
    copyFileSync(frozen, path);
    const log = openLogForImport(path);
    expect(log.schema).toBe(latestSchema());
    expect(dumpOf(log)).toEqual(golden);
    await importEvents(log, timeline(100, 1));
    expect(log.verify()).toMatchObject({ ok: true, runs: 3, events: 4341 });
    log.close();
  });
});

it('every released schema has its fixture', () => {
  for (const version of versions)
    expect(existsSync(fixture(`schema-${version}.sqlite`))).toBe(true);
});
