import { describe, expect, it } from 'vitest';
import { diagnoseLog, type WindowDiagnosis } from '../../src/diagnose/diagnose-log.ts';
import type { RecordingFacts } from '../../src/domain/log-facts.ts';
import { halfStep } from '../../src/domain/time-spec.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';

/**
 * A guest counts cycles with its cycle counter from 210 on, in guest mode 300 to 1300 (1000 counts, read at the exit)
 * and 1500 to 1700 (100 counts), and reads 1100 at the end; before, it is in guest mode 100 to 200.
 */
const GUEST = `
  0    v0 reset
  1    v0 in
  10   v0 enter
  11   v0 exit
  100  v0 enter
  200  v0 exit SYS64
  202  v0 write PMCNTENCLR_EL0 0xffffffff
  203  v0 write PMCCFILTR_EL0 0x0
  204  v0 write PMCCNTR_EL0 0x0
  205  v0 write PMCNTENSET_EL0 0x80000000
  210  v0 entry write PMCR_EL0 0x1
  215  v0 create 31 e1 config=0x11 period=0
  245  v0 place e1
  250  v0 done write PMCR_EL0 0x1
  300  v0 enter
  1300 v0 exit SYS64
  1310 v0 out
  1311 v0 take e1 0
  1312 v0 update e1 1000
  1400 v0 in
  1401 v0 place e1
  1500 v0 enter
  1700 v0 exit SYS64
  1710 v0 entry write PMCR_EL0 0x0
  1720 v0 disable e1 1 1000
  1721 v0 take e1 1000
  1722 v0 update e1 1100
  1730 v0 done write PMCR_EL0 0x0
  1740 v0 entry read PMCCNTR_EL0
  1750 v0 count e1 1100 -1
  1760 v0 done read PMCCNTR_EL0 = 1100
  9000 v0 out
`;

/** The guest's cycle window of a drawing with these rows of the host's perf stat, placed within so many ns. */
function windowOf(stat: string, facts: Partial<RecordingFacts> = {}): WindowDiagnosis {
  const lines = `${GUEST}${stat}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const at = (line: string): number => Number(line.split(/\s+/)[0]);
  const text = lines.sort((a, b) => at(a) - at(b)).join('\n');
  const log = new MemoryLog(draw(text), 4096, { placedWithin: 0, ...facts });
  return diagnoseLog(log).windows.find(
    ({ window }) => window.event === 0x11 && window.guest?.high === 1100n,
  )!;
}

describe('a window beside a placed perf stat of the host', () => {
  it('is compared exactly where both edges lie in host time', () => {
    const { host, basis, ledger, verdict } = windowOf('2000 v0 stat cycles:G 1100 1750');
    expect(basis).toBe('G');
    expect(host).toMatchObject({ fromTime: 250n, toTime: 2000n, host: 1100n, modesFrom: 'name' });
    expect(host?.placed).toEqual({
      withinNs: 0,
      intervals: 1,
      edgeNs: 0,
      outsideNs: 0,
      edges: { low: 0n, high: 0n },
      ownThread: false,
    });
    expect(ledger.difference).toEqual({ low: 0n, high: 0n });
    expect(verdict).toBe('agrees');
  });

  it('carries what an edge that is not sharp can make as an interval, and proves nothing', () => {
    // 400 ± 100 lies in guest mode: 200 ns, and 1 for the step of the clock; 1400 ± 100 in host time. 900 ns of guest time in the interval, at 4 times 900 / 900.
    const { host, ledger, verdict } = windowOf('1400 v0 stat cycles:G 900 1000', {
      placedWithin: 100,
    });
    expect(host?.placed).toMatchObject({
      withinNs: 100,
      edgeNs: 201,
      outsideNs: 0,
      edges: { low: -804n, high: 804n },
    });
    // At 400 the counter was read last at 0 and next at 1000; at 1400 it is 1000.
    expect(host?.guest).toEqual({ low: 0n, high: 1000n });
    expect(ledger.difference).toEqual({ low: 0n - 900n - 804n, high: 1000n - 900n + 804n });
    expect(verdict).toBe('open');
    const moving = ledger.findings.filter(({ amount }) => amount !== null);
    expect(moving.map(({ code, grade, amount }) => ({ code, grade, amount }))).toEqual([
      { code: 'edge-window', grade: 'consistent', amount: { low: -804n, high: 804n } },
    ]);
    expect(moving[0]?.text).toContain('±0.1 us: 0.2 us of counted time');
  });

  it('adds consecutive intervals up', () => {
    const { host, verdict } = windowOf(`
      1350 v0 stat cycles:G 1000 1100
      2000 v0 stat cycles:G 100 650
    `);
    expect(host).toMatchObject({ fromTime: 250n, toTime: 2000n, host: 1100n });
    expect(host?.placed?.intervals).toBe(2);
    expect(verdict).toBe('agrees');
  });

  it('leaves an interval that reaches far out of the window aside where others lie in it', () => {
    // The first holds the 100 ns of guest mode before the counter was enabled; at 1350 it stands at 1000.
    const { host, ledger } = windowOf(`
      1350 v0 stat cycles:G 1100 1300
      2000 v0 stat cycles:G 100 650
    `);
    expect(host).toMatchObject({ fromTime: 1350n, guest: { low: 100n, high: 100n }, host: 100n });
    expect(ledger.difference).toEqual({ low: 0n, high: 0n });
  });

  it('counts what the host saw outside of the window among the edges', () => {
    const { host, ledger, verdict } = windowOf('2000 v0 stat cycles:G 1200 1950');
    // Guest mode 100 to 200, and 1 ns for the step of the clock; 1300 ns and three steps in all.
    expect(host?.placed).toMatchObject({ outsideNs: 101, edgeNs: 0 });
    const high = BigInt(Math.ceil((101 * 4 * 1200) / 1303));
    expect(host?.placed?.edges).toEqual({ low: 0n, high });
    expect(ledger.difference).toEqual({ low: -100n, high: -100n + high });
    expect(verdict).toBe('open');
  });

  it('shows a difference beyond all error, and that other threads may be in it', () => {
    const { ledger, verdict } = windowOf('2000 v0 stat cycles:G 5100 1750');
    expect(ledger.difference).toEqual({ low: -4000n, high: -4000n });
    expect(verdict).toBe('differs');
    expect(ledger.findings.find(({ code }) => code === 'edge-window')?.text).toMatch(
      /whose threads it counted is not recorded/,
    );
  });

  it.each([
    ['2000 v0 stat cycles 1100 1750', {}, /which modes the host event counts is not recorded/],
    ['2000 v0 stat cycles:H 1100 1750', {}, /other threads too is not recorded/],
    ['2000 v0 stat cycles:Gu 1100 1750', {}, /different privilege levels/],
    ['2000 v0 stat instructions:G 1100 1750', {}, /no host event was read twice/],
    ['2000 v0 hoststat cycles:G 1100 1750 interval', {}, /start of the placed perf stat is known/],
    ['9100 v0 stat cycles:G 1100 8850', {}, /beyond the trace/],
    ['2000 v0 stat cycles:G 1100 1750', { placedWithin: 7001 }, /beyond the trace/],
    ['230 v0 stat cycles:G 1100 200', {}, /no interval of the placed perf stat overlaps/],
    ['2000 v0 stat cycles:G 1100 1750\n0 v1 in', {}, /the log has 2 vCPUs/],
    ['2000 v0 stat cycles:G 1100 1750', { counted: "thread id '100'" }, /^$/],
    ['2000 v0 stat cycles:G 1100 1750', { counted: "thread id '7'" }, /no host event was read/],
    ['2000 v0 stat cycles:G 1 1750', { clock: 'perf-stat-relative' }, /no host event was read/],
  ])('%s %o: says why not', (stat, facts, why) => {
    expect(windowOf(stat, facts).notCompared).toMatch(why);
  });

  it('leaves aside what is scaled or was not counted', () => {
    const reason = (words: string): string =>
      windowOf(`2000 v0 hoststat cycles:G 1100 1750 interval ${words}`).notCompared;
    expect(reason('running=5000')).toMatch(/is scaled/);
    expect(reason('not-counted')).toMatch(/was not counted/);
  });
});

describe('the time perf stat was started at', () => {
  it.each([
    ['35.965', 500_000n],
    ['35965ms', 500_000n],
    ['36', 500_000_000n],
    ['35.965000000', 1n],
    ['1.5us', 50n],
  ])('%s is meant to half a step of its last digit', (text, ns) => {
    expect(halfStep(text)).toBe(ns);
  });
});
