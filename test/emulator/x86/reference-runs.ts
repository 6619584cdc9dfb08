import { x86AccessResult } from '../../../src/emulator/x86/x86-config.ts';
import { type Pmi, X86Pmu } from '../../../src/emulator/x86/x86-pmu.ts';
import { configOf, EnginePerf, rulesOf } from './engine-under-test.ts';
import type { Step } from './programs.ts';
import { Reference } from './reference.ts';
import { hex, type PlainCall, PlainPerf } from './reference-perf.ts';
import {
  bit,
  counters,
  FIXED,
  isMediated,
  isOld,
  low,
  METRICS_EVENT,
  type Setup,
  width,
} from './reference-setup.ts';

/** Plays a program on the reference and on the emulator and notes, step by step, all that both show. */

/** The emulator must be exact where everything is known. */
function mustBe<T>(what: string, seen: T, wanted: T): void {
  if (seen !== wanted) throw new Error(`${what} is ${String(seen)}, must be ${String(wanted)}`);
}

/** What one step showed. */
export interface Observed {
  result?: string;
  value?: string;
  overflows?: bigint;
  pmi?: string;
  ret?: number;
  perf: PlainCall[];
  status: string;
  globalCtrl: string;
  fixedCtrl: string;
  lvtpc: string;
  requests: string;
  pending: string;
  counters: string[];
}

/** Host-side steps, the same for both. */
function hostStep(step: Step, perf: PlainPerf): bigint | undefined {
  if (step.op === 'hw') return perf.hardware(step.code, step.cpl, step.n, step.host);
  if (step.op === 'sched') perf.schedule();
  else if (step.op === 'steal') perf.steal(step.pmc);
  else if (step.op === 'metrics') perf.setCount(METRICS_EVENT, step.value);
  else if (step.op === 'metricsOverflow') perf.overflowNow(METRICS_EVENT);
  else if (step.op === 'inject') perf.fails[step.what] += step.n;
  return undefined;
}

const showValue = (value: bigint | 'host-time' | undefined): string | undefined =>
  value === undefined || value === 'host-time' ? value : hex(value);

/** One counter on a line: value, selector or nibble, and its event's state. */
function counterLine(
  i: number,
  value: bigint,
  selector: bigint,
  event: { enabled: boolean; period: bigint } | undefined,
): string {
  const shown =
    event === undefined
      ? 'no event'
      : `${event.enabled ? 'on' : 'paused'} period ${hex(event.period)}`;
  return `${i}: ${hex(value)} ${hex(selector)} ${shown}`;
}

export function runReference(setup: Setup, steps: readonly Step[]): Observed[] {
  const perf = new PlainPerf(setup.vendor);
  const pmu = new Reference(setup, perf);
  return steps.map((step) => {
    perf.calls = [];
    const seen: Partial<Observed> = {};
    const overflows = hostStep(step, perf);
    if (overflows !== undefined) seen.overflows = overflows;
    if (step.op === 'wrmsr') seen.result = pmu.wrmsr(step.msr, step.value, step.host).result;
    else if (step.op === 'rdmsr' || step.op === 'rdpmc') {
      const answer =
        step.op === 'rdmsr'
          ? pmu.rdmsr(step.msr, step.host)
          : pmu.rdpmc(step.ecx, step.cpl, step.pce);
      seen.result = answer.result;
      const value = showValue(answer.value);
      if (value !== undefined) seen.value = value;
    } else if (step.op === 'enter') seen.pmi = pmu.enter() || 'none';
    else if (step.op === 'emul') pmu.emulated(step.kind, step.cpl);
    else if (step.op === 'sched') pmu.scheduled();
    else if (step.op === 'lvtpc') pmu.lvtpc = step.value;
    else if (step.op === 'filter' && !isOld(setup)) seen.ret = pmu.setFilter(step);
    else if (step.op === 'reset') pmu.vcpuReset();
    else if (step.op === 'refresh') pmu.refresh();
    else if (step.op === 'load' || step.op === 'put') pmu.setLoaded(step.op === 'load');
    return {
      ...seen,
      perf: perf.calls,
      status: hex(setup.version >= 2 ? pmu.status : pmu.status & low(40)),
      globalCtrl: setup.version >= 2 ? hex(pmu.globalCtrl) : 'none',
      fixedCtrl: setup.fixed > 0 ? hex(pmu.fixedCtrl) : 'none',
      lvtpc: hex(pmu.lvtpc),
      ...internals(setup, pmu.requestPmu, pmu.requestPmi, pmu.pending),
      counters: counters(setup).map((i) => {
        const pmc = pmu.counters.get(i)!;
        const event = perf.events.get(i);
        return counterLine(
          i,
          pmu.visible(pmc),
          i < FIXED ? pmc.selector : pmu.nibble(i),
          pmc.hasEvent ? { enabled: !pmc.paused, period: event!.period } : undefined,
        );
      }),
    };
  });
}

const STATUS = /GLOBAL_?STATUS$/i;
const GLOBAL_CTRL = /GLOBAL_?CTR?L$/i;
const FIXED_CTRL = /FIXED_CTR_CTRL$/;

/** What KVM has set aside for the next entry. A mediated vPMU reprograms nothing, so only the PMI counts there. */
function internals(
  setup: Setup,
  pmu: boolean,
  pmi: boolean,
  pending: bigint,
): { requests: string; pending: string } {
  if (isMediated(setup)) return { requests: pmi ? 'I' : '', pending: 'none' };
  return { requests: (pmu ? 'U' : '') + (pmi ? 'I' : ''), pending: hex(pending) };
}

const pmiText = (pmi: Pmi): string => (typeof pmi === 'number' ? `vector ${pmi}` : pmi);

export function runEngine(setup: Setup, steps: readonly Step[]): Observed[] {
  const plain = new PlainPerf(setup.vendor);
  const pmu = new X86Pmu(configOf(setup), rulesOf(setup), new EnginePerf(plain, isOld(setup)));
  pmu.newVcpu();
  plain.onOverflow = (counter) => pmu.overflow(counter);
  const out = x86AccessResult();
  const register = (name: RegExp): string => {
    const view = pmu.registerViews().find((one) => name.test(one.name));
    if (view === undefined) return 'none';
    mustBe(`unknown bits of ${view.name}`, view.unknownBits, 0n);
    return hex(view.value);
  };
  /** Guests without the register: only the counters' flags. */
  const status = (): string => {
    if (setup.version >= 2) return register(STATUS);
    const flags = counters(setup).filter((i) => pmu.counterView(i).overflowStatus);
    return hex(flags.reduce<bigint>((sum, i) => sum | bit(i), 0n));
  };
  return steps.map((step, at) => {
    plain.calls = [];
    const seen: Partial<Observed> = {};
    const overflows = hostStep(step, plain);
    if (overflows !== undefined) seen.overflows = overflows;
    if (step.op === 'wrmsr' || step.op === 'rdmsr' || step.op === 'rdpmc') {
      if (step.op === 'rdpmc') pmu.rdpmc(step.ecx, step.cpl, step.pce ? 1 : 0, out);
      else if (step.op === 'rdmsr') {
        if (step.host) pmu.hostRdmsr(step.msr, out);
        else pmu.rdmsr(step.msr, out);
      } else if (step.host) pmu.hostWrmsr(step.msr, step.value, out);
      else pmu.wrmsr(step.msr, step.value, out);
      mustBe('outcomeUnknown', out.outcomeUnknown, false);
      seen.result = out.undef ? (out.noExit ? 'gp-noexit' : 'gp') : 'ok';
      if (step.op !== 'wrmsr' && !out.undef) {
        if (!out.hostTime) mustBe('span', out.span | out.unknownBits, 0n);
        seen.value = out.hostTime ? 'host-time' : hex(out.low);
      }
    } else if (step.op === 'enter') seen.pmi = pmiText(pmu.guestEnter());
    else if (step.op === 'emul') pmu.emulated(step.kind, step.cpl);
    else if (step.op === 'sched') pmu.scheduled();
    else if (step.op === 'lvtpc') pmu.setLvtpc(Number(step.value));
    else if (step.op === 'filter' && !isOld(setup)) {
      const { flags } = step;
      seen.ret = pmu.setFilter({
        action: step.action,
        events: step.events,
        fixedBitmap: Number(step.fixedBitmap),
        masked: step.masked,
        ...(flags === undefined ? {} : { flags }),
      });
    } else if (step.op === 'reset') pmu.vcpuReset();
    else if (step.op === 'refresh') pmu.refresh();
    else if (step.op === 'load') pmu.contextLoad();
    else if (step.op === 'put') pmu.contextPut();
    // A snapshot taken and put back in between must not change anything.
    if (at % 7 === 3) mustBe('restore', pmu.restore(pmu.snapshot()), true);
    const { sure, open } = pmu.pendingReprogram;
    mustBe('perhaps pending', open, 0n);
    return {
      ...seen,
      perf: plain.calls,
      status: status(),
      globalCtrl: register(GLOBAL_CTRL),
      fixedCtrl: register(FIXED_CTRL),
      lvtpc: hex(pmu.lvtpc!),
      ...internals(setup, pmu.requests.pmu!, pmu.requests.pmi!, sure),
      counters: counters(setup).map((i) => {
        const view = pmu.counterView(i);
        mustBe('span', view.span, 0n);
        mustBe('width', view.width, width(setup, i));
        return counterLine(
          i,
          view.low,
          BigInt(view.selector!),
          view.hasEvent ? { enabled: view.eventEnabled!, period: view.period! } : undefined,
        );
      }),
    };
  });
}
