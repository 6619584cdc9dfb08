import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { Reference } from './reference.ts';
import { hex, type PlainCall, PlainPerf, type Vendor } from './reference-perf.ts';
import type { Kernel, Setup } from './reference-setup.ts';

/** One step of a vector: inputs and what the kernel did. */
export interface VectorStep {
  op: string;
  status: string;
  pend: string;
  req: string;
  [key: string]: unknown;
}

export interface Vector {
  name: string;
  kernel: string;
  vendor: Vendor;
  flavor: string;
  cpuid: Record<string, unknown>;
  init: { status: string; gctrl: string; fctrl: string };
  steps: VectorStep[];
}

/** Reads a shipped file of vectors (gzip of JSON lines). */
export function readVectors(kernel: string, vendor: Vendor): Vector[] {
  const file = new URL(
    `../../fixtures/vectors/vectors-${kernel}-${vendor}.jsonl.gz`,
    import.meta.url,
  );
  return gunzipSync(readFileSync(file))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector);
}

interface Cpuid {
  version?: number;
  gp?: number;
  fixed?: number;
  gp_width?: number;
  fixed_width?: number;
  event_mask_len?: number;
  ebx?: string;
  perf_capabilities?: string;
  host_has_tsx?: boolean;
  leaf7_ebx?: string;
  in_kernel_lapic?: boolean;
  enable_pmu?: boolean;
  perfctr_core?: boolean;
  perfmon_v2?: boolean;
  nr_core_pmc?: number;
  host: { gp: number; fixed?: number; gp_width: number; fixed_width?: number };
}

/** B.2: the guest's PMU from its CPUID, capped by the host. */
export function setupOf(vector: Vector): Setup {
  const kernel = vector.kernel as Kernel;
  const cpuid = vector.cpuid as unknown as Cpuid;
  const lapic = cpuid.in_kernel_lapic ?? true;
  const none = cpuid.enable_pmu === false;
  // The 4.14 set-up left the APIC software-disabled: it delivers NMIs and never a fixed vector.
  const common = {
    kernel,
    vendor: vector.vendor,
    lapic,
    apicEnabled: kernel !== '4.14',
    hostGp: cpuid.host.gp,
  };
  if (vector.vendor === 'amd') {
    const core = kernel !== '4.14' && cpuid.perfctr_core === true;
    const v2 = kernel === '6.12' && cpuid.perfmon_v2 === true;
    const gp = v2 ? Math.min(cpuid.nr_core_pmc!, cpuid.host.gp) : core ? 6 : 4;
    return {
      ...common,
      version: none ? 0 : v2 ? 2 : 1,
      gp: none ? 0 : gp,
      fixed: 0,
      gpWidth: 48,
      fixedWidth: 48,
      vectorLength: 0,
      ebx: 0,
      perfCapabilities: 0n,
      hostTsx: false,
      leaf7Ebx: undefined,
      core,
      hostFixed: 0,
    };
  }
  return {
    ...common,
    version: none ? 0 : cpuid.version!,
    gp: none ? 0 : Math.min(cpuid.gp!, cpuid.host.gp),
    fixed: none || cpuid.version! < 2 ? 0 : Math.min(cpuid.fixed!, cpuid.host.fixed!),
    gpWidth: Math.min(cpuid.gp_width!, cpuid.host.gp_width),
    fixedWidth: Math.min(cpuid.fixed_width!, cpuid.host.fixed_width!),
    vectorLength: cpuid.event_mask_len!,
    ebx: Number(cpuid.ebx),
    perfCapabilities: BigInt(cpuid.perf_capabilities!),
    hostTsx: cpuid.host_has_tsx === true,
    leaf7Ebx: cpuid.leaf7_ebx === undefined ? undefined : Number(cpuid.leaf7_ebx),
    core: false,
    hostFixed: cpuid.host.fixed!,
  };
}

const OBSERVED = [
  'result',
  'overflows',
  'pmi',
  'lvtpc',
  'ret',
  'perf',
  'status',
  'pend',
  'req',
  'gctrl',
  'fctrl',
];

const controls = (pmu: Reference): { gctrl: string; fctrl: string } => ({
  gctrl: hex(pmu.globalCtrl),
  fctrl: hex(pmu.fixedCtrl),
});

/** Plays the inputs of a vector on the reference: each step with what it did in place of what the kernel did. */
export function runVector(vector: Vector): { init: Vector['init']; steps: VectorStep[] } {
  const perf = new PlainPerf(vector.vendor);
  const pmu = new Reference(setupOf(vector), perf);
  const init = { status: hex(pmu.status), ...controls(pmu) };
  let before = controls(pmu);
  const steps = vector.steps.map((step) => {
    const seen: Record<string, unknown> = { ...step };
    for (const key of OBSERVED) delete seen[key];
    perf.calls = [];
    const text = (key: string): string => String(step[key]);
    switch (step.op) {
      case 'rdmsr':
      case 'rdpmc': {
        delete seen['value'];
        const answer =
          step.op === 'rdmsr'
            ? pmu.rdmsr(Number(text('msr')), step['host'] === true)
            : pmu.rdpmc(Number(text('ecx')), Number(step['cpl']), step['pce'] === 1);
        seen['result'] = answer.result;
        if (answer.value !== undefined) {
          seen['value'] = typeof answer.value === 'string' ? answer.value : hex(answer.value);
        }
        break;
      }
      case 'wrmsr':
        seen['result'] = pmu.wrmsr(
          Number(text('msr')),
          BigInt(text('value')),
          step['host'] === true,
        ).result;
        break;
      case 'entry':
        seen['pmi'] = pmu.enter();
        seen['lvtpc'] = hex(pmu.lvtpc);
        break;
      case 'hw':
        seen['overflows'] = hex(
          perf.hardware(
            BigInt(text('event')),
            Number(step['cpl']),
            BigInt(text('n')),
            step['where'] === 'host',
          ),
        );
        break;
      case 'emul':
        pmu.emulated(step['kind'] === 'branch' ? 'branch' : 'instruction', Number(step['cpl']));
        break;
      case 'sched':
        perf.schedule();
        pmu.scheduled();
        break;
      case 'filter':
        seen['ret'] = pmu.setFilter({
          action: step['action'] as string | number,
          events: (step['events'] as string[]).map(BigInt),
          ...(step['nevents'] === undefined ? {} : { nevents: Number(step['nevents']) }),
          fixedBitmap: BigInt(text('fixed_bitmap')),
          masked: step['masked'] === true,
          ...(step['flags'] === undefined ? {} : { flags: Number(step['flags']) }),
        });
        break;
      case 'lvtpc':
        pmu.lvtpc = BigInt(text('value'));
        break;
      case 'inject': {
        const what = text('what').replace('-fail', '') as keyof PlainPerf['fails'];
        perf.fails[what] = Number(step['n']);
        if (step['errno'] !== undefined) perf.createErrno = Number(step['errno']);
        break;
      }
      case 'steal':
        seen['ret'] = Number(perf.steal(Number(step['pmc'])));
        break;
      case 'vcpu_reset':
        pmu.vcpuReset();
        break;
      case 'refresh':
        pmu.refresh();
        seen['ret'] = 0;
        break;
      default:
        throw new Error(`unknown op ${step.op}`);
    }
    if (perf.calls.length > 0) seen['perf'] = perf.calls.map(comparable);
    seen['status'] = hex(pmu.status);
    seen['pend'] = hex(pmu.pending);
    seen['req'] = (pmu.requestPmu ? 'U' : '') + (pmu.requestPmi ? 'I' : '');
    const after = controls(pmu);
    if (after.gctrl !== before.gctrl) seen['gctrl'] = after.gctrl;
    if (after.fctrl !== before.fctrl) seen['fctrl'] = after.fctrl;
    before = after;
    return seen as VectorStep;
  });
  return { init, steps };
}

/** Which errno a failed creation gives is the fake's choice. */
function comparable(call: PlainCall): PlainCall {
  return call.err === undefined ? call : { ...call, err: -1 };
}

/** The vector's own steps, as `runVector` prints its. */
export function expectedSteps(vector: Vector): VectorStep[] {
  return vector.steps.map((step) => {
    const perf = step['perf'] as PlainCall[] | undefined;
    return perf === undefined ? step : { ...step, perf: perf.map(comparable) };
  });
}
