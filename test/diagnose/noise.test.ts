import { describe, expect, it } from 'vitest';
import { diagnoseLog } from '../../src/diagnose/diagnose-log.ts';
import { holdsZero } from '../../src/diagnose/ledger/amount.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';
import { cleanTrace } from './clean-trace.ts';

/** How many traces; bench/diagnose-noise.mjs asks for more. */
const TRACES = Number(process.env['VPMU_NOISE'] ?? 100);

interface Noise {
  readonly windows: number;
  readonly compared: number;
  /** Seeds of traces in which a guest's count is not the host's of guest mode and nothing says why. */
  readonly unequal: readonly number[];
  /** `code grade` → seeds of the traces it is a false alarm in. */
  readonly falseAlarms: ReadonlyMap<string, readonly number[]>;
  readonly real: ReadonlyMap<string, number>;
}

function noiseOf(traces: number): Noise {
  const falseAlarms = new Map<string, number[]>();
  const real = new Map<string, number>();
  let windows = 0;
  let compared = 0;
  const unequal: number[] = [];
  for (let seed = 1; seed <= traces; seed++) {
    const trace = cleanTrace(seed);
    const log = new MemoryLog(draw(trace.drawing), 4096, trace.recording);
    const diagnosis = diagnoseLog(log);
    windows += diagnosis.windows.length;
    compared += diagnosis.windows.filter(({ host }) => host !== null).length;
    for (const { basis, ledger } of diagnosis.windows) {
      const guestMode = basis === 'G' || basis === 'GH-H';
      // What KVM emulates is in the guest alone; beyond that both count the same.
      if (guestMode && !holdsZero(ledger.unexplained!)) unequal.push(seed);
    }
    const ledgers = [...diagnosis.windows.map(({ ledger }) => ledger), diagnosis.overall];
    for (const { code, grade } of ledgers.flatMap(({ findings }) => findings)) {
      const key = `${code} ${grade}`;
      if (trace.real.has(code)) real.set(key, (real.get(key) ?? 0) + 1);
      else falseAlarms.set(key, [...(falseAlarms.get(key) ?? []), seed]);
    }
  }
  return { windows, compared, unequal, falseAlarms, real };
}

describe('clean traces', () => {
  it(`give no finding that is not there (${TRACES} traces)`, { timeout: 600_000 }, () => {
    const noise = noiseOf(TRACES);
    if (process.env['VPMU_NOISE'] !== undefined) {
      console.log(`${TRACES} clean traces, ${noise.windows} windows, ${noise.compared} compared`);
      for (const [key, count] of noise.real) console.log(`really there: ${key}: ${count}`);
      const alarms = [...noise.falseAlarms].map(([key, seeds]) => `${key}: ${seeds.length}`);
      console.log(`false alarms: ${alarms.length === 0 ? 'none' : alarms.join(', ')}`);
    }
    expect([...noise.falseAlarms]).toEqual([]);
    expect(noise.unequal).toEqual([]);
    // A generator that compares nothing, or in which nothing happens, proves nothing.
    expect(noise.compared).toBeGreaterThan(TRACES / 2);
    expect(noise.real.get('host-steal proven')).toBeGreaterThan(0);
  });
});
