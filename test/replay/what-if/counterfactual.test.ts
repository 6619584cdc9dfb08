import { describe, expect, it } from 'vitest';
import type { BackingAttr } from '../../../src/emulator/host-perf.ts';
import { RecordedPerf } from '../../../src/replay/recorded-perf.ts';
import { CounterfactualPerf } from '../../../src/replay/what-if/counterfactual-perf.ts';
import { type CountedEvent, FactualCounts } from '../../../src/replay/what-if/factual-counts.ts';

/** Events of this test count at most 10 in a nanosecond. */
const CEILING = 10;

function attr(config: number, more: Partial<BackingAttr> = {}): BackingAttr {
  return {
    config,
    wide: false,
    samplePeriod: 100n,
    periodKnown: true,
    excludeUser: false,
    excludeKernel: false,
    excludeKnown: true,
    disabled: false,
    ...more,
  };
}

/** A recorded counter 0 and one other model's perf; each step is taken by both sides as the test says. */
class Scene {
  readonly recorded = new RecordedPerf(1, () => CEILING);
  readonly refused = new Set<number>();
  readonly #event: { config: number | undefined } = { config: undefined };
  readonly counts = new FactualCounts(
    this.recorded,
    () => CEILING,
    (): CountedEvent | undefined =>
      this.#event.config === undefined
        ? undefined
        : { config: this.#event.config, excludeUser: false, excludeKernel: false },
  );
  readonly other = new CounterfactualPerf(this.counts, ({ config }) => config, this.refused);

  constructor() {
    this.recorded.seq = 1;
  }

  /** Both sides act, with the same counts before them; then both go on. */
  step(recorded: (perf: RecordedPerf) => void, other: (perf: CounterfactualPerf) => void): void {
    this.counts.mark([0]);
    other(this.other);
    recorded(this.recorded);
    this.other.settle(0, this.counts.look(0));
  }

  create(config: number, other = config): void {
    this.step(
      (perf) => {
        perf.create(0, attr(config));
        this.#event.config = config;
      },
      (perf) => perf.create(0, attr(other)),
    );
  }

  /** The guest runs for `ns`, and a record tells that the recorded event has counted `count` since its creation. */
  run(ns: number, count?: bigint): void {
    this.recorded.residency += ns;
    if (count !== undefined) this.recorded.exactCount(0, count);
  }

  get count(): readonly [low: bigint, span: bigint] {
    return [this.other.countLow(0), this.other.countSpan(0)];
  }
}

const nothing = (): void => undefined;

describe('an event under other rules', () => {
  it('counts what the recorded event of the counter counted, exactly', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    expect(scene.count).toEqual([70n, 0n]);
    scene.run(50);
    expect(scene.count).toEqual([70n, 500n]);
    scene.run(0, 90n);
    expect(scene.count).toEqual([90n, 0n]);
  });

  it('goes on over re-creations of the recorded one, and starts where it was made itself', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    // A counter write under rules that make the event anew, against rules that keep it.
    scene.step((perf) => {
      perf.release(0);
      perf.create(0, attr(8));
    }, nothing);
    scene.run(100, 30n);
    expect(scene.count).toEqual([100n, 0n]);
    scene.step(nothing, (perf) => {
      perf.release(0);
      perf.create(0, attr(8));
    });
    scene.run(10, 35n);
    expect(scene.count).toEqual([5n, 0n]);
    expect(scene.other.operations).toEqual({
      creates: 2,
      failedCreates: 0,
      reuses: 0,
      releases: 1,
      periods: 0,
    });
  });

  it('is bounded by guest time where the recorded one was off', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    scene.step((perf) => {
      perf.disable(0);
    }, nothing);
    scene.run(20);
    expect(scene.count).toEqual([70n, 200n]);
    scene.step((perf) => {
      perf.enable(0);
    }, nothing);
    scene.run(10, 75n);
    expect(scene.count).toEqual([75n, 200n]);
  });

  it('does not move while it is off itself, whatever the recorded one does', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    scene.step(nothing, (perf) => {
      perf.disable(0);
    });
    scene.run(100, 170n);
    expect(scene.count).toEqual([70n, 0n]);
    scene.step(nothing, (perf) => {
      perf.enable(0);
    });
    scene.run(10, 173n);
    expect(scene.count).toEqual([73n, 0n]);
    expect(scene.other.operations.reuses).toBe(1);
  });

  it('that is another event is bounded, never the recorded count', () => {
    const scene = new Scene();
    scene.create(8, 0x11);
    scene.run(30, 29n);
    expect(scene.count).toEqual([0n, 300n]);
  });

  it('takes a late record of a common past over: both were off when it was made', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100);
    const off = (perf: { disable(counter: number): void }): void => {
      perf.disable(0);
    };
    scene.step(off, off);
    expect(scene.count).toEqual([0n, 1000n]);
    scene.run(0, 64n);
    expect(scene.count).toEqual([64n, 0n]);
  });

  it('misses its hardware counter where the recorded one did, if both were enabled together', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    scene.recorded.placed(0, -11);
    scene.other.settle(0, scene.counts.look(0));
    scene.run(100);
    expect(scene.count).toEqual([70n, 0n]);
    // An enable revives the recorded event; the other model asks for none, and may have stayed in ERROR.
    scene.step((perf) => {
      perf.release(0);
      perf.create(0, attr(8));
      perf.placed(0, 0);
    }, nothing);
    scene.run(10, 9n);
    const [low, span] = scene.count;
    expect(low).toBe(70n);
    expect(span).toBe(9n);
  });

  it('is refused where the recorded host refused it', () => {
    const scene = new Scene();
    scene.refused.add(0x99);
    expect(scene.other.create(0, attr(0x99))).toBe(false);
    expect(scene.other.operations).toMatchObject({ creates: 0, failedCreates: 1 });
  });

  it('counts from zero after a pause and takes new periods, unless it was made without one', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    scene.step(nothing, (perf) => {
      perf.pause(0);
      expect(perf.setPeriod(0, 5n)).toBe(true);
      perf.enable(0);
    });
    scene.run(10, 74n);
    expect(scene.count).toEqual([4n, 0n]);
    scene.other.release(0);
    scene.other.create(0, attr(8, { samplePeriod: 0n }));
    expect(scene.other.setPeriod(0, 5n)).toBe(false);
    expect(scene.other.operations).toMatchObject({ reuses: 1, periods: 1 });
  });

  it('in doubt holds every count there can be', () => {
    const scene = new Scene();
    scene.create(8);
    scene.run(100, 70n);
    scene.step(nothing, (perf) => {
      perf.doubt(0);
    });
    scene.run(10, 80n);
    expect(scene.count).toEqual([0n, 170n]);
  });
});
