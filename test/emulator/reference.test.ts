import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult } from '../../src/emulator/pmuv3-config.ts';
import { FakePerf, hex, type PerfCall } from './fake-perf.ts';
import { anyLineage, anyProgram, codeOf, modelOf, plainVpmu, type Step } from './programs.ts';
import type { ReferenceSetup } from './reference.ts';

interface Observed {
  undef?: boolean;
  warn?: boolean;
  value?: string;
  told?: boolean;
  ret?: number;
  overflows?: bigint;
  perf: PerfCall[];
  registers: string[];
  counters: string[];
  level: number | undefined;
  pending: boolean;
}

/** Host-side steps, the same for both emulators. */
function hostStep(step: Step, perf: FakePerf): bigint | undefined {
  switch (step.op) {
    case 'hw':
      return perf.hardware(step.event, step.el, step.n, step.skid);
    case 'sched':
      perf.schedule();
      break;
    case 'steal':
      perf.steal(step.counter);
      break;
    case 'inject':
      if (step.what === 'create') perf.createFails++;
      else perf.placeFails++;
      break;
    default:
  }
  return undefined;
}

function runReference(setup: ReferenceSetup, steps: readonly Step[]): Observed[] {
  const perf = new FakePerf();
  const pmu = plainVpmu(setup, perf);
  perf.selfRearms = modelOf(setup).rules.rearm === 'fixed';
  perf.onOverflow = (counter) => pmu.overflow(counter);
  return steps.map((step) => {
    perf.calls = [];
    const seen: Partial<Observed> = {};
    const overflows = hostStep(step, perf);
    if (overflows !== undefined) seen.overflows = overflows;
    if (step.op === 'write' || step.op === 'read') {
      const answer = pmu.access(
        step.reg,
        step.op === 'write',
        step.op === 'write' ? step.value : 0n,
        step.form,
      );
      seen.undef = answer.undef;
      seen.warn = answer.warn;
      if (step.op === 'read') seen.value = hex(answer.value);
    } else if (step.op === 'enter') seen.told = pmu.enter();
    else if (step.op === 'exit') seen.told = pmu.exit();
    else if (step.op === 'reset') pmu.reset();
    else if (step.op === 'userPmcr') pmu.setPmcrByUser(step.value);
    else if (step.op === 'filter') seen.ret = pmu.setFilter(step.base, step.count, step.allow);
    const el1 = { el: 1, aa32: false, wide: false } as const;
    return {
      ...seen,
      perf: perf.calls,
      registers: ['PMCR', 'PMSELR', 'PMUSERENR', 'PMCNTENSET', 'PMINTENSET', 'PMOVSSET'].map(
        (reg) => hex(pmu.access(reg, false, 0n, el1).value),
      ),
      counters: Array.from({ length: 32 }, (_, i) =>
        [
          hex(pmu.value(i)),
          hex(pmu.get(`type${i}`)),
          pmu.hasEvent.has(i) ? hex(pmu.periods.get(i)!) : '-',
        ].join(' '),
      ),
      level: pmu.irqLevel,
      pending: pmu.irqPending,
    };
  });
}

function runModel(setup: ReferenceSetup, steps: readonly Step[]): Observed[] {
  const perf = new FakePerf();
  const { config, rules } = modelOf(setup);
  const pmu = new Pmuv3(config, rules, perf);
  pmu.newVcpu();
  perf.selfRearms = rules.rearm === 'fixed';
  perf.onOverflow = (counter) => {
    pmu.overflow(counter);
    return rules.rearm === 'fixed' ? undefined : pmu.counterView(counter).period!;
  };
  const out = accessResult();
  return steps.map((step, at) => {
    perf.calls = [];
    const seen: Partial<Observed> = {};
    const overflows = hostStep(step, perf);
    if (overflows !== undefined) seen.overflows = overflows;
    if (step.op === 'write' || step.op === 'read') {
      const { space, code } = codeOf(step.reg, step.form);
      if (step.op === 'write') pmu.write(code, space, step.value, step.form.el, out);
      else {
        pmu.read(code, space, step.form.el, out);
        expect([out.span, out.unknownBits]).toEqual([0n, 0n]);
        seen.value = hex(out.low);
      }
      expect(out.outcomeUnknown).toBe(false);
      seen.undef = out.undef;
      seen.warn = out.warn;
    } else if (step.op === 'enter') seen.told = pmu.guestEnter();
    else if (step.op === 'exit') seen.told = pmu.guestExit();
    else if (step.op === 'reset') pmu.vcpuReset();
    else if (step.op === 'userPmcr') pmu.userspaceSetPmcr(step.value);
    else if (step.op === 'filter') {
      seen.ret = pmu.setEventFilter({
        base: step.base,
        nevents: step.count,
        action: step.allow ? 'allow' : 'deny',
      });
    }
    // A snapshot taken and put back in between must not change anything.
    if (at % 7 === 3) expect(pmu.restore(pmu.snapshot())).toBe(true);
    const views = Array.from({ length: 32 }, (_, i) => pmu.counterView(i));
    return {
      ...seen,
      perf: perf.calls,
      registers: pmu.registerViews().map((view) => hex(view.value)),
      counters: views.map((view) =>
        [hex(view.low), hex(view.type), view.hasEvent ? hex(view.period!) : '-'].join(' '),
      ),
      level: pmu.irqLevel,
      pending: pmu.irqPending,
    };
  });
}

/** More of them by hand: VPMU_RUNS=20000. fast-check prints the seed of a failure. */
const RUNS = Number(process.env['VPMU_RUNS'] ?? 300);

describe('the plain reference emulator and the model', () => {
  it(
    'agree on every random program, for every rule set',
    () => {
      fc.assert(
        fc.property(anyLineage, anyProgram(true), (setup, steps) => {
          expect(runModel(setup, steps)).toEqual(runReference(setup, steps));
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + 100 * RUNS,
  );
});
