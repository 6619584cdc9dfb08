import { describe, expect, it } from 'vitest';
import { diffLog } from '../../src/diagnose/diff-log.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';

/** Two host events (cycles :G at e5, :H at e6, config 0) beside a guest cycle counter (e1) on one thread. */
const HOSTS_BEFORE = `
  0    v0 in
  10   v0 place e5 0 0
  11   v0 place e6 0 0
  20   v0 out
  21   v0 take e5
  22   v0 update e5 0 0
  23   v0 take e6
  24   v0 update e6 700 0
  30   v0 in
  31   v0 place e5 0 0
  32   v0 place e6 0 0
  50   v0 out
  51   v0 take e5
  52   v0 update e5 0 0
  53   v0 take e6
  54   v0 update e6 1900 0
  60   v0 in
  61   v0 place e5 0 0
  62   v0 place e6 0 0
`;

/** The guest enables its cycle counter: the whole PMU is taken off and put back, so both sides have counts there. */
const ENABLE = `
  100  v0 enter
  200  v0 exit
  210  v0 entry write PMCCNTR_EL0 0x0
  215  v0 create 31 e1 config=0x11 period=0 disabled
  220  v0 done write PMCCNTR_EL0 0x0
  230  v0 entry write PMCR_EL0 0x1
  240  v0 enable e1 -1 0
  241  v0 take e5 0
  242  v0 update e5 100 0
  243  v0 take e6 1900
  244  v0 update e6 2500 0
  245  v0 place e1
  246  v0 place e5 0 0
  247  v0 place e6 0 0
  250  v0 done write PMCR_EL0 0x1
`;

const RUN_AND_RESCHEDULE = `
  300  v0 enter
  1300 v0 exit
  1310 v0 out
  1311 v0 take e1 0
  1312 v0 update e1 1000
  1313 v0 take e5 100
  1314 v0 update e5 1100 0
  1315 v0 take e6 2500
  1316 v0 update e6 2600 0
  1400 v0 in
  1401 v0 place e1
  1402 v0 place e5 0 0
  1403 v0 place e6 0 0
  1500 v0 enter
  1600 v0 exit
  1610 v0 entry write PMCR_EL0 0x0
  1620 v0 disable e1 1 1000
  1621 v0 take e1 1000
  1622 v0 update e1 1100
  1630 v0 done write PMCR_EL0 0x0
  1640 v0 entry read PMCCNTR_EL0
  1650 v0 count e1 1100 -1
  1660 v0 done read PMCCNTR_EL0 = 1100
`;

describe('diff of a drawn recording', () => {
  it('compares the guest with :G and :H between the same two reschedules', () => {
    const result = diffLog(new MemoryLog(draw(HOSTS_BEFORE + ENABLE + RUN_AND_RESCHEDULE)));
    expect(
      result.hostEvents.map(({ pointer, modes, count }) => ({ pointer, modes, count })),
    ).toEqual([
      { pointer: 0xe050n, modes: 'G', count: 1100n },
      { pointer: 0xe060n, modes: 'H', count: 2600n },
    ]);
    expect(result.rows).toHaveLength(1);
    expect(result.rows[0]).toMatchObject({
      vcpu: 0,
      counter: 31,
      event: 0x11,
      windowCount: 1100n,
      guest: 1000n,
      hostG: 1000n,
      hostH: 100n,
      difference: 0n,
      ratio: 1,
      notes: [],
    });
    expect(result.rows[0]?.coverage).toBeCloseTo(1000 / 1100, 12);
    expect(result.totals).toHaveLength(1);
  });

  it('notes a backing event that was refused, and the guest count stands still', () => {
    const refused = ENABLE.replace('245  v0 place e1', '245  v0 place e1 -11');
    const run = RUN_AND_RESCHEDULE.split('\n')
      .filter((line) => !/(take|update|place) e1/.test(line))
      .join('\n')
      .replace('disable e1 1 1000', 'disable e1 -2 0')
      .replace('count e1 1100 -1', 'count e1 0 -1')
      .replace('= 1100', '= 0');
    const result = diffLog(new MemoryLog(draw(HOSTS_BEFORE + refused + run)));
    expect(result.rows).toHaveLength(1);
    expect(result.rows[0]).toMatchObject({ guest: 0n, hostG: 1000n, difference: -1000n });
    expect(result.rows[0]?.notes.map((note) => note.code)).toEqual(['not-placed']);
  });

  it('does not compare a window without a host count', () => {
    const result = diffLog(
      new MemoryLog(draw(`${ENABLE.replace(/.* e[56].*\n/g, '')}300 v0 enter\n400 v0 exit`)),
    );
    expect(result.rows[0]).toMatchObject({ hostG: null, difference: null, coverage: 0 });
    expect(result.rows[0]?.notes.map((note) => note.code)).toContain('not-compared');
  });

  it('compares perf stat intervals: windows inside count in full, windows across an edge may', () => {
    const stat = `
      290  v0 stat cycles:G 100 190
      1700 v0 stat cycles:G 1200 1410
      1700 v0 stat cycles:H 55 1410
      1700 v0 stat instructions:G 600 1410
      1250 v0 stat cycles:G 900 1000
    `;
    const result = diffLog(new MemoryLog(draw(ENABLE + RUN_AND_RESCHEDULE + stat)));
    expect(
      result.intervals.map(
        ({ event, fromTime, guestLow, guestHigh, hostG, hostH, differenceLow }) => ({
          event,
          fromTime,
          guestLow,
          guestHigh,
          hostG,
          hostH,
          differenceLow,
        }),
      ),
    ).toEqual([
      // The window opens at 240 and ends at 1622 with 1100 counts.
      {
        event: 0x11,
        fromTime: 100n,
        guestLow: 0n,
        guestHigh: 1100n,
        hostG: 100n,
        hostH: null,
        differenceLow: -100n,
      },
      {
        event: 0x11,
        fromTime: 250n,
        guestLow: 0n,
        guestHigh: 1100n,
        hostG: 900n,
        hostH: null,
        differenceLow: -900n,
      },
      {
        event: 0x08,
        fromTime: 290n,
        guestLow: 0n,
        guestHigh: 0n,
        hostG: 600n,
        hostH: null,
        differenceLow: -600n,
      },
      {
        event: 0x11,
        fromTime: 290n,
        guestLow: 0n,
        guestHigh: 1100n,
        hostG: 1200n,
        hostH: 55n,
        differenceLow: -1200n,
      },
    ]);
    const whole = diffLog(
      new MemoryLog(draw(`${ENABLE}${RUN_AND_RESCHEDULE}\n1700 v0 stat cycles:G 1100 1500`)),
    );
    expect(whole.intervals[0]).toMatchObject({
      guestLow: 1100n,
      guestHigh: 1100n,
      differenceLow: 0n,
      differenceHigh: 0n,
    });
  });

  it('leaves perf stat times alone that are on a clock of their own', () => {
    const log = new MemoryLog(draw(`${ENABLE}\n1700 v0 stat cycles:G 1100 1500`), 4096, {
      clock: 'perf-stat-relative',
    });
    expect(diffLog(log).intervals).toEqual([]);
  });
});
