import fc from 'fast-check';
import type { X86RuleSet } from '../../../src/arch/x86-rules.ts';
import { inInterval } from '../../../src/emulator/span.ts';
import {
  type X86AccessResult,
  type X86Config,
  x86AccessResult,
} from '../../../src/emulator/x86/x86-config.ts';
import { X86Pmu } from '../../../src/emulator/x86/x86-pmu.ts';
import { BlurredPerf } from './blurred-perf.ts';
import { FakePerf } from './fake-perf.ts';
import type { Step } from './soundness-programs.ts';

/** What the recording of one step hides from the model. */
export interface Twist {
  /** The written value. */
  hideValue: boolean;
  /** An emulated instruction, or the CPL it ran at. */
  hideEmulation: boolean;
  hideCpl: boolean;
  /** A read value is taken over. */
  adopt: boolean;
  adoptCreations: boolean;
  /** Records were lost here. */
  forget: boolean;
  /** How the host's counts are blurred. */
  below: bigint;
  above: bigint;
  unknownCounts: boolean;
}

/** One in `rarity`: when much is unknown little is claimed, so most programs have few gaps. */
export function twist(rarity: number): fc.Arbitrary<Twist> {
  const seldom = (factor = 1): fc.Arbitrary<boolean> =>
    fc.integer({ min: 1, max: rarity * factor }).map((n) => n === rarity * factor);
  const blur = (...amounts: bigint[]): fc.Arbitrary<bigint> =>
    fc.oneof(
      { weight: rarity, arbitrary: fc.constant(0n) },
      { weight: 2, arbitrary: fc.constantFrom(...amounts) },
    );
  return fc.record({
    hideValue: seldom(),
    hideEmulation: seldom(),
    hideCpl: seldom(),
    adopt: fc.boolean(),
    adoptCreations: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
    forget: seldom(8),
    below: blur(1n, 7n),
    above: blur(1n, 5n, 0x1_0000_0003n),
    unknownCounts: seldom(2),
  });
}

/** A claim that may be open, and the truth. */
function check(where: string, what: string, claimed: unknown, real: unknown): void {
  if (claimed !== undefined && claimed !== real) {
    throw new Error(`${where}: ${what} is ${String(real)}, claimed ${String(claimed)}`);
  }
}

function contains(seen: X86AccessResult, value: bigint): boolean {
  return seen.counter >= 0 || seen.span !== 0n
    ? inInterval(value, seen.low, seen.span, seen.width)
    : ((value ^ seen.low) & ~seen.unknownBits) === 0n;
}

/** Everything the model claims must be true of the exact machine. */
function expectContained(model: X86Pmu, truth: X86Pmu, where: string): void {
  for (const register of ['status', 'globalCtrl', 'fixedCtrl'] as const) {
    const { value, unknownBits } = model.stored(register);
    const real = truth.stored(register).value;
    check(where, register, (value ^ real) & ~unknownBits, 0n);
  }
  const { sure, open } = model.pendingReprogram;
  check(where, 'pending', (sure ^ truth.pendingReprogram.sure) & ~open, 0n);
  check(where, 'KVM_REQ_PMU', model.requests.pmu, truth.requests.pmu);
  check(where, 'KVM_REQ_PMI', model.requests.pmi, truth.requests.pmi);
  check(where, 'LVTPC', model.lvtpc, truth.lvtpc);
  for (const i of truth.counters) {
    const claim = model.counterView(i);
    const real = truth.counterView(i);
    if (!inInterval(real.low, claim.low, claim.span, claim.width)) {
      throw new Error(
        `${where}: counter ${i} is ${real.low}, claimed ${claim.low} + ${claim.span}`,
      );
    }
    const members = [
      ...(['event', 'selector', 'locallyEnabled', 'globallyEnabled', 'interruptEnable'] as const),
      ...(['overflowStatus', 'pending', 'hasEvent', 'eventEnabled'] as const),
    ];
    for (const member of members) {
      check(where, `counter ${i} ${member}`, claim[member], real[member]);
    }
    if (real.hasEvent !== true) continue;
    check(where, `counter ${i} eventConfig`, claim.eventConfig, real.eventConfig);
    check(where, `counter ${i} period`, claim.period, real.period);
  }
}

/** Plays the steps on the exact machine and, blurred and with gaps, on the model. */
export function play(
  rules: X86RuleSet,
  config: X86Config,
  prefix: readonly Step[],
  steps: readonly Step[],
  twists: readonly Twist[],
  overflowsLost: boolean,
  byCalls: boolean,
): void {
  const perf = new FakePerf(config.vendor === 'intel', true);
  const truth = new X86Pmu(config, rules, perf);
  truth.newVcpu();
  const host = new BlurredPerf(perf, byCalls, config.vendor === 'intel');
  const model = new X86Pmu(config, rules, host);
  const out = x86AccessResult();
  const seen = x86AccessResult();
  const missed = new Set<number>();
  let recording = false;
  perf.onOverflow = (i) => {
    if (recording && !overflowsLost) model.overflow(i);
    missed.add(i);
    truth.overflow(i);
  };
  const stepTruth = (step: Step): unknown => {
    switch (step.op) {
      case 'write':
        return truth.wrmsr(step.msr, step.value, out);
      case 'read':
        return truth.rdmsr(step.msr, out);
      case 'rdpmc':
        return truth.rdpmc(step.ecx, 0, 1, out);
      case 'entry':
        return truth.guestEnter();
      case 'load':
        return truth.contextLoad();
      case 'put':
        return truth.contextPut();
      case 'hw':
        return perf.hardware(step.event, step.cpl, step.n);
      case 'emul':
        return truth.emulated(step.kind, step.cpl);
      case 'sched':
        perf.schedule();
        return truth.scheduled();
      case 'steal':
        return perf.steal(step.counter);
      case 'lvtpc':
        return truth.setLvtpc(step.value);
      case 'filter':
        return truth.setFilter(step.filter);
      case 'reset':
        return truth.vcpuReset();
    }
  };
  if (prefix.length === 0) model.newVcpu();
  else for (const step of prefix) stepTruth(step);
  if (prefix.some((step) => step.op === 'filter')) {
    const last = prefix.findLast((step) => step.op === 'filter');
    if (last?.op === 'filter') model.setFilter(last.filter);
    model.unknownState();
  }
  recording = true;
  steps.forEach((step, at) => {
    const where = `${rules.name} step ${at} ${JSON.stringify(step, (_key, value: unknown) =>
      typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
    )}`;
    // Placement that fails does not show in the calls.
    if (byCalls && step.op === 'steal') return;
    const twisted = twists[at % twists.length]!;
    perf.calls = [];
    host.begin(twisted);
    missed.clear();
    model.seq = at;
    if (twisted.forget) model.forget();
    if (step.op === 'hw') host.counting = true;
    const result = stepTruth(step);
    host.counting = false;
    switch (step.op) {
      case 'write':
        if (out.undef) model.wrmsrFaulted(step.msr);
        else if (twisted.hideValue) model.wrmsrUnknown(step.msr);
        else {
          model.wrmsr(step.msr, step.value, seen);
          check(where, 'refusal', seen.undef, false);
        }
        break;
      case 'read':
      case 'rdpmc':
        if (step.op === 'read') model.rdmsr(step.msr, seen);
        else model.rdpmc(step.ecx, 0, 1, seen);
        check(where, 'refusal', seen.undef, out.undef);
        if (out.undef) break;
        check(where, 'value read', contains(seen, out.low), true);
        if (!twisted.adopt) break;
        if (step.op === 'read') model.adopt(step.msr, out.low);
        else model.adoptRdpmc(step.ecx, out.low);
        if (step.op === 'read') {
          model.rdmsr(step.msr, seen);
          check(where, 'adopted value', seen.low, out.low);
          check(where, 'adopted exactly', seen.span | seen.unknownBits, 0n);
        }
        break;
      case 'entry': {
        const pmi = model.guestEnter();
        if (pmi !== 'unknown') check(where, 'PMI', pmi, result);
        break;
      }
      case 'load':
        model.contextLoad();
        break;
      case 'put':
        model.contextPut();
        break;
      case 'emul':
        if (twisted.hideEmulation) model.emulatedPossible(2n);
        else model.emulated(step.kind, twisted.hideCpl ? -1 : step.cpl);
        break;
      case 'sched':
        model.scheduled();
        break;
      case 'lvtpc':
        model.setLvtpc(twisted.hideValue ? undefined : step.value);
        break;
      case 'filter':
        check(where, 'errno', model.setFilter(step.filter), result);
        break;
      case 'reset':
        model.vcpuReset();
        break;
      case 'hw':
        host.hardware(step.event, step.cpl, step.n);
        for (const i of truth.counters) {
          if (!overflowsLost) continue;
          const possible = model.overflowPossible(i);
          if (missed.has(i)) check(where, `overflow ${i} possible`, possible, true);
          if (model.overflowDue(i)) check(where, `overflow ${i} due`, true, missed.has(i));
          if (model.overflowPossible(i)) model.markOverflowPossible(i);
        }
        break;
      default:
    }
    if (twisted.adoptCreations) {
      for (const call of perf.calls) {
        const last = perf.calls.findLast((one) => one.pmc === call.pmc && one.call === 'create');
        if (call !== last || !perf.events.has(call.pmc)) continue;
        const attr = {
          config: Number(call.config),
          wide: false,
          samplePeriod: BigInt(call.period!),
          periodKnown: true,
          excludeUser: call.xu === 1,
          excludeKernel: call.xk === 1,
          excludeKnown: true,
          disabled: false,
          precise: perf.events.get(call.pmc)!.precise,
          type: call.type === 'hardware' ? ('hardware' as const) : undefined,
        };
        host.replace(call.pmc, attr);
        model.adoptBacking(call.pmc, attr);
      }
    }
    expectContained(model, truth, where);
  });
}
