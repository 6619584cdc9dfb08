import { describe, expect, it } from 'vitest';
import { verdictLine } from '../../src/cli/render/diagnosis-words.ts';
import { type Diagnosis, diagnoseLog } from '../../src/diagnose/diagnose-log.ts';
import { outcomeOf } from '../../src/diagnose/outcome.ts';
import type { RecordingFacts } from '../../src/domain/log-facts.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';
import { CASES } from './cases/index.ts';
import { runCase } from './cases/run-case.ts';

const INTEL = { arch: 'x86', kernelRelease: '6.12.0' } as const;

const diagnose = (drawing: string, facts: Partial<RecordingFacts>): Diagnosis =>
  diagnoseLog(new MemoryLog(draw(drawing), 4096, facts));

const caseOf = (id: string) => runCase(CASES.find((of) => of.id === id)!);

/** A guest that counts cycles in counter 0; then `refused`, then a read, then `after`, then a read. */
const withRefusal = (refused: string, after: string): string => `
  0    v0 refresh
  1us  v0 enter
  +300 v0 exit MSR_WRITE
  +100 v0 wrmsr 0x38f=0x1
  +100 v0 enter
  +300 v0 exit MSR_WRITE
  +100 v0 wrmsr 0x186=0x43003c
  +100 v0 create - e1 config=0x3c period=0x1000000000000
  +100 v0 enter
  +300 v0 exit MSR_WRITE
  +100 v0 ${refused}
  +100 v0 enter
  +90us v0 exit MSR_READ
  +100 v0 count e1 100000
  +100 v0 rdmsr 0xc1=100000
  +100 v0 enter
  +300 v0 exit MSR_WRITE
  +100 v0 ${after}
  +100 v0 enter
  +90us v0 exit MSR_READ
  +100 v0 count e1 200000
  +100 v0 rdmsr 0xc1=200000
  +100 v0 enter
`;

describe('a control write that took #GP', () => {
  const suspectOf = (drawing: string) =>
    diagnose(drawing, INTEL).windows.map(({ window, suspectSince }) => [
      window.counter,
      suspectSince,
    ]);
  const other = 'wrmsr 0x187=0x0';

  it.each([
    ['the selector', 'wrmsr! 0x186=0x20000043003c'],
    ['GLOBAL_CTRL', 'wrmsr! 0x38f=0x1ff'],
  ])('of %s makes every later value suspect', (_, refused) => {
    expect(suspectOf(withRefusal(refused, other))).toEqual([[0, 11]]);
  });

  it('… until the next one succeeds', () => {
    const selector = withRefusal('wrmsr! 0x186=0x20000043003c', 'wrmsr 0x186=0x43003c');
    expect(suspectOf(selector)).toEqual([[0, null]]);
    const global = withRefusal('wrmsr! 0x38f=0x1ff', 'wrmsr 0x38f=0x1');
    expect(suspectOf(global)).toEqual([[0, null]]);
  });

  it('… of another counter alone', () => {
    expect(suspectOf(withRefusal('wrmsr! 0x187=0x20000043003c', other))).toEqual([[0, null]]);
  });
});

describe('what the guest says of itself', () => {
  it('proves nothing: 100 % running beside an event in ERROR', () => {
    const pinned = caseOf('B01').ledgers.flatMap(({ findings }) => findings);
    expect(pinned.find(({ code }) => code === 'pinned-error')?.text).toMatch(
      /The guest cannot see that.*100 % running.*395 are instructions KVM emulated/,
    );
  });

  it('that it took turns is about the guest, not about contention in the host', () => {
    const busy = (report: string) =>
      diagnose(`${withRefusal('wrmsr 0x187=0x0', 'wrmsr 0x187=0x0')}\n+1us v0 ${report}`, INTEL);
    const told = busy('report cycles 200000 1000000 running=6200').overall.findings;
    expect(told.map(({ code, grade }) => [code, grade])).toEqual([['multiplexed', 'proven']]);
    expect(told[0]?.text).toMatch(/62 %.*inside the guest; the host need not be short of counters/);
    const whole = busy('report cycles 200000 1000000');
    expect(whole.overall.findings).toEqual([]);
    const all = caseOf('B01').diagnosis;
    expect(all.overall.findings.map(({ code }) => code)).not.toContain('multiplexed');
  });
});

describe('facts of the run that no tracepoint tells', () => {
  const polling = CASES.find(({ id }) => id === 'A09')!;

  it('rule causes out: halt_poll_ns = 0', () => {
    const marked = polling.drawing.replace('host H1', 'mark halt-poll-ns 0\n+0 v0 host H1');
    const { ledgers } = runCase(polling, marked);
    expect(ledgers.flatMap(({ findings }) => findings)).toEqual([]);
    const text = ledgers
      .flatMap(({ excluded }) => excluded)
      .find(({ code }) => code === 'halt-poll');
    expect(text?.text).toContain('halt_poll_ns is 0');
  });

  it('count: the NMI watchdog holds a counter', () => {
    const agent = CASES.find(({ id }) => id === 'B01')!;
    // Five pinned events and one counter of the guest are six; the watchdog makes it seven.
    const five = agent.drawing.replace(/.*host H6 .*/, '');
    const grade = (drawing: string) =>
      runCase(agent, drawing)
        .ledgers.flatMap(({ findings }) => findings)
        .find(({ code }) => code === 'counter-contention')?.grade;
    expect(grade(five)).toBe('consistent');
    expect(
      grade(
        five.replace('100us v0 cpu3 enter', '+1us v0 mark nmi-watchdog on\n100us v0 cpu3 enter'),
      ),
    ).toBe('proven');
  });
});

describe('the verdict', () => {
  it('names first what holds for the whole recording', () => {
    expect(verdictLine(caseOf('B09').diagnosis)).toMatch(
      /^The guest has no vPMU \(proven pmu-absent\)\. Nothing can be said of counts/,
    );
    expect(verdictLine(caseOf('A01').diagnosis)).toMatch(
      /^Two different runs \(proven different-run\)\. /,
    );
    expect(verdictLine(caseOf('A09').diagnosis)).toMatch(/^Nothing to explain: /);
  });
});

describe('the outcome', () => {
  const outcome = (id: string) => outcomeOf(caseOf(id).diagnosis);

  it.each([
    ['B09', 'differs', 'a guest without vPMU'],
    ['B14', 'differs', 'a host that goes dark'],
    ['B13', 'differs', 'a guest without topdown'],
    ['C19', 'differs', 'counts that differ'],
    ['B01', 'differs', 'a counter that did not count'],
    ['A01', 'inconclusive', 'two runs'],
    ['T03', 'inconclusive', 'clocks that do not fit'],
    ['A09', 'same', 'equal counts, whatever the time went to'],
    ['A10', 'inconclusive', 'no host count to compare with'],
  ])('of %s is %s: %s', (id, expected) => {
    expect(outcome(id)).toBe(expected);
  });
});
