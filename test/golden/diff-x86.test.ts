import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diffLog } from '../../src/index.ts';
import { logOf, TRACES } from './shipped.ts';

const X9B = join(TRACES, 'X9b-event-filter');

describe('diff of an x86 recording: X9b-event-filter', () => {
  it('has the windows of the three counters, by their x86 names', async () => {
    const { arch, rows } = diffLog(await logOf(join(X9B, 'perf.data.zst')));
    expect(arch).toBe('x86');
    expect(
      rows.map(({ counter, eventName, windowCount }) => ({ counter, eventName, windowCount })),
    ).toEqual([
      { counter: 0, eventName: 'instructions', windowCount: 0n },
      { counter: 1, eventName: 'cycles', windowCount: 15_036_447n },
      { counter: 2, eventName: 'branches', windowCount: 1_001_078n },
    ]);
    expect(rows.map(({ compared }) => compared)).toEqual([null, null, null]);
  });

  it('says that no host event was counted', async () => {
    const { missing } = diffLog(await logOf(join(X9B, 'perf.data.zst')));
    expect(missing.map(({ code }) => code)).toEqual(['host-counts']);
    expect(missing[0]?.how).toMatch(/perf stat -e EVENT:G/);
  });

  it("says that the host's perf stat needs a place on the clock of the trace", async () => {
    const log = await logOf(join(X9B, 'perf.data.zst'), join(X9B, 'host-perf-stat.json'));
    expect(diffLog(log).missing.map(({ code }) => code)).toEqual(['two-clocks']);
  });
});
