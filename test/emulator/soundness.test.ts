import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { U64_MAX } from '../../src/domain/u64.ts';
import type { BackingAttr, HostPerf } from '../../src/emulator/host-perf.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult } from '../../src/emulator/pmuv3-config.ts';
import { inInterval } from '../../src/emulator/span.ts';
import { FakePerf } from './fake-perf.ts';
import { anyLineage, anyProgram, codeOf, modelOf, plainVpmu, type Step } from './programs.ts';
import type { PlainVpmu, ReferenceSetup } from './reference.ts';

/** What the recording of one step hides from the model. */
interface Twist {
  /** The written value. */
  hideValue: boolean;
  /** Whether an access was refused. */
  hideOutcome: boolean;
  /** A read value is taken over. */
  adopt: boolean;
  /** Creations of host events are taken over. */
  adoptCreations: boolean;
  /** Records were lost here. */
  forget: boolean;
  /** How the host's counts are blurred. */
  below: bigint;
  above: bigint;
  unknownCounts: boolean;
}

/** One in `rarity`: when much is unknown little is claimed, so most programs have few gaps. */
function twist(rarity: number): fc.Arbitrary<Twist> {
  const seldom = (factor = 1): fc.Arbitrary<boolean> =>
    fc.integer({ min: 1, max: rarity * factor }).map((n) => n === rarity * factor);
  const blur = (...amounts: bigint[]): fc.Arbitrary<bigint> =>
    fc.oneof(
      { weight: rarity, arbitrary: fc.constant(0n) },
      { weight: 2, arbitrary: fc.constantFrom(...amounts) },
    );
  return fc.record({
    hideValue: seldom(),
    hideOutcome: fc.boolean(),
    adopt: fc.boolean(),
    adoptCreations: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
    forget: seldom(8),
    below: blur(1n, 7n),
    above: blur(1n, 5n, 0x1_0000_0003n),
    unknownCounts: seldom(2),
  });
}

/**
 * A host that answers with what the true events counted, blurred; or, with `byCalls`, as long as the model is not in
 * doubt about a counter, with what its own events count, which it makes, enables and releases as the model tells it.
 */
class BlurredPerf implements HostPerf {
  readonly #truth: FakePerf;
  readonly #byCalls: boolean;
  readonly #own = new FakePerf();
  readonly #origin = new Map<number, bigint>();
  readonly #ownOrigin = new Map<number, bigint>();
  readonly #doubted = new Set<number>(Array.from({ length: 32 }, (_, i) => i));
  blur: Pick<Twist, 'below' | 'above' | 'unknownCounts'> = {
    below: 0n,
    above: 0n,
    unknownCounts: false,
  };
  /** Creations of this step, and whether the model was sure of them. */
  readonly created = new Map<number, { attr: BackingAttr; sure: boolean }>();
  /** Counters whose count is known to be 0: nothing has run since it was reset. */
  readonly still = new Set<number>();

  constructor(truth: FakePerf, byCalls: boolean) {
    this.#truth = truth;
    this.#byCalls = byCalls;
  }
  /** True while the true events count, one overflow after the other. */
  counting = false;
  hardware(event: number, el: number, n: bigint): void {
    this.#own.hardware(event, el, n, 0n);
  }
  steal(i: number): void {
    this.#own.steal(i);
  }
  rebase(i: number): void {
    this.#origin.set(i, this.#truth.totals.get(i) ?? 0n);
    this.#ownOrigin.set(i, this.#own.countLow(i));
    this.still.add(i);
  }
  /** The event of the counter is a new one that the model has been told of. */
  replace(i: number, attr: Readonly<BackingAttr>): void {
    this.#own.create(i, { ...attr, samplePeriod: 0n });
    this.rebase(i);
    this.#doubted.delete(i);
  }
  create(i: number, attr: Readonly<BackingAttr>): boolean {
    this.replace(i, attr);
    this.created.set(i, { attr: { ...attr }, sure: true });
    return true;
  }
  doubt(i: number): void {
    this.#doubted.add(i);
    const created = this.created.get(i);
    if (created !== undefined) created.sure = false;
  }
  enable(i: number): void {
    if (this.#own.events.has(i)) this.#own.enable(i);
  }
  disable(i: number): void {
    if (this.#own.events.has(i)) this.#own.disable(i);
  }
  release(i: number): void {
    this.#own.release(i);
    this.rebase(i);
    this.#doubted.delete(i);
    this.created.delete(i);
  }
  /** The host counts this counter exactly by what it was told. */
  #knows(i: number): boolean {
    return this.#byCalls && !this.counting && !this.#doubted.has(i);
  }
  #count(i: number): bigint {
    if (this.#knows(i)) return this.#own.countLow(i) - (this.#ownOrigin.get(i) ?? 0n);
    return (this.#truth.totals.get(i) ?? 0n) - (this.#origin.get(i) ?? 0n);
  }
  countLow(i: number): bigint {
    const count = this.#count(i);
    if (this.still.has(i)) return 0n;
    if (this.blur.unknownCounts || count < this.blur.below) return 0n;
    return count - this.blur.below;
  }
  countSpan(i: number): bigint {
    if (this.still.has(i)) return 0n;
    return this.blur.unknownCounts ? U64_MAX : this.#count(i) - this.countLow(i) + this.blur.above;
  }
}

/** Everything the model claims must be true of the reference. */
function expectContained(pmu: Pmuv3, truth: PlainVpmu, perf: FakePerf, where: string): void {
  const registers = ['PMCR', 'PMSELR', 'PMUSERENR', 'PMCNTENSET', 'PMINTENSET', 'PMOVSSET'];
  const form = { el: 1, aa32: false, wide: false } as const;
  pmu.registerViews().forEach((view, k) => {
    const value = truth.access(registers[k]!, false, 0n, form).value;
    if (((value ^ view.value) & ~view.unknownBits) !== 0n) {
      throw new Error(
        `${where}: ${view.name} is 0x${value.toString(16)}, claimed 0x${view.value.toString(16)} but for 0x${view.unknownBits.toString(16)}`,
      );
    }
  });
  for (let i = 0; i < 32; i++) {
    if (i >= truth.n && i !== 31) continue;
    const view = pmu.counterView(i);
    const value = truth.value(i);
    if (!inInterval(value, view.low, view.span, view.width)) {
      throw new Error(`${where}: counter ${i} is ${value}, claimed ${view.low} + ${view.span}`);
    }
    const type = Number(truth.get(`type${i}`));
    if (((type ^ view.type) & ~view.typeUnknownBits) !== 0) {
      throw new Error(
        `${where}: type ${i} is ${type}, claimed ${view.type} but for ${view.typeUnknownBits}`,
      );
    }
    const event = perf.events.get(i);
    const claims = [
      ['hasEvent', view.hasEvent, event !== undefined],
      ['eventEnabled', view.eventEnabled, event?.enabled ?? false],
      ['period', event === undefined ? undefined : view.period, truth.periods.get(i)],
    ];
    for (const [what, claimed, real] of claims) {
      if (claimed !== undefined && claimed !== real) {
        throw new Error(
          `${where}: counter ${i} ${String(what)} is ${String(real)}, claimed ${String(claimed)}`,
        );
      }
    }
  }
  for (const [claimed, real] of [
    [pmu.lineLevel(), truth.level()],
    [pmu.irqLevel, truth.irqLevel],
  ]) {
    if (claimed !== undefined && claimed !== real) {
      throw new Error(`${where}: level is ${real}, claimed ${claimed}`);
    }
  }
}

/** Plays the steps on the reference (exact) and, blurred and with gaps, on the model. */
function play(
  setup: ReferenceSetup,
  prefix: readonly Step[],
  steps: readonly Step[],
  twists: readonly Twist[],
  overflowsLost: boolean,
  byCalls: boolean,
): void {
  const perf = new FakePerf();
  const truth = plainVpmu(setup, perf);
  const host = new BlurredPerf(perf, byCalls);
  const { config, rules } = modelOf(setup);
  const pmu = new Pmuv3(config, rules, host);
  perf.selfRearms = rules.rearm === 'fixed';
  const out = accessResult();
  const missed = new Map<number, bigint>();
  let recording = false;
  perf.onOverflow = (i) => {
    if (recording && !overflowsLost) pmu.overflow(i);
    missed.set(i, (missed.get(i) ?? 0n) + 1n);
    return truth.overflow(i);
  };
  const stepTruth = (step: Step): void => {
    if (step.op === 'write') truth.access(step.reg, true, step.value, step.form);
    else if (step.op === 'hw') perf.hardware(step.event, step.el, step.n, step.skid);
    else if (step.op === 'enter') truth.enter();
    else if (step.op === 'exit') truth.exit();
    else if (step.op === 'sched') perf.schedule();
    else if (step.op === 'steal') perf.steal(step.counter);
    else if (step.op === 'reset') truth.reset();
    else if (step.op === 'inject' && step.what === 'place') perf.placeFails++;
  };
  if (prefix.length === 0) pmu.newVcpu();
  else {
    truth.enter();
    for (const step of prefix) stepTruth(step);
  }
  perf.placeFails = 0;
  recording = true;
  steps.forEach((step, at) => {
    const where = `step ${at} ${JSON.stringify(step, (_key, value: unknown) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))}`;
    const twisted = twists[at % twists.length]!;
    perf.calls = [];
    host.created.clear();
    missed.clear();
    host.blur = twisted;
    if (byCalls && (step.op === 'inject' || step.op === 'sched')) return; // faults of placement the calls do not show
    pmu.seq = at;
    if (twisted.forget) pmu.forget();
    if (step.op === 'write' || step.op === 'read') {
      const { space, code } = codeOf(step.reg, step.form);
      const refused = truth.refused(step.reg, step.op === 'write', step.form) !== 'no';
      if (step.op === 'read') {
        pmu.read(code, space, step.form.el, out);
        expect(out.outcomeUnknown || out.undef === refused, where).toBe(true);
        const value = truth.access(step.reg, false, 0n, step.form).value;
        if (!refused) {
          const claimed =
            out.counter >= 0 || out.span !== 0n
              ? inInterval(value, out.low, out.span, out.width)
              : ((value ^ out.low) & ~out.unknownBits) === 0n;
          expect(claimed, where).toBe(true);
          if (twisted.adopt) {
            pmu.adopt(code, space, value);
            if (space === RegisterSpace.sysreg && !/PMX|PMCEID/.test(step.reg)) {
              pmu.read(code, space, 1, out);
              expect([out.low, out.span], where).toEqual([value, 0n]);
            }
          }
        }
      } else if (refused && !twisted.hideOutcome) {
        // Recorded as refused: the replay does not tell the model.
      } else if (twisted.hideValue && !refused) {
        pmu.writeUnknown(code, space, step.form.el);
      } else {
        pmu.write(code, space, step.value, twisted.hideOutcome ? step.form.el : 1, out);
        expect(out.outcomeUnknown || out.undef === refused, where).toBe(true);
      }
    } else if (step.op === 'enter') pmu.guestEnter();
    else if (step.op === 'exit') pmu.guestExit();
    else if (step.op === 'reset') pmu.vcpuReset();
    if (step.op === 'hw') {
      host.still.clear();
      host.counting = true;
    }
    stepTruth(step);
    host.counting = false;
    if (step.op === 'steal') host.steal(step.counter);
    if (step.op === 'hw') {
      host.hardware(step.event, step.el, perf.happened);
      for (let i = 0; i < 32; i++) {
        const overflowed = missed.has(i);
        if (!overflowsLost) {
          expect(pmu.overflowDue(i), `${where}: all overflows were recorded`).toBe(false);
          continue;
        }
        if (overflowed)
          expect(pmu.overflowPossible(i), `${where}: counter ${i} overflowed`).toBe(true);
        if (pmu.overflowDue(i)) expect(overflowed, `${where}: counter ${i} due`).toBe(true);
        if (pmu.overflowPossible(i)) pmu.markOverflowPossible(i, missed.get(i) ?? 1n);
      }
    }
    for (const [i, { attr, sure }] of host.created) {
      if (!sure) continue;
      const call = perf.calls.findLast((one) => one.pmc === i && one.call === 'create');
      expect(call, `${where}: creation for counter ${i}`).toBeDefined();
      expect([call?.config, call?.disabled], where).toEqual([
        `0x${attr.config.toString(16)}`,
        Number(attr.disabled),
      ]);
      if (attr.excludeKnown) {
        expect([call?.xu, call?.xk], where).toEqual([
          Number(attr.excludeUser),
          Number(attr.excludeKernel),
        ]);
      }
      if (attr.periodKnown) expect(call?.period, where).toBe(`0x${attr.samplePeriod.toString(16)}`);
    }
    if (twisted.adoptCreations) {
      for (const call of perf.calls) {
        const last = perf.calls.findLast((one) => one.pmc === call.pmc && one.call === 'create');
        if (call !== last || !perf.events.has(call.pmc)) continue;
        const attr = {
          config: Number(call.config),
          wide: call.config1 === '0x1',
          samplePeriod: BigInt(call.period!),
          periodKnown: true,
          excludeUser: call.xu === 1,
          excludeKernel: call.xk === 1,
          excludeKnown: true,
          disabled: call.disabled === 1,
          type: call.type,
          excludeHv: call.xhv !== 0,
        };
        host.replace(call.pmc, attr);
        pmu.adoptBacking(call.pmc, attr);
      }
    }
    expectContained(pmu, truth, perf, where);
  });
}

/** More of them by hand: VPMU_RUNS=20000. fast-check prints the seed of a failure. */
const RUNS = Number(process.env['VPMU_RUNS'] ?? 300);

describe('an uncertain replay', () => {
  it(
    'never claims what is not true',
    () => {
      fc.assert(
        fc.property(
          anyLineage,
          fc.oneof(fc.constant([]), anyProgram(true)),
          anyProgram(true),
          fc
            .constantFrom(100, 30, 10, 4)
            .chain((rarity) => fc.array(twist(rarity), { minLength: 30, maxLength: 60 })),
          fc.boolean(),
          fc.boolean(),
          play,
        ),
        { numRuns: RUNS },
      );
    },
    60_000 + 100 * RUNS,
  );
});
