import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packState, unpackState } from '../../src/replay/packed-state.ts';
import {
  type CheckpointStore,
  type ReplayCheckpoint,
  replay,
  runReplay,
} from '../../src/replay/replay.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import { logOf, SHIPPED } from '../golden/shipped.ts';

/** Bytes with runs, as states have them: words that repeat, mostly 0 or all ones, between random ones. */
const state = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constant(0n),
        fc.constant(2n ** 64n - 1n),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      ),
      fc.integer({ min: 1, max: 300 }),
    ),
    { maxLength: 20 },
  )
  .chain((runs) => {
    const words = runs.flatMap(([word, times]) => new Array<bigint>(times).fill(word));
    const bytes = new Uint8Array(new BigUint64Array(words).buffer);
    return fc
      .integer({ min: 0, max: 7 })
      .map((cut) => bytes.slice(0, Math.max(0, bytes.length - cut)));
  });

describe('a packed state', () => {
  it('is unpacked to the same bytes, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.oneof(state, fc.uint8Array({ maxLength: 200 })),
        fc.nat(2 ** 31),
        (bytes, ahead) => {
          const kept = unpackState(packState(bytes, ahead));
          expect(kept.ahead).toBe(ahead);
          expect(Buffer.from(kept.state).equals(Buffer.from(bytes))).toBe(true);
        },
      ),
    );
  });

  it('takes little for words that repeat', () => {
    const bytes = new Uint8Array(new Float64Array(4000).fill(-1).buffer);
    expect(packState(bytes, 0).length).toBeLessThan(20);
  });

  it('does not go on past its end', () => {
    const packed = packState(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]), 0);
    expect(() => unpackState(packed.slice(0, 9))).toThrow(RangeError);
  });
});

/** Checkpoints in memory; every one can be the only one. */
class Kept implements CheckpointStore {
  readonly all: ReplayCheckpoint[] = [];
  only: ReplayCheckpoint | undefined;
  nearest(): ReplayCheckpoint | undefined {
    return this.only;
  }
  save(checkpoint: ReplayCheckpoint): void {
    this.all.push(checkpoint);
  }
}

describe('a checkpoint in the middle of a chunk', () => {
  it('leads to the state and the observations that the start of the log leads to', async () => {
    const log = await logOf(SHIPPED.get('S3-lean')!.get('trace-raw')!);
    const { source, config } = prepareReplay(log);
    const seq = Math.floor(log.eventCount * 0.9);
    const limit = { seq, timeOfSeq: log.timeOf(seq)! };
    const kept = new Kept();
    const seen: number[] = [];
    const end = runReplay(
      replay(source, config, { limit, checkpoints: kept, checkpointEvery: 3001 }),
      (step) => seen.push(...step.observations.map((observation) => observation.seq)),
    )!.replayer.snapshot();
    expect(kept.all.length).toBe(Math.floor(seq / 3001));
    expect(kept.all.map(({ ordinal }) => ordinal % 3001)).toEqual(kept.all.map(() => 0));
    for (const only of kept.all) {
      const again = new Kept();
      again.only = only;
      const after: number[] = [];
      const last = runReplay(
        replay(source, config, { limit, checkpoints: again, checkpointEvery: 3001 }),
        (step) => after.push(...step.observations.map((observation) => observation.seq)),
      )!;
      expect(last.replayer.lastSeq).toBe(seq);
      expect(
        Buffer.from(last.replayer.snapshot()).equals(Buffer.from(end)),
        `@${only.ordinal}`,
      ).toBe(true);
      expect(after).toEqual(seen.slice(seen.length - after.length));
      expect(again.all.map(({ ordinal }) => ordinal)).toEqual(
        kept.all.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal > only.ordinal),
      );
    }
  });
});
