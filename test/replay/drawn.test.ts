import { describe, expect, it } from 'vitest';
import { checkLog } from '../../src/diagnose/check-log.ts';
import { parseWithheld } from '../../src/replay/evidence.ts';
import { replayTo } from '../../src/replay/replay-to.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';

/** A guest that programs counter 0 for INST_RETIRED, runs, and reads it: every record there is. */
const COUNTING = `
  0    v0 reset
  100  v0 write PMCR_EL0 0x0
  110  v0 write PMCNTENCLR_EL0 0xffffffff
  200  v0 entry write PMEVTYPER0_EL0 0x8
  210  v0 create 0 e1 config=0x8 period=0x24523f22 disabled
  220  v0 done write PMEVTYPER0_EL0 0x8
  300  v0 entry write PMEVCNTR0_EL0 0x10
  310  v0 disable e1 -1 0
  315  v0 release e1 -1 0
  320  v0 create 0 e2 config=0x8 period=0xfffffff0 disabled
  330  v0 done write PMEVCNTR0_EL0 0x10
  400  v0 write PMCNTENSET_EL0 0x1
  500  v0 entry write PMCR_EL0 0x1
  510  v0 enable e2 -1 0
  520  v0 place e2
  530  v0 done write PMCR_EL0 0x1
  1us  v0 enter
  2us  v0 exit
  +10  v0 entry read PMEVCNTR0_EL0
  +10  v0 count e2 1000 1
  +10  v0 done read PMEVCNTR0_EL0 = 1016
  3us  v0 enter
  5us  v0 exit
  +10  v0 entry read PMEVCNTR0_EL0
  +10  v0 count e2 3000 1
  +10  v0 done read PMEVCNTR0_EL0 = 3016
`;

describe('a drawn guest that counts', () => {
  const log = new MemoryLog(draw(COUNTING));

  it('has every counter read predicted from base and backing count', () => {
    const result = checkLog(log, { rules: 'arm64-kvm-6.12' });
    expect(result.firstContradiction).toBeNull();
    expect(result.counterReads).toEqual({
      total: 2,
      confirmed: 2,
      bounded: 0,
      unknown: 0,
      contradicted: 0,
    });
    expect(result.backingEvents).toEqual({ confirmed: 2, contradicted: 0, deviations: 0 });
  });

  it('contradicts a read that is one off, and goes on from the recorded value', () => {
    const wrong = new MemoryLog(
      draw(COUNTING.replace('PMEVCNTR0_EL0 = 1016', 'PMEVCNTR0_EL0 = 1017')),
    );
    const result = checkLog(wrong, { rules: 'arm64-kvm-6.12' });
    expect(result.counterReads.contradicted).toBe(2);
    expect(result.firstContradiction?.observation).toMatchObject({
      low: 1016n,
      span: 0n,
      recorded: 1017n,
    });
    expect(result.firstContradiction?.before.at(-1)?.kind).toBeDefined();
  });

  it('bounds the reads when the counts are withheld: true values inside, narrower with more evidence', () => {
    const blind = checkLog(log, { rules: 'arm64-kvm-6.12', withheld: parseWithheld(['counts']) });
    expect(blind.counterReads).toEqual({
      total: 2,
      confirmed: 0,
      bounded: 2,
      unknown: 0,
      contradicted: 0,
    });
    expect(blind.reasons.get('count-not-recorded')).toBe(2);
  });

  it('shows the state in between two records as bounds of both, with an estimate', () => {
    const state = replayTo(log, { kind: 'at', ns: 4000n }, { rules: 'arm64-kvm-6.12' });
    const counter = state.vcpus[0]?.counters.find((c) => c.counter === 0);
    expect(state.vcpus[0]?.mode).toBe('guest');
    expect(counter).toMatchObject({
      eventName: 'INST_RETIRED 0x08',
      certainty: 'bounded',
      low: 1016n,
      high: 3016n,
      counting: true,
    });
    expect(counter?.estimate).toBeGreaterThan(1900n);
    expect(counter?.estimate).toBeLessThan(2100n);
  });

  it('is exact at the records themselves and says which gate is closed before', () => {
    const at = replayTo(log, { kind: 'seq', seq: log.eventCount }, { rules: 'arm64-kvm-6.12' });
    expect(at.vcpus[0]?.counters[0]).toMatchObject({ certainty: 'exact', low: 3016n, high: 3016n });
    const before = replayTo(log, { kind: 'at', ns: 450n }, { rules: 'arm64-kvm-6.12' });
    expect(before.vcpus[0]?.counters[0]).toMatchObject({
      certainty: 'exact',
      low: 0x10n,
      counting: false,
      gates: ['PMCR.E is 0'],
    });
  });
});

describe('what a recording does not tell', () => {
  it('is unknown before the first evidence and confirmed after it', () => {
    const log = new MemoryLog(
      draw(`
        0   v0 exit
        10  v0 entry read PMEVCNTR0_EL0
        20  v0 count e7 500 1
        30  v0 done read PMEVCNTR0_EL0 = 1500
        40  v0 enter
        1us v0 exit
        +10 v0 entry read PMEVCNTR0_EL0
        +10 v0 count e7 900 1
        +10 v0 done read PMEVCNTR0_EL0 = 1900
      `),
    );
    const result = checkLog(log, { rules: 'arm64-kvm-6.12' });
    expect(result.counterReads).toEqual({
      total: 2,
      confirmed: 1,
      bounded: 0,
      unknown: 1,
      contradicted: 0,
    });
    expect(result.reasons.get('initial-state-not-recorded')).toBe(1);
  });

  it('does not take the answer of a read it began in the middle of for another record', () => {
    const log = new MemoryLog(
      draw(`
        10  v0 count e7 500 1
        20  v0 get 0 1500 own
        30  v0 done read PMEVCNTR0_EL0 = 1500
        40  v0 enter
        1us v0 exit
        +10 v0 entry read PMEVCNTR0_EL0
        +10 v0 count e7 900 1
        +10 v0 done read PMEVCNTR0_EL0 = 1900
        2us v0 enter
        3us v0 exit
        +10 v0 entry read PMEVCNTR0_EL0
        +10 v0 count e7 950 1
        +10 v0 done read PMEVCNTR0_EL0 = 1950
      `),
    );
    const result = checkLog(log, { rules: 'arm64-kvm-6.12' });
    // From the first on value and count are known together.
    expect(result.counterReads).toEqual({
      total: 3,
      confirmed: 2,
      bounded: 0,
      unknown: 1,
      contradicted: 0,
    });
  });

  it('makes everything unknown again after lost records', () => {
    const log = new MemoryLog(
      draw(COUNTING.replace('3us  v0 enter', '2500 v0 lost 3\n  3us  v0 enter')),
    );
    const result = checkLog(log, { rules: 'arm64-kvm-6.12' });
    expect(result.counterReads).toEqual({
      total: 2,
      confirmed: 1,
      bounded: 0,
      unknown: 1,
      contradicted: 0,
    });
    expect(result.reasons.get('records-lost')).toBe(1);
  });

  it('shows a refused placement: the counter stands still exactly', () => {
    const text = COUNTING.replace('520  v0 place e2', '520  v0 place e2 -11');
    const cut = text.split('\n').slice(0, -6).join('\n');
    const log = new MemoryLog(
      draw(cut.replace('count e2 1000 1', 'count e2 0 -2').replace('= 1016', '= 16')),
    );
    const blind = checkLog(log, { rules: 'arm64-kvm-6.12', withheld: parseWithheld(['counts']) });
    expect(blind.counterReads).toMatchObject({ total: 1, confirmed: 1 });
    const state = replayTo(log, { kind: 'at', ns: 1500n }, { rules: 'arm64-kvm-6.12' });
    expect(state.vcpus[0]?.counters[0]).toMatchObject({
      certainty: 'exact',
      low: 16n,
      counting: false,
    });
    expect(state.vcpus[0]?.counters[0]?.gates[0]).toMatch(/^event not placed since @\d+$/);
  });
});
