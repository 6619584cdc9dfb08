import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventChunk } from '../../src/domain/event-chunk.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import { createReplayer } from '../../src/replay/create-replayer.ts';
import { parseWithheld } from '../../src/replay/evidence.ts';
import type { Observation } from '../../src/replay/observation.ts';
import type { Replayer } from '../../src/replay/replayer.ts';
import { anyProgram, anySetup } from '../emulator/programs.ts';
import { chunksOf, configOf, type Simulation, simulate } from './simulated-kvm.ts';

/** Machines whose constants the replay is told (the versions in between and EL2/EL3 guests are the emulator's tests). */
const setup = anySetup.map((machine) => {
  const pmuVer = machine.pmuVer >= 6 ? 6 : 5;
  return { ...machine, pmuVer, hostPmuVer: pmuVer, el2: false, el3: false };
});
const simulation = fc.tuple(setup, anyProgram(true)).map(([machine, program]) =>
  simulate(
    machine,
    program.filter((step) => step.op !== 'userPmcr' && step.op !== 'filter'),
  ),
);

function run(
  sim: Simulation,
  chunks: readonly EventChunk[],
  without: readonly string[] = [],
): { observations: Observation[]; replayer: Replayer } {
  const observations: Observation[] = [];
  const replayer = createReplayer(configOf(sim, parseWithheld(without)));
  for (const chunk of chunks)
    replayer.apply(chunk, 0, chunk.length, (seen) => observations.push(seen));
  return { observations, replayer };
}

const runs = { numRuns: Number(process.env['RUNS'] ?? 300) };

describe('recordings of random programs on the reference vPMU', () => {
  it('has every guest read confirmed when every count is recorded', () => {
    fc.assert(
      fc.property(simulation, (sim) => {
        const { observations, replayer } = run(sim, chunksOf(sim, [4096]));
        const wrong = observations.filter((seen) => seen.verdict !== 'confirmed');
        expect(wrong).toEqual([]);
        expect(observations.length).toBe(sim.reads);
        const { perf } = replayer.vcpus[0]!;
        expect(perf.createsContradicted).toBe(0);
        expect(perf.deviations).toBe(0);
      }),
      runs,
    );
  });

  it.each([
    ['every count withheld', ['counts']],
    ['only the reads withheld', ['perf-reads']],
    ['only the counts of the driver', ['perf-reads', 'event-counts']],
    ['no counts and no placement', ['counts', 'placement']],
    ['no counts and no schedule', ['counts', 'schedule']],
  ])('never has a true value outside its bounds: %s', (_, without) => {
    fc.assert(
      fc.property(simulation, (sim) => {
        const { observations } = run(sim, chunksOf(sim, [4096]), without);
        expect(observations.filter((seen) => seen.verdict === 'contradicted')).toEqual([]);
      }),
      runs,
    );
  });

  it('narrows bounds as evidence is added', () => {
    fc.assert(
      fc.property(simulation, (sim) => {
        const blind = run(sim, chunksOf(sim, [4096]), ['counts']).observations;
        const more = run(sim, chunksOf(sim, [4096]), ['perf-reads', 'event-counts']).observations;
        blind.forEach((seen, i) => {
          expect(more[i]!.span <= seen.span).toBe(true);
        });
      }),
      runs,
    );
  });

  it('stays sound when the recording starts late', () => {
    fc.assert(
      fc.property(simulation, fc.nat(), (sim, cut) => {
        const late = { ...sim, events: sim.events.slice(cut % sim.events.length) };
        const { observations } = run(late, chunksOf(late, [4096]));
        expect(observations.filter((seen) => seen.verdict === 'contradicted')).toEqual([]);
      }),
      runs,
    );
  });

  it('stays sound when records are lost and the loss is recorded', () => {
    fc.assert(
      fc.property(simulation, fc.nat(), fc.integer({ min: 1, max: 40 }), (sim, from, length) => {
        const at = from % sim.events.length;
        const holed = {
          ...sim,
          events: [
            ...sim.events.slice(0, at),
            {
              seq: at + 1,
              time: sim.events[at]!.time!,
              kind: EventKind.lost,
              vcpu: -1,
              tid: -1,
              value: 0n,
            },
            ...sim.events.slice(at + length),
          ],
        };
        const { observations } = run(holed, chunksOf(holed, [4096]));
        expect(observations.filter((seen) => seen.verdict === 'contradicted')).toEqual([]);
      }),
      runs,
    );
  });

  it('gives the same answers and the same state for any chunk sizes', () => {
    fc.assert(
      fc.property(
        simulation,
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (sim, sizes) => {
          const whole = run(sim, chunksOf(sim, [4096]));
          const cut = run(sim, chunksOf(sim, sizes));
          expect(cut.observations).toEqual(whole.observations);
          expect(cut.replayer.snapshot()).toEqual(whole.replayer.snapshot());
        },
      ),
      { numRuns: 100 },
    );
  });

  it('goes on from a snapshot at any event as if it had never stopped', () => {
    fc.assert(
      fc.property(
        simulation,
        fc.nat(),
        fc.constantFrom([], ['counts']),
        (sim, position, without) => {
          const [chunk] = chunksOf(sim, [sim.events.length]);
          const at = position % sim.events.length;
          const whole = run(sim, [chunk!], without);
          const config = configOf(sim, parseWithheld(without));
          const first = createReplayer(config);
          first.apply(chunk!, 0, at, () => undefined);
          const rest: Observation[] = [];
          const second = createReplayer(config);
          second.restore(first.snapshot());
          second.apply(chunk!, at, chunk!.length, (seen) => rest.push(seen));
          expect(rest).toEqual(whole.observations.filter((seen) => seen.seq > at));
          expect(second.snapshot()).toEqual(whole.replayer.snapshot());
        },
      ),
      { numRuns: 200 },
    );
  });
});
