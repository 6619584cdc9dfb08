import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseArm64Register } from '../../src/arch/arm64-registers.ts';
import { ARM64_KVM_6_12 } from '../../src/arch/arm64-rules.ts';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult } from '../../src/emulator/pmuv3-config.ts';
import { FakePerf, hex, type PerfCall } from './fake-perf.ts';

interface Step {
  op: string;
  reg?: string;
  value?: string;
  el?: number;
  aa32?: boolean;
  event?: string;
  n?: string | number;
  skid?: string;
  what?: string;
  pmc?: number;
  base?: string;
  nevents?: number;
  action?: 'allow' | 'deny' | number;
  [observed: string]: unknown;
}

interface Vector {
  name: string;
  cpuid: {
    pmcr_n: number;
    host_counters: number;
    pmuver: number;
    host_pmuver: number;
    el0_aarch32: boolean;
    pmu_feature: boolean;
    el2: boolean;
    el3: boolean;
    host_pmceid0: string;
    host_pmceid1: string;
  };
  init: Record<'pmcr' | 'cnten' | 'inten' | 'ovs', string>;
  steps: Step[];
}

const OBSERVED = [
  'result',
  'perf',
  'level',
  'vgic_call',
  'overflows',
  'ret',
  'warn',
  'pmcr',
  'cnten',
  'inten',
  'ovs',
  'req_irq_pending',
] as const;

const file = new URL('../fixtures/vectors/vectors-6.12-arm.jsonl.gz', import.meta.url);
const vectors = gunzipSync(readFileSync(file))
  .toString('utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector);

/** Runs the inputs of a vector and returns each step with what the model observed in place of what the kernel did. */
function run(vector: Vector): { init: Vector['init']; steps: Step[] } {
  const { cpuid } = vector;
  const perf = new FakePerf();
  const pmu = new Pmuv3(
    {
      pmcrN: cpuid.pmcr_n,
      hostCounters: cpuid.host_counters,
      pmuVer: cpuid.pmuver,
      hostPmuVer: cpuid.host_pmuver,
      el0Aarch32: cpuid.el0_aarch32,
      el2: cpuid.el2,
      el3: cpuid.el3,
      hostPmceid0: BigInt(cpuid.host_pmceid0),
      hostPmceid1: BigInt(cpuid.host_pmceid1),
      pmcrIdentity: 0n,
      pmcrUnknownMask: 0n,
      pmuPresent: cpuid.pmu_feature,
    },
    ARM64_KVM_6_12,
    perf,
  );
  pmu.newVcpu();
  perf.onOverflow = (counter) => {
    pmu.overflow(counter);
    return pmu.counterView(counter).period!;
  };
  const registers = (): Record<string, string> =>
    Object.fromEntries(
      pmu
        .registerViews()
        .filter((view) => /PMCR|PMCNTEN|PMINTEN|PMOVS/.test(view.name))
        .map((view) => {
          expect(view.unknownBits).toBe(0n);
          const key = { PMCR: 'pmcr', PMCN: 'cnten', PMIN: 'inten', PMOV: 'ovs' }[
            view.name.slice(0, 4)
          ]!;
          return [key, hex(view.value)];
        }),
    );
  const init = registers();
  let before = init;
  const out = accessResult();
  const steps = vector.steps.map((step) => {
    const seen: Step = { ...step };
    for (const key of OBSERVED) delete seen[key];
    const skid = BigInt(step.skid ?? '0x0');
    switch (step.op) {
      case 'msr':
      case 'mrs': {
        const codes = parseArm64Register(step.reg!)!;
        const { space, code } = codes.find(
          (found) => (found.space === RegisterSpace.cp15) === (step.aa32 === true),
        )!;
        if (step.op === 'msr') pmu.write(code, space, BigInt(step.value!), step.el!, out);
        else {
          delete seen.value;
          pmu.read(code, space, step.el!, out);
          expect(out.span).toBe(0n);
          expect(out.unknownBits).toBe(0n);
          if (!out.undef) seen.value = hex(out.low);
        }
        expect(out.outcomeUnknown).toBe(false);
        seen['result'] = out.undef ? 'undef' : 'ok';
        if (out.warn) seen['warn'] = 1;
        break;
      }
      case 'entry':
      case 'exit':
        seen['vgic_call'] = step.op === 'entry' ? pmu.guestEnter() : pmu.guestExit();
        seen['level'] = pmu.irqLevel;
        break;
      case 'hw':
        seen['overflows'] = hex(perf.hardware(Number(step.event), step.el!, BigInt(step.n!), skid));
        break;
      case 'filter':
        seen['ret'] = pmu.setEventFilter({
          base: Number(step.base),
          nevents: step.nevents!,
          action: step.action!,
        });
        break;
      case 'steal':
        perf.steal(step.pmc!);
        break;
      case 'inject':
        if (step.what === 'create-fail') perf.createFails += Number(step.n);
        else perf.placeFails += Number(step.n);
        break;
      case 'sched':
        perf.schedule();
        break;
      case 'userspace_set_pmcr':
        pmu.userspaceSetPmcr(BigInt(step.value!));
        seen['ret'] = 0;
        break;
      default:
        throw new Error(`unknown op ${step.op}`);
    }
    if (perf.calls.length > 0) seen['perf'] = perf.calls;
    perf.calls = [];
    const after = registers();
    for (const key of Object.keys(after)) if (after[key] !== before[key]) seen[key] = after[key];
    before = after;
    if (pmu.irqPending) seen['req_irq_pending'] = true;
    return seen;
  });
  return { init: init as Vector['init'], steps };
}

/** `err` is the fake's errno, not KVM's: only that it failed counts. */
function comparable(steps: Step[]): Step[] {
  return steps.map((step) => {
    const perf = step['perf'] as PerfCall[] | undefined;
    if (perf === undefined) return step;
    return {
      ...step,
      perf: perf.map((call) => (call.err === undefined ? call : { ...call, err: -1 })),
    };
  });
}

describe('conformance vectors of Linux 6.12 arm64', () => {
  it('has all 142 vectors and 11,214 steps', () => {
    expect(vectors.length).toBe(142);
    expect(vectors.reduce((sum, vector) => sum + vector.steps.length, 0)).toBe(11_214);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const { init, steps } = run(vector);
    expect(init).toEqual(vector.init);
    expect(comparable(steps)).toEqual(comparable(vector.steps));
  });
});
