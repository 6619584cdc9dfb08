import { describe, expect, it } from 'vitest';
import { sliceLog } from '../../../src/diagnose/slice-log.ts';
import { EventKind } from '../../../src/domain/event-kind.ts';
import { prepareReplay } from '../../../src/replay/replay-log.ts';
import { SliceLog } from '../../../src/replay/slice/slice-events.ts';
import { whatIf } from '../../../src/replay/what-if/what-if.ts';
import { logOf, SHIPPED } from '../../golden/shipped.ts';

const NAMES = ['arm64-kvm-6.1', 'arm64-kvm-6.12'];

/** A later part of a recording, and its first event in the whole. */
async function laterPart(recording: string, from: bigint, of: bigint) {
  const log = await logOf(SHIPPED.get(recording)!.get('trace-raw')!);
  const [first, last] = [log.firstTime!, log.lastTime!];
  const fromTime = first + ((last - first) * from) / of;
  const slice = sliceLog(log, { fromTime, toTime: last }, { tool: 'vpmu test' });
  return { log, fromTime, part: new SliceLog(log, () => slice.chunks()) };
}

describe('what-if on a slice', () => {
  it.each([
    ['S3-lean', 6n],
    ['S3-lean', 3n],
    ['S1-lean', 6n],
    ['S2-lean', 7n],
    ['S5-bare', 6n],
  ])('begins other rules with the state the slice sets: %s from %s/10', async (name, from) => {
    const { log, part } = await laterPart(name, from, 10n);
    const whole = whatIf(log, NAMES);
    const sliced = whatIf(part, NAMES);
    for (const [v, vcpu] of whole.vcpus.entries()) {
      for (const [c, counter] of vcpu.counters.entries()) {
        for (const [r, inWhole] of counter.values.entries()) {
          const inSlice = sliced.vcpus[v]!.counters[c]!.values[r]!;
          const what = `${name} counter ${counter.counter} under ${inWhole.ruleSet}`;
          // What the slice knows less of, it must not know otherwise.
          if (inWhole.certainty === 'exact' && inSlice.certainty === 'exact') {
            expect(inSlice.low, what).toBe(inWhole.low);
          }
          if (inWhole.certainty === 'exact') expect(inSlice.certainty, what).not.toBe('unknown');
        }
      }
    }
  });

  it('counts as asked of perf what the guest caused, not the state that the slice sets', async () => {
    const { log, fromTime, part } = await laterPart('S1-lean', 6n, 10n);
    const { ruleSet } = prepareReplay(log);
    let created = 0;
    for (const chunk of log.chunks({ kinds: new Set([EventKind.eventCreate]) })) {
      for (let i = 0; i < chunk.length; i++) {
        const guests = chunk.time[i]! >= fromTime && chunk.counter[i]! >= 0;
        if (guests && chunk.flags[i] === 0) created++;
      }
    }
    const { operations } = whatIf(part, NAMES).vcpus[0]!;
    expect(created).toBeGreaterThan(20);
    expect(operations.find((row) => row.ruleSet === ruleSet.name)!.creates).toBe(created);
  });
});
