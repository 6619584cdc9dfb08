import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sysregCode } from '../../src/arch/arm64-registers.ts';
import { ruleSetForKernel } from '../../src/arch/rule-sets.ts';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import type { BackingAttr, HostPerf } from '../../src/emulator/host-perf.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult, type Pmuv3Config } from '../../src/emulator/pmuv3-config.ts';
import { hex, type PerfCall } from './fake-perf.ts';

/** What a real kernel did with one access or happening: see the README beside the fixture. */
interface Step {
  op: 'reset' | 'first_run' | 'mrs' | 'msr' | 'get' | 'overflow';
  code?: number;
  value?: string;
  result?: 'ok' | 'undef';
  pmc?: number;
  count?: number;
  period?: string;
  pmcr?: string;
  cnten?: string;
  counts?: Record<string, number>;
  perf?: PerfCall[];
}

interface Recorded {
  name: string;
  kernel: string;
  steps: Step[];
}

const file = new URL('../fixtures/vectors/recorded-arm64.jsonl.gz', import.meta.url);
const recordings = gunzipSync(readFileSync(file))
  .toString('utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

const { sysreg } = RegisterSpace;
const PMCNTENSET = sysregCode(3, 3, 9, 12, 1);

/** Answers with the counts the recording has for the step at hand. */
class RecordedPerf implements HostPerf {
  calls: PerfCall[] = [];
  counts: Record<string, number> = {};
  create(pmc: number, attr: Readonly<BackingAttr>): boolean {
    expect(attr.periodKnown).toBe(true);
    this.calls.push({
      call: 'create',
      pmc,
      config: hex(attr.config),
      config1: attr.wide ? '0x1' : '0x0',
      period: hex(attr.samplePeriod),
      xu: Number(attr.excludeUser),
      xk: Number(attr.excludeKernel),
      disabled: Number(attr.disabled),
    });
    this.counts[pmc] = 0;
    return true;
  }
  enable(pmc: number): void {
    this.calls.push({ call: 'enable', pmc });
  }
  disable(pmc: number): void {
    this.calls.push({ call: 'disable', pmc });
  }
  release(pmc: number): void {
    this.calls.push({ call: 'release', pmc });
  }
  countLow(pmc: number): bigint {
    const count = this.counts[pmc];
    if (count === undefined)
      throw new Error(`the kernel did not read the event of counter ${pmc} here`);
    return BigInt(count);
  }
  countSpan(): bigint {
    return 0n;
  }
  rebase(): void {
    throw new Error('exact');
  }
  doubt(): void {
    throw new Error('exact');
  }
}

function configFor(kernel: string): Pmuv3Config {
  const old = kernel.startsWith('6.1.');
  return {
    pmcrN: 6,
    pmuVer: old ? 5 : 6,
    hostPmuVer: 6,
    el0Aarch32: true,
    el2: false,
    el3: false,
    hostPmceid0: 0x2_0101n,
    hostPmceid1: 0x1000_0018n,
    pmcrIdentity: 0x4101_0000n,
    pmcrUnknownMask: 0n,
    pmuPresent: true,
  };
}

/** Replays one vCPU; returns per step what the model says where the kernel said something. */
function run({ kernel, steps }: Recorded): { predicted: unknown[]; recorded: unknown[] } {
  const perf = new RecordedPerf();
  const choice = ruleSetForKernel(kernel)!;
  expect(choice.exact).toBe(true);
  const pmu = new Pmuv3(configFor(kernel), choice.rules, perf);
  pmu.newVcpu();
  const out = accessResult();
  const predicted: unknown[] = [];
  const recorded: unknown[] = [];
  for (const step of steps) {
    perf.calls = [];
    perf.counts = { ...step.counts };
    const seen: Record<string, unknown> = {};
    const truth: Record<string, unknown> = { perf: step.perf ?? [] };
    switch (step.op) {
      case 'reset':
        pmu.vcpuReset();
        break;
      case 'first_run':
        // The VMM sets registers before the first run without a record; KVM's enable mask shows PMCNTEN.
        pmu.adopt(PMCNTENSET, sysreg, BigInt(step.cnten!));
        pmu.firstRun();
        break;
      case 'mrs':
        pmu.read(step.code!, sysreg, 1, out);
        expect([out.span, out.unknownBits, out.outcomeUnknown]).toEqual([0n, 0n, false]);
        seen['result'] = out.undef ? 'undef' : 'ok';
        if (!out.undef) seen['value'] = hex(out.low);
        truth['result'] = step.result;
        if (step.value !== undefined) truth['value'] = step.value;
        break;
      case 'msr':
        pmu.write(step.code!, sysreg, BigInt(step.value!), 1, out);
        seen['result'] = out.undef ? 'undef' : 'ok';
        truth['result'] = step.result;
        break;
      case 'get': {
        const view = pmu.counterView(step.pmc!);
        expect(view.span).toBe(0n);
        seen['value'] = hex(view.low);
        truth['value'] = step.value;
        break;
      }
      case 'overflow':
        perf.counts = { [step.pmc!]: step.count! };
        seen['period'] = hex(pmu.counterView(step.pmc!).period!);
        truth['period'] = step.period;
        pmu.overflow(step.pmc!);
        break;
    }
    seen['perf'] = perf.calls;
    predicted.push({ op: step.op, pmc: step.pmc, code: step.code, ...seen });
    recorded.push({ op: step.op, pmc: step.pmc, code: step.code, ...truth });
  }
  return { predicted, recorded };
}

describe('recordings of real kernels', () => {
  it.each(
    recordings.map((recording) => [`${recording.kernel} ${recording.name}`, recording] as const),
  )('%s', (_name, recording) => {
    const { predicted, recorded } = run(recording);
    expect(predicted).toEqual(recorded);
  });
  it('cover both kernels', () => {
    expect(new Set(recordings.map((recording) => recording.kernel)).size).toBe(2);
  });
});
