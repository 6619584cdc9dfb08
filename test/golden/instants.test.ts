import { describe, expect, it } from 'vitest';
import {
  type CounterState,
  type Log,
  parseWithheld,
  type ReplayState,
  replayTo,
} from '../../src/index.ts';
import { guestReads, logOf, SHIPPED } from './shipped.ts';

const RECORDINGS = ['S2-lean', 'S3-lean', 'S5-bare', 'S5-bare-61', 'S6-kut-pmu-chained-counters'];

const rawOf = (recording: string): Promise<Log> => logOf(SHIPPED.get(recording)!.get('trace-raw')!);

function stateAt(log: Log, seq: number, without: readonly string[] = []): ReplayState {
  return replayTo(log, { kind: 'seq', seq }, { withheld: parseWithheld(without) });
}

const spanOf = ({ low, high, width }: CounterState): bigint => BigInt.asUintN(width, high - low);

function holds(counter: CounterState, value: bigint): boolean {
  const { certainty, low, width } = counter;
  return certainty === 'unknown' || BigInt.asUintN(width, value - low) <= spanOf(counter);
}

/** True when every value that `inner` allows is one that `outer` allows. */
function liesIn(inner: CounterState, outer: CounterState): boolean {
  if (outer.certainty === 'unknown') return true;
  if (inner.certainty === 'unknown') return false;
  const offset = BigInt.asUintN(inner.width, inner.low - outer.low);
  return offset + spanOf(inner) <= spanOf(outer);
}

describe.each(RECORDINGS.map((recording) => ({ recording })))('$recording', ({ recording }) => {
  it('holds, right after a guest read, the value that was read', async () => {
    const log = await rawOf(recording);
    const wrong: unknown[] = [];
    for (const { seq, vcpu, counter, recorded } of await guestReads(log)) {
      if (counter < 0) continue;
      const state = stateAt(log, seq).vcpus.find(({ slot }) => slot === vcpu)!;
      const held = state.counters.find((other) => other.counter === counter)!;
      if (held.certainty !== 'exact' || held.low !== recorded) wrong.push({ seq, recorded, held });
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it.each([
    [['counts']],
    [['counts', 'schedule']],
    [['schedule']],
    [['perf-reads']],
    [['perf-reads', 'hw-counts']],
  ])(
    'is bounded at any instant without %s as it is with it, or wider',
    async (without) => {
      const log = await rawOf(recording);
      const wrong: unknown[] = [];
      // A step that is no multiple of anything in the recordings.
      for (let seq = 1; seq <= log.eventCount; seq += 397) {
        const poor = stateAt(log, seq, without);
        for (const { slot, counters } of stateAt(log, seq).vcpus) {
          for (const rich of counters) {
            const wide = poor.vcpus
              .find((vcpu) => vcpu.slot === slot)!
              .counters.find(({ counter }) => counter === rich.counter)!;
            if (!liesIn(rich, wide)) wrong.push({ seq, rich, wide });
            for (const state of [rich, wide]) {
              if (state.estimate !== undefined && !holds(state, state.estimate))
                wrong.push({ seq, estimate: state });
            }
          }
        }
      }
      expect(wrong).toEqual([]);
    },
    60_000,
  );
});

describe.each(['S5-bare', 'S5-bare-61', 'S6-kut-pmu-chained-counters'].map((name) => ({ name })))(
  'the forms of $name',
  ({ name }) => {
    /** All that is known for sure after each guest read: registers bit by bit, and counters that are exact. */
    const known = async (path: string): Promise<unknown[]> => {
      const log = await logOf(path);
      return (await guestReads(log)).map(({ seq }) =>
        stateAt(log, seq).vcpus.map(({ registers, counters }) => ({
          registers: registers.map((register) => [
            register.name,
            register.value,
            register.unknownBits,
          ]),
          counters: counters.map(({ counter, event, certainty, low }) => [
            counter,
            event,
            certainty,
            certainty === 'exact' ? low : undefined,
          ]),
        })),
      );
    };

    it('agree on every register and counter after every guest read', async () => {
      const forms = SHIPPED.get(name)!;
      const expected = await known(forms.get('trace-raw')!);
      expect(expected.length).toBeGreaterThan(10);
      for (const form of ['trace-cmd-report', 'perf-script']) {
        expect({ form, states: await known(forms.get(form)!) }).toEqual({ form, states: expected });
      }
    }, 60_000);
  },
);
