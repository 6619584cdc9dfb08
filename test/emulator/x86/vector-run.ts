import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { x86RuleSet } from '../../../src/arch/rule-sets.ts';
import {
  X86_DEFAULTS,
  type X86Config,
  x86AccessResult,
} from '../../../src/emulator/x86/x86-config.ts';
import { X86Pmu } from '../../../src/emulator/x86/x86-pmu.ts';
import { FakePerf, hex } from './fake-perf.ts';

export interface Step {
  op: string;
  msr?: string;
  value?: string;
  host?: boolean;
  ecx?: string;
  cpl?: number;
  pce?: 0 | 1;
  event?: string;
  n?: string | number;
  where?: string;
  kind?: 'insn' | 'branch';
  action?: 'allow' | 'deny' | number;
  events?: string[];
  fixed_bitmap?: string;
  masked?: boolean;
  flags?: string | number;
  nevents?: number;
  what?: string;
  errno?: number;
  pmc?: number;
  [observed: string]: unknown;
}

export interface Vector {
  name: string;
  kernel: string;
  vendor: 'intel' | 'amd';
  cpuid: {
    version?: number;
    gp?: number;
    fixed?: number;
    gp_width?: number;
    fixed_width?: number;
    event_mask_len?: number;
    ebx?: string;
    perf_capabilities?: string;
    host: { gp: number; gp_width: number; fixed?: number; fixed_width?: number };
    enable_pmu?: boolean;
    host_has_tsx?: boolean;
    leaf7_ebx?: string;
    in_kernel_lapic?: boolean;
    perfctr_core?: boolean;
    perfmon_v2?: boolean;
    nr_core_pmc?: number;
  };
  init: { status: string; gctrl: string; fctrl: string };
  steps: Step[];
}

const OBSERVED = [
  'result',
  'perf',
  'pmi',
  'lvtpc',
  'overflows',
  'status',
  'pend',
  'req',
  'gctrl',
  'fctrl',
  'ret',
] as const;

export function vectorsOf(name: string): Vector[] {
  const file = new URL(`../../fixtures/vectors/vectors-${name}.jsonl.gz`, import.meta.url);
  const text = gunzipSync(readFileSync(file)).toString('utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector);
}

function configOf({ vendor, kernel, cpuid }: Vector): X86Config {
  const { host } = cpuid;
  return {
    ...X86_DEFAULTS[vendor],
    version: cpuid.version ?? (cpuid.perfmon_v2 === true ? 2 : 1),
    gpCounters: cpuid.gp ?? cpuid.nr_core_pmc ?? 0,
    fixedCounters: cpuid.fixed ?? 0,
    gpWidth: cpuid.gp_width ?? 48,
    fixedWidth: cpuid.fixed_width ?? 0,
    eventsNotAvailable: Number(cpuid.ebx ?? 0),
    eventMaskLength: cpuid.event_mask_len ?? 0,
    perfCapabilities: Number(cpuid.perf_capabilities ?? 0),
    perfctrCore: cpuid.perfctr_core ?? false,
    inKernelApic: cpuid.in_kernel_lapic ?? true,
    // The APIC of the 4.14 set-up drops every fixed-mode interrupt, and takes NMIs: it was left software-disabled.
    apicEnabled: kernel !== '4.14',
    pmuEnabled: cpuid.enable_pmu ?? true,
    hostHasTsx: cpuid.host_has_tsx ?? false,
    leaf7Ebx: Number(cpuid.leaf7_ebx ?? 0),
    hostGpCounters: host.gp,
    hostGpWidth: host.gp_width,
    hostFixedCounters: host.fixed ?? 0,
    hostFixedWidth: host.fixed_width ?? 0,
  };
}

function exactly(known: boolean, what: string): void {
  if (!known) throw new Error(`an exact run is in doubt about ${what}`);
}

/** Runs the inputs of a vector; returns each step with what the model observed in place of what the kernel did. */
export function run(vector: Vector): { init: Vector['init']; steps: Step[] } {
  const intel = vector.vendor === 'intel';
  const perf = new FakePerf(intel, vector.kernel === '4.14');
  const pmu = new X86Pmu(configOf(vector), x86RuleSet(`x86-kvm-${vector.kernel}`)!, perf);
  pmu.newVcpu();
  perf.onOverflow = (counter) => pmu.overflow(counter);
  const stored = (register: 'status' | 'globalCtrl' | 'fixedCtrl'): string => {
    const { value, unknownBits } = pmu.stored(register);
    exactly(unknownBits === 0n, register);
    return hex(value);
  };
  let gctrl = stored('globalCtrl');
  let fctrl = stored('fixedCtrl');
  const init = { status: stored('status'), gctrl, fctrl };
  const out = x86AccessResult();
  const steps = vector.steps.map((step) => {
    const seen: Step = { ...step };
    for (const key of OBSERVED) delete seen[key];
    switch (step.op) {
      case 'wrmsr':
        if (step.host === true) pmu.hostWrmsr(Number(step.msr), BigInt(step.value!), out);
        else pmu.wrmsr(Number(step.msr), BigInt(step.value!), out);
        seen['result'] = out.undef ? 'gp' : 'ok';
        break;
      case 'rdmsr':
        if (step.host === true) pmu.hostRdmsr(Number(step.msr), out);
        else pmu.rdmsr(Number(step.msr), out);
        seen['result'] = out.undef ? 'gp' : 'ok';
        break;
      case 'rdpmc':
        pmu.rdpmc(Number(step.ecx), step.cpl!, step.pce!, out);
        seen['result'] = out.noExit ? 'gp-noexit' : out.undef ? 'gp' : 'ok';
        break;
      case 'entry': {
        const pmi = pmu.guestEnter();
        seen['pmi'] = typeof pmi === 'number' ? `vector ${pmi}` : pmi === 'none' ? false : pmi;
        seen['lvtpc'] = hex(pmu.lvtpc!);
        break;
      }
      case 'hw': {
        const counted = step.where !== 'host';
        const { cpl } = step;
        const n = BigInt(step.n!);
        seen['overflows'] = hex(counted ? perf.hardware(BigInt(step.event!), cpl!, n) : 0n);
        break;
      }
      case 'emul':
        pmu.emulated(step.kind === 'branch' ? 'branch' : 'instruction', step.cpl!);
        break;
      case 'sched':
        perf.schedule();
        pmu.scheduled();
        break;
      case 'filter':
        seen['ret'] = pmu.setFilter({
          action: step.action!,
          events: step.events!.map(BigInt),
          fixedBitmap: Number(step.fixed_bitmap),
          masked: step.masked!,
          ...(step.flags === undefined ? {} : { flags: Number(step.flags) }),
          ...(step.nevents === undefined ? {} : { eventCount: step.nevents }),
        });
        break;
      case 'lvtpc':
        pmu.setLvtpc(Number(step.value));
        break;
      case 'inject':
        if (step.what === 'create-fail') {
          perf.createFails = Number(step.n);
          perf.createErrno = step.errno!;
        } else if (step.what === 'place-fail') perf.placeFails = Number(step.n);
        else perf.periodFails = Number(step.n);
        break;
      case 'steal':
        seen['ret'] = Number(perf.steal(step.pmc!));
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
    if (step.op === 'rdmsr' || step.op === 'rdpmc') {
      delete seen.value;
      exactly(!out.outcomeUnknown, 'outcome');
      if (out.hostTime) seen.value = 'host-time';
      else {
        exactly(out.span === 0n && out.unknownBits === 0n, 'value');
        if (!out.undef) seen.value = hex(out.low);
      }
    }
    if (perf.calls.length > 0) seen['perf'] = perf.calls;
    perf.calls = [];
    seen['status'] = stored('status');
    if (stored('globalCtrl') !== gctrl) seen['gctrl'] = gctrl = stored('globalCtrl');
    if (stored('fixedCtrl') !== fctrl) seen['fctrl'] = fctrl = stored('fixedCtrl');
    const { sure, open } = pmu.pendingReprogram;
    exactly(open === 0n, 'pending');
    seen['pend'] = hex(sure);
    seen['req'] = `${pmu.requests.pmu ? 'U' : ''}${pmu.requests.pmi ? 'I' : ''}`;
    return seen;
  });
  return { init, steps };
}
