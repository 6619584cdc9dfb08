import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sliceLog } from '../../src/diagnose/slice-log.ts';
import {
  checkLog,
  diagnoseLog,
  type Log,
  type Observation,
  sliceOfRecordings,
} from '../../src/index.ts';
import { replay, runReplay } from '../../src/replay/replay.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import { draw } from '../drawn-trace.ts';
import { anyProgram, anySetup, modelOf } from '../emulator/programs.ts';
import { guestReads, logOf, SHIPPED } from '../golden/shipped.ts';
import { simulate } from '../replay/simulated-kvm.ts';
import { comparable, imported, PartsLog, pairs } from './slices.ts';

const RECORDINGS = [
  ['S5-bare', 'trace-raw'],
  ['S3-lean', 'trace-raw'],
  ['S6-kut-pmu-chained-counters', 'trace-raw'],
  ['S5-bare-61', 'trace-raw'],
] as const;

describe.each(RECORDINGS)('slices of %s', (recording, form) => {
  const open = (): Promise<Log> => logOf(SHIPPED.get(recording)!.get(form)!);

  it('predict every read as the whole log does, wherever they are cut', async () => {
    const log = await open();
    const whole = await guestReads(log);
    const n = log.eventCount;
    const place = fc.noBias(fc.nat(n - 2));
    const forms = { state: 0, history: 0 };
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 3000 }), async (from, length) => {
        const range = { fromSeq: from + 1, toSeq: Math.min(n, from + 1 + length) };
        const slice = sliceLog(log, range, { tool: 'test' });
        forms[slice.facts.form]++;
        if (slice.facts.form === 'state') expect(slice.facts.preamble).toBeLessThan(200);
        const own = await imported(log, slice);
        try {
          for (const [there, here] of pairs(whole, await guestReads(own), slice)) {
            if (there.verdict === 'confirmed') {
              expect(comparable(here)).toEqual(comparable(there));
            } else if (there.verdict !== 'contradicted') {
              expect(here.verdict).not.toBe('contradicted');
            }
          }
          expect(sliceOfRecordings(own.imports())).toEqual(slice.facts);
          const { guestReads: reads, counterReads } = checkLog(own);
          expect({ ...reads }).toEqual(slice.facts.guestReads);
          expect({ ...counterReads }).toEqual(slice.facts.counterReads);
        } finally {
          own.close();
        }
      }),
      { numRuns: 12, seed: 20261121 },
    );
    // The history is kept where a backing event is in the middle of its end.
    expect(forms.state).toBeGreaterThanOrEqual(10);
  });
});

describe('a slice of one window', () => {
  it('is diagnosed as that window is in the whole log', async () => {
    const log = await logOf(SHIPPED.get('S3-lean')!.get('trace-raw')!);
    const impaired = diagnoseLog(log).windows.find(({ verdict }) => verdict === 'impaired')!;
    const { fromSeq, toSeq } = impaired.window;
    const own = await imported(log, sliceLog(log, { fromSeq, toSeq }, { tool: 'test' }));
    try {
      const same = diagnoseLog(own).windows.find(
        ({ window }) =>
          window.counter === impaired.window.counter &&
          window.fromTime === impaired.window.fromTime,
      )!;
      const told = ({ ledger }: typeof same) =>
        ledger.findings.map(({ code, grade, amount }) => ({ code, grade, amount }));
      expect(same.verdict).toBe('impaired');
      expect(same.window.guest).toEqual(impaired.window.guest);
      expect(told(same)).toEqual(told(impaired));
    } finally {
      own.close();
    }
  });
});

/** Machines whose constants a replay takes from the records alone. */
const machine = anySetup.map((any) => {
  const pmuVer = any.pmuVer >= 6 ? 6 : 5;
  return { ...any, pmuVer, hostPmuVer: pmuVer, el2: false, el3: false };
});

const DRAWN = `
  10us v0 reset
  20us v0 enter
  30us v0 exit
  31us v0 entry write PMEVTYPER0_EL0 0x8
  31us v0 create 0 e1 config=0x8 period=609369890 disabled
  31us v0 done write PMEVTYPER0_EL0 0x8
  32us v0 write PMCNTENCLR_EL0 0x8000003f
  32us v0 write PMCNTENSET_EL0 1
  33us v0 entry write PMCR_EL0 1
  33us v0 enable e1
  33us v0 done write PMCR_EL0 1
  34us v0 place e1
  40us v0 enter
  50us v0 exit
  51us v0 trap read PMEVCNTR0_EL0
  51us v0 count e1 500 1
  52us v0 done read PMEVCNTR0_EL0 = 3685597906
  53us v0 enter
  60us v0 exit
  61us v0 read PMCR_EL0 = 0x3041
  62us v0 enter
  70us v0 exit
  71us v0 trap read PMEVCNTR0_EL0
  71us v0 count e1 900 1
  72us v0 done read PMEVCNTR0_EL0 = 3685598306
  73us v0 read PMCNTENSET_EL0 = 1
`;

describe('slices of random programs on the reference vPMU', () => {
  const programs = fc.tuple(machine, anyProgram(true), fc.nat(10_000), fc.nat(300));

  it('contradict nothing and confirm what the whole log confirms', () => {
    const forms = { state: 0, history: 0 };
    fc.assert(
      fc.property(programs, ([setup, program, from, length]) => {
        const { events, attrs } = simulate(
          setup,
          program.filter((step) => step.op !== 'userPmcr' && step.op !== 'filter'),
        );
        if (events.length < 3) return;
        const vcpus = [{ slot: 0, index: 0, tid: 100, pid: -1, learnedFrom: 'simulated', seq: 1 }];
        const timed = events.map((event, i) => ({ time: BigInt(i), ...event, source: 1 }));
        const log = new PartsLog({ events: timed, attrs: [...attrs], names: [''], vcpus });
        const fromSeq = 2 + (from % (events.length - 2));
        const range = { fromSeq, toSeq: Math.min(events.length, fromSeq + length) };
        const choices = { rules: modelOf(setup).rules.name };
        const { source, config } = prepareReplay(log, choices);
        const seen: Observation[] = [];
        runReplay(replay(source, config), (step) => {
          seen.push(...step.observations);
        });
        const slice = sliceLog(log, range, { tool: 'test', choices });
        forms[slice.facts.form]++;
        const of = seen.filter(({ seq }) => seq >= slice.facts.fromSeq && seq <= slice.facts.toSeq);
        const there = of.filter(({ verdict }) => verdict === 'contradicted').length;
        if (slice.facts.form === 'state') {
          expect(slice.facts.guestReads.total).toBe(of.length);
          expect(slice.facts.guestReads.contradicted).toBeLessThanOrEqual(there);
          expect(slice.facts.guestReads.confirmed).toBeGreaterThanOrEqual(
            of.filter(({ verdict }) => verdict === 'confirmed').length,
          );
        } else expect(slice.lessSure).toBe(0);
      }),
      { numRuns: 80, seed: 5 },
    );
    // The history is for states that no records can tell.
    expect(forms.state).toBeGreaterThan(4 * forms.history);
  });
});

describe('slices of a log that records guest entries', () => {
  const log = new PartsLog(draw(DRAWN));
  const seen: Observation[] = [];
  const prepared = prepareReplay(log);
  runReplay(replay(prepared.source, prepared.config), ({ observations }) => {
    seen.push(...observations);
  });

  it.each(Array.from({ length: log.eventCount - 1 }, (_, i) => i + 2))(
    'predict the same from @%i on',
    (fromSeq) => {
      const slice = sliceLog(log, { fromSeq }, { tool: 'test' });
      const rest = seen.filter(({ seq }) => seq >= slice.facts.fromSeq);
      const verdicts = { confirmed: 0, bounded: 0, unknown: 0, contradicted: 0 };
      for (const { verdict } of rest) verdicts[verdict]++;
      expect(slice.lessSure).toBe(0);
      if (slice.facts.form === 'state') {
        expect(slice.facts.guestReads).toEqual({ total: rest.length, ...verdicts });
      }
    },
  );

  it('are made from the state while a counter runs: its count goes on', () => {
    for (const at of [53_000n, 60_000n, 62_000n]) {
      const [before] = log.eventsBefore(log.eventCount + 1, 99).filter(({ time }) => time === at);
      const slice = sliceLog(log, { fromSeq: before!.seq }, { tool: 'test' });
      expect(slice.facts.form).toBe('state');
      // The second read of 900 rests on the count of 500 that the preamble holds.
      expect(slice.facts.counterReads).toMatchObject({ total: 1, confirmed: 1 });
    }
  });

  it('never begin inside of an access', () => {
    const inside = seen[0]!.seq;
    const { facts } = sliceLog(log, { fromSeq: inside }, { tool: 'test' });
    expect(facts.fromSeq).toBeLessThan(inside);
    expect(facts.toSeq).toBe(log.eventCount);
  });

  it('refuse a range without events', () => {
    expect(() => sliceLog(log, { fromSeq: 5000 }, { tool: 'test' })).toThrow(/holds no event/);
  });
});
