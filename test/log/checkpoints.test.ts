import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Checkpoint,
  type CheckpointStore,
  openLog,
  openLogForImport,
} from '../../src/log/log.ts';
import { fresh, importEvents, logWith, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();

async function aLog(): Promise<string> {
  const path = fresh(folder);
  await logWith(path, [timeline(100, 1)]);
  return path;
}

const at = (time: bigint, ordinal: number, state = [ordinal & 255]): Checkpoint => ({
  time,
  ordinal,
  cursor: [ordinal, 7],
  state: Uint8Array.from(state),
});

/** The plain definition of `nearest`. */
function nearest(all: readonly Checkpoint[], limit: { time: bigint } | { before: bigint }) {
  return all
    .filter(({ time }) => ('time' in limit ? time <= limit.time : time < limit.before))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.ordinal - b.ordinal))
    .at(-1);
}

function expectSame(store: CheckpointStore, all: readonly Checkpoint[], times: readonly bigint[]) {
  for (const time of times) {
    expect(store.nearest({ time })).toEqual(nearest(all, { time }));
    expect(store.nearest({ before: time })).toEqual(nearest(all, { before: time }));
  }
}

const TOP = (1n << 64n) - 1n;
const TIMES = [0n, 1n, 5n, 9n, 1n << 63n, TOP];

describe('checkpoints', () => {
  it('are found by time, in this log object and in the next one', async () => {
    const path = await aLog();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...TIMES), fc.nat(4), fc.nat(255)), { maxLength: 12 }),
        fc.uuid(),
        async (saved, key) => {
          const log = openLog(path);
          const store = log.checkpoints(key);
          const all = new Map<string, Checkpoint>();
          for (const [time, ordinal, byte] of saved) {
            const checkpoint = at(time, ordinal, [byte]);
            store.save(checkpoint);
            all.set(`${time} ${ordinal}`, checkpoint);
          }
          expectSame(store, [...all.values()], TIMES);
          log.close();
          const again = openLog(path);
          expectSame(again.checkpoints(key), [...all.values()], TIMES);
          again.close();
        },
      ),
      { numRuns: 20 },
    );
  });

  it('are kept in large numbers, replaced, and written along the way', async () => {
    const path = await aLog();
    const log = openLog(path);
    const store = log.checkpoints('k');
    const all: Checkpoint[] = [];
    for (let i = 0; i < 700; i++) {
      const checkpoint = at(BigInt(i * 10), i, [i & 255, i >> 8]);
      store.save(at(BigInt(i * 10), i, [0]));
      store.save(checkpoint);
      all.push(checkpoint);
    }
    const times = [0n, 5n, 2990n, 2995n, 3000n, 6990n, TOP];
    expectSame(store, all, times);
    const db = new Database(path, { readonly: true });
    expect(db.prepare('SELECT count(*) FROM checkpoint').pluck().get()).toBeGreaterThan(400);
    db.close();
    store.save(at(0n, 0, [99]));
    all[0] = at(0n, 0, [99]);
    expectSame(store, all, times);
    log.close();
    const again = openLog(path);
    expectSame(again.checkpoints('k'), all, times);
    again.checkpoints('k').save(at(5n, 9, [7]));
    all.push(at(5n, 9, [7]));
    expectSame(again.checkpoints('k'), all, times);
    again.close();
  });

  it('keep a copy of the state, and give copies that start at an ArrayBuffer', async () => {
    const log = openLog(await aLog());
    const store = log.checkpoints('k');
    const state = Uint8Array.of(1, 2, 3, 4);
    store.save({ ...at(1n, 1), state: state.subarray(1, 3) });
    state.fill(9);
    const found = store.nearest({ time: 1n })!.state;
    expect([...found]).toEqual([2, 3]);
    expect([found.byteOffset, found.buffer.byteLength]).toEqual([0, 2]);
    found.fill(0);
    expect([...store.nearest({ time: 1n })!.state]).toEqual([2, 3]);
    log.close();
  });

  it('of another key are not seen, and can be cleared by themselves', async () => {
    const path = await aLog();
    const log = openLog(path);
    log.checkpoints('arm64-kvm-6.1').save(at(5n, 1));
    log.checkpoints('arm64-kvm-6.12').save(at(6n, 2));
    log.checkpoints('arm64-kvm-6.1').clear();
    expect(log.checkpoints('arm64-kvm-6.1').nearest({ time: TOP })).toBeUndefined();
    expect(log.checkpoints('arm64-kvm-6.12').nearest({ time: TOP })).toEqual(at(6n, 2));
    log.close();
    const again = openLog(path);
    expect(again.checkpoints('arm64-kvm-6.12').nearest({ time: TOP })).toEqual(at(6n, 2));
    again.dropCheckpoints();
    expect(again.checkpoints('arm64-kvm-6.12').nearest({ time: TOP })).toBeUndefined();
    again.close();
    const last = openLog(path);
    expect(last.checkpoints('arm64-kvm-6.12').nearest({ time: TOP })).toBeUndefined();
    last.close();
  });

  it('of a log that has grown are void, everywhere', async () => {
    const path = await aLog();
    const reader = openLog(path);
    reader.checkpoints('k').save(at(5n, 1));
    reader.close();
    const log = openLogForImport(path);
    const store = log.checkpoints('k');
    expect(store.nearest({ time: TOP })).toEqual(at(5n, 1));
    const stale = openLog(path);
    const staleStore = stale.checkpoints('k');
    staleStore.save(at(6n, 2));
    await importEvents(log, timeline(10, 2));
    expect(store.nearest({ time: TOP })).toBeUndefined();
    store.save(at(7n, 3));
    expect(store.nearest({ time: TOP })).toEqual(at(7n, 3));
    log.close();
    // A reader of the old state writes last: for itself alone.
    stale.close();
    const again = openLog(path);
    expect(again.checkpoints('k').nearest({ time: TOP })).toEqual(at(7n, 3));
    expect(again.verify().ok).toBe(true);
    again.close();
  });

  it('are taken out of the file by the next import', async () => {
    const path = await aLog();
    const reader = openLog(path);
    reader.checkpoints('k').save(at(5n, 1));
    reader.close();
    const count = () => {
      const db = new Database(path, { readonly: true });
      const rows = db.prepare('SELECT count(*) FROM checkpoint').pluck().get();
      db.close();
      return rows;
    };
    expect(count()).toBe(1);
    const log = openLogForImport(path);
    await importEvents(log, timeline(10, 2));
    log.close();
    expect(count()).toBe(0);
  });

  it('that were damaged are passed over, wherever the damage is', async () => {
    const path = await aLog();
    const log = openLog(path);
    log.checkpoints('k').save(at(5n, 1));
    log.checkpoints('k').save(at(6n, 2));
    log.close();
    const bytes = readFileSync(path);
    for (const change of [
      `state = x'ff'`,
      `cursor = '[9,9]'`,
      `cursor = '['`,
      'crc = crc + 1',
      'time = 7',
      'ordinal = 9',
      "set_id = (SELECT id FROM checkpoint_set WHERE key = 'other')",
    ]) {
      const copy = fresh(folder);
      writeFileSync(copy, bytes);
      const db = new Database(copy);
      db.exec(`INSERT INTO checkpoint_set (key, head) SELECT 'other', head FROM checkpoint_set`);
      db.exec(`UPDATE checkpoint SET ${change} WHERE time = 6`);
      db.close();
      const damaged = openLog(copy);
      expect(damaged.checkpoints('k').nearest({ time: TOP }), change).toEqual(at(5n, 1));
      expect(damaged.checkpoints('other').nearest({ time: TOP })).toBeUndefined();
      expect(damaged.verify().ok).toBe(true);
      damaged.close();
    }
  });

  it('stay in memory while another process writes', async () => {
    const path = await aLog();
    const writer = new Database(path);
    writer.exec('BEGIN IMMEDIATE');
    const log = openLog(path);
    const store = log.checkpoints('k');
    for (let i = 0; i < 600; i++) store.save(at(BigInt(i), i));
    expect(store.nearest({ time: 450n })).toEqual(at(450n, 450));
    expect(store.nearest({ before: 0n })).toBeUndefined();
    log.close();
    writer.exec('ROLLBACK');
    writer.close();
    const again = openLog(path);
    expect(again.checkpoints('k').nearest({ time: TOP })).toBeUndefined();
    again.close();
  });

  it('in memory alone are thinned, not piled up', async () => {
    const path = await aLog();
    const writer = new Database(path);
    writer.exec('BEGIN IMMEDIATE');
    const log = openLog(path);
    const store = log.checkpoints('k');
    const state = new Uint8Array(1 << 20);
    for (let i = 0; i < 300; i++) store.save({ ...at(BigInt(i), i), state });
    const kept = new Set<number>();
    for (let i = 0; i < 300; i++) kept.add(store.nearest({ time: BigInt(i) })?.ordinal ?? -1);
    kept.delete(-1);
    expect(kept.size).toBeLessThan(70);
    expect(kept.size).toBeGreaterThan(20);
    log.close();
    writer.close();
  });
});
