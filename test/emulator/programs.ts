import fc from 'fast-check';
import { sysregCode } from '../../src/arch/arm64-registers.ts';
import { ARM64_KVM_6_1, ARM64_KVM_6_12, type Arm64RuleSet } from '../../src/arch/arm64-rules.ts';
import { ARM64_KVM_4_6, ARM64_KVM_4_14, ARM64_KVM_2015 } from '../../src/arch/arm64-rules-early.ts';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import type { HostPerf } from '../../src/emulator/host-perf.ts';
import type { Pmuv3Config } from '../../src/emulator/pmuv3-config.ts';
import {
  encoding,
  type Form,
  type Kernel,
  type PlainVpmu,
  Reference,
  type ReferenceSetup,
} from './reference.ts';
import { EarlyReference } from './reference-early.ts';

/** One step of a random program. */
export type Step =
  | { op: 'write'; reg: string; value: bigint; form: Form }
  | { op: 'read'; reg: string; form: Form }
  | { op: 'hw'; event: number; el: 0 | 1; n: bigint; skid: bigint }
  | { op: 'enter' | 'exit' | 'sched' | 'reset' }
  | { op: 'steal'; counter: number }
  | { op: 'inject'; what: 'create' | 'place' }
  | { op: 'userPmcr'; value: bigint }
  | { op: 'filter'; base: number; count: number; allow: boolean };

const EVENTS = [0x00, 0x08, 0x11, 0x1e, 0x04, 0x4004, 0x12, 0xff];

const small = fc.bigInt({ min: 0n, max: 0xffn });
const nearWrap = fc.bigInt({ min: 0xffff_fff0n, max: 0x1_0000_0010n });
const nearTop = fc.bigInt({ min: 0xffff_ffff_ffff_fff0n, max: 0xffff_ffff_ffff_ffffn });
const anything = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const counterValue = fc.oneof(
  { weight: 2, arbitrary: small },
  { weight: 4, arbitrary: nearWrap },
  { weight: 2, arbitrary: nearTop },
  { weight: 1, arbitrary: fc.constant(0xffff_ffff_0000_0000n) },
  { weight: 1, arbitrary: anything },
);
const typeValue = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...EVENTS).map(BigInt) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...EVENTS), fc.integer({ min: 0, max: 63 }))
      .map(([event, filter]) => BigInt(event) | (BigInt(filter) << 26n)),
  },
  { weight: 1, arbitrary: anything },
);
const maskValue = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: 0xfn }) },
  { weight: 1, arbitrary: fc.constant(0x8000_003fn) },
  { weight: 1, arbitrary: fc.constant(0xffff_ffffn) },
  { weight: 1, arbitrary: anything },
);
const pmcrValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0x1n, 0x41n, 0x81n, 0xc1n, 0x0n) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xffn }) },
  { weight: 1, arbitrary: anything },
);

/** Mostly EL1 AArch64; sometimes EL0 or the cp15 forms. */
const form: fc.Arbitrary<Form> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Form>({ el: 1, aa32: false, wide: false }) },
  {
    weight: 3,
    arbitrary: fc.record({
      el: fc.constantFrom<0 | 1>(0, 1),
      aa32: fc.boolean(),
      wide: fc.constant(false),
    }),
  },
);

const index = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 30 }) },
);

const registerValue: fc.Arbitrary<[string, bigint]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('PMCR'), pmcrValue) },
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom(
        'PMCNTENSET',
        'PMCNTENSET',
        'PMCNTENCLR',
        'PMINTENSET',
        'PMINTENCLR',
        'PMOVSSET',
        'PMOVSCLR',
        'PMSWINC',
        'PMSWINC',
      ),
      maskValue,
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(
      index.map((i) => `PMEVCNTR${i}`),
      counterValue,
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(
      index.map((i) => `PMEVTYPER${i}`),
      typeValue,
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('PMCCNTR', 'PMXEVCNTR'), counterValue) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('PMCCFILTR', 'PMXEVTYPER'), typeValue) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant('PMSELR'),
      fc.oneof(fc.bigInt({ min: 0n, max: 7n }), fc.constant(31n), anything),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('PMUSERENR'), small) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('PMCEID0', 'PMCEID1', 'PMMIR'), small) },
);

/** The 64-bit AArch32 form exists only for PMCCNTR. */
function fixForm(reg: string, plain: Form, wide: boolean): Form {
  return reg === 'PMCCNTR' && plain.aa32 && wide ? { ...plain, wide: true } : plain;
}

const hw = fc.record({
  op: fc.constant('hw' as const),
  event: fc.constantFrom(...EVENTS),
  el: fc.constantFrom<0 | 1>(0, 1),
  n: fc.oneof(
    { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 40n }) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0xffff_fff0n, max: 0x1_0000_0010n }) },
    { weight: 1, arbitrary: fc.constant(0x2_0000_0003n) },
  ),
  skid: fc.constantFrom(0n, 0n, 1n, 3n),
});

/** One random step; `faults`: host failures and VMM actions too. */
function anyStep(faults: boolean): fc.Arbitrary<Step> {
  const guest: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 12,
      arbitrary: fc.tuple(registerValue, form, fc.boolean()).map(([[reg, value], plain, wide]) => ({
        op: 'write',
        reg,
        value,
        form: fixForm(reg, plain, wide),
      })),
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(registerValue, form, fc.boolean())
        .map(([[reg], plain, wide]) => ({ op: 'read', reg, form: fixForm(reg, plain, wide) })),
    },
    { weight: 6, arbitrary: hw },
    { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('enter' as const, 'exit' as const) }) },
  ];
  const host: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constantFrom('sched' as const, 'sched' as const, 'reset' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('steal' as const),
        counter: fc.constantFrom(0, 1, 2, 31),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('inject' as const),
        what: fc.constantFrom('create' as const, 'place' as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('userPmcr' as const),
        value: fc
          .tuple(fc.integer({ min: 0, max: 8 }), fc.bigInt({ min: 0n, max: 0xffn }))
          .map(([n, low]) => (BigInt(n) << 11n) | low),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('filter' as const),
        base: fc.constantFrom(...EVENTS, 0x3fe, 0xfffe),
        count: fc.integer({ min: 1, max: 20 }),
        allow: fc.boolean(),
      }),
    },
  ];
  return fc.oneof(...guest, ...(faults ? host : []));
}

const el1: Form = { el: 1, aa32: false, wide: false };
const write = (reg: string, value: bigint): Step => ({ op: 'write', reg, value, form: el1 });

/** A guest that means it: programs a pair of counters near their wrap, enables them, and lets events happen. */
const pairBlock: fc.Arbitrary<Step[]> = fc
  .record({
    first: fc.constantFrom(0, 0, 2, 4),
    event: fc.constantFrom(0x00, 0x08, 0x08, 0x11),
    chained: fc.boolean(),
    low: nearWrap,
    high: fc.oneof(nearWrap, small, nearTop),
    pmcr: fc.constantFrom(0x01n, 0x01n, 0x41n, 0x81n),
    n: fc.bigInt({ min: 1n, max: 40n }),
    swinc: fc.integer({ min: 0, max: 20 }),
    skid: fc.constantFrom(0n, 1n),
    cycles: fc.boolean(),
  })
  .map(({ first, event, chained, low, high, pmcr, n, swinc, skid, cycles }) => [
    write(`PMEVTYPER${first}`, BigInt(event)),
    write(`PMEVTYPER${first + 1}`, chained ? 0x1en : 0x11n),
    write(`PMEVCNTR${first}`, low),
    write(`PMEVCNTR${first + 1}`, high),
    ...(cycles ? [write('PMCCFILTR', 0n), write('PMCCNTR', high)] : []),
    write('PMCNTENSET', (3n << BigInt(first)) | (cycles ? 0x8000_0000n : 0n)),
    write('PMCR', pmcr),
    { op: 'hw', event: event === 0 ? 0x08 : event, el: 1, n, skid },
    ...Array.from({ length: swinc }, () => write('PMSWINC', 3n << BigInt(first))),
    { op: 'hw', event: cycles ? 0x11 : 0x08, el: 0, n, skid },
  ]);

/** A random program: single steps and whole blocks. `faults`: host failures and VMM actions too. */
export function anyProgram(faults: boolean): fc.Arbitrary<Step[]> {
  const block = fc.oneof(
    { weight: 12, arbitrary: anyStep(faults).map((step) => [step]) },
    { weight: 1, arbitrary: pairBlock },
  );
  return fc.array(block, { maxLength: 60, size: 'max' }).map((blocks) => blocks.flat());
}

export const RULES: Readonly<Record<Kernel, Arm64RuleSet>> = {
  '2015': ARM64_KVM_2015,
  '4.6': ARM64_KVM_4_6,
  '4.14': ARM64_KVM_4_14,
  '6.1': ARM64_KVM_6_1,
  '6.12': ARM64_KVM_6_12,
};

const setupOf = (...kernels: Kernel[]): fc.Arbitrary<ReferenceSetup> =>
  fc
    .record({
      kernel: fc.constantFrom<Kernel>(...kernels),
      n: fc.constantFrom(0, 2, 4, 6, 6, 31),
      pmuVer: fc.constantFrom(1, 4, 5, 6, 6, 7),
      hostPmuVer: fc.constantFrom(1, 5, 6),
      aarch32: fc.boolean(),
      el2: fc.boolean(),
      el3: fc.boolean(),
      ceid0: anything,
      ceid1: anything,
      identity: fc.constant(0x4101_0000n),
    })
    .map((setup) => ({
      ...setup,
      hostN: Math.max(setup.n, 6),
      // KVM never shows a guest a later PMU than the host's.
      hostPmuVer: Math.max(setup.pmuVer, setup.hostPmuVer),
    }));

/** A random machine with a kernel that the recordings are of. */
export const anySetup = setupOf('6.1', '6.12');

/** A random machine with any rule set. */
export const anyLineage = setupOf('2015', '4.6', '4.14', '6.1', '6.12');

/** The plain vPMU of a machine. */
export function plainVpmu(setup: ReferenceSetup, perf: HostPerf): PlainVpmu {
  const early = setup.kernel !== '6.1' && setup.kernel !== '6.12';
  return early ? new EarlyReference(setup, perf) : new Reference(setup, perf);
}

/** The machine in the model's terms. */
export function modelOf(setup: ReferenceSetup): { config: Pmuv3Config; rules: Arm64RuleSet } {
  return {
    rules: RULES[setup.kernel],
    config: {
      pmcrN: setup.n,
      hostCounters: setup.hostN,
      pmuVer: setup.pmuVer,
      hostPmuVer: setup.hostPmuVer,
      el0Aarch32: setup.aarch32,
      el2: setup.el2,
      el3: setup.el3,
      hostPmceid0: setup.ceid0,
      hostPmceid1: setup.ceid1,
      pmcrIdentity: setup.identity,
      pmcrUnknownMask: 0n,
      pmuPresent: true,
    },
  };
}

/** Space and code of a register in the given form, from the reference's own table. */
export function codeOf(reg: string, form: Form): { space: RegisterSpace; code: number } {
  const [op0, op1, crn, crm, op2] = encoding(reg);
  if (!form.aa32) return { space: RegisterSpace.sysreg, code: sysregCode(op0, op1, crn, crm, op2) };
  // AArch32: opc1 is 0 for all of them; MCRR/MRRC p15, 0, c9.
  const code = form.wide ? 0x10000 | (9 << 3) : (crn << 7) | (crm << 3) | op2;
  return { space: RegisterSpace.cp15, code };
}
