import fc from 'fast-check';
import { X86_DEFAULTS, type X86Config } from '../../../src/emulator/x86/x86-config.ts';
import type { X86EventFilter } from '../../../src/emulator/x86/x86-filter.ts';

/** One thing that happens to a vCPU. */
export type Step =
  | { op: 'write'; msr: number; value: bigint }
  | { op: 'read'; msr: number }
  | { op: 'rdpmc'; ecx: number }
  | { op: 'entry' }
  | { op: 'load' }
  | { op: 'put' }
  | { op: 'hw'; event: bigint; cpl: 0 | 3; n: bigint }
  | { op: 'emul'; kind: 'instruction' | 'branch'; cpl: 0 | 3 }
  | { op: 'sched' }
  | { op: 'steal'; counter: number }
  | { op: 'lvtpc'; value: number }
  | { op: 'filter'; filter: X86EventFilter }
  | { op: 'reset' };

/** Machines of both vendors: Intel with and without GLOBAL_CTRL, with PEBS; AMD of all three kinds. */
export const anyMachine: fc.Arbitrary<X86Config> = fc.constantFrom<X86Config>(
  { ...X86_DEFAULTS.intel, gpCounters: 3, hostFixedCounters: 3 },
  { ...X86_DEFAULTS.intel, gpCounters: 4, gpWidth: 40, fixedWidth: 40, fixedCounters: 2 },
  { ...X86_DEFAULTS.intel, version: 1, gpCounters: 2, perfCapabilities: 0 },
  { ...X86_DEFAULTS.intel, gpCounters: 3, perfCapabilities: 0x2400, eventsNotAvailable: 0x22 },
  { ...X86_DEFAULTS.intel, gpCounters: 2, fixedCounters: 4, perfCapabilities: 0xa000 },
  { ...X86_DEFAULTS.amd },
  { ...X86_DEFAULTS.amd, perfctrCore: false },
  { ...X86_DEFAULTS.amd, version: 2, gpCounters: 4 },
);

const SELECTORS = [
  0x5300c0n,
  0x4300c0n,
  0x1300c0n,
  0x5100c0n,
  0x5200c0n,
  0x53003cn,
  0x530076n,
  0x5300c4n,
  0x5300c2n,
  0x1300c4n,
  0n,
];
const CODES = [0x400n, 0xc0n, 0xc0n, 0x3cn, 0x76n, 0xc4n, 0xc2n, 0x300n];

const nearTop = fc.oneof(
  fc.bigInt({ min: 0xffff_ffff_fff0n, max: 0xffff_ffff_ffffn }),
  fc.bigInt({ min: 0xff_ffff_fff0n, max: 0xff_ffff_ffffn }),
  fc.bigInt({ min: 0xffff_fff0n, max: 0xffff_ffffn }),
);
const counterValue = fc.oneof(
  { weight: 4, arbitrary: nearTop },
  { weight: 2, arbitrary: fc.bigInt({ min: 0n, max: 40n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }) },
);
const index = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 2 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 7 }) },
);
const selectorMsr = fc.oneof(
  index.map((i) => 0x186 + i),
  index.map((i) => 0xc001_0000 + (i & 3)),
  index.map((i) => 0xc001_0200 + 2 * (i % 6)),
);
const counterMsr = fc.oneof(
  index.map((i) => 0xc1 + i),
  index.map((i) => 0x4c1 + i),
  index.map((i) => 0x309 + (i & 3)),
  index.map((i) => 0xc001_0004 + (i & 3)),
  index.map((i) => 0xc001_0201 + 2 * (i % 6)),
);
const controls: fc.Arbitrary<[number, bigint]> = fc.oneof(
  fc.tuple(
    fc.constant(0x38f),
    fc.constantFrom(0x7_0000_0007n, 0x7n, 0n, 1n, 0x1_0000_0003n, 0x1_000f_0000_0003n),
  ),
  fc.tuple(fc.constant(0x38d), fc.constantFrom(0xbbbn, 0xb333n, 0x333n, 0xbn, 0x2n, 0n, 0xb3n)),
  fc.tuple(fc.constant(0x390), fc.constantFrom(0x7_0000_0007n, 1n, 0xc000_0000_0000_0000n)),
  fc.tuple(fc.constant(0xc000_0301), fc.constantFrom(0xfn, 0x3fn, 0n, 1n)),
  fc.tuple(fc.constantFrom(0xc000_0302, 0xc000_0303), fc.constantFrom(0xfn, 1n, 2n)),
  fc.tuple(fc.constant(0x3f1), fc.constantFrom(0n, 1n, 3n)),
  fc.tuple(fc.constant(0x329), fc.constantFrom(0n, 0x40_30_20_10n)),
);
const written: fc.Arbitrary<[number, bigint]> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(selectorMsr, fc.constantFrom(...SELECTORS)) },
  { weight: 5, arbitrary: fc.tuple(counterMsr, counterValue) },
  { weight: 4, arbitrary: controls },
);

const filter: fc.Arbitrary<X86EventFilter> = fc.record({
  action: fc.constantFrom('allow' as const, 'deny' as const),
  events: fc.subarray([0xc0n, 0x3cn, 0x76n, 0xc4n, 0xc2n]),
  fixedBitmap: fc.integer({ min: 0, max: 7 }),
  masked: fc.constant(false),
});

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: written.map(([msr, value]): Step => ({ op: 'write', msr, value })) },
  { weight: 6, arbitrary: written.map(([msr]): Step => ({ op: 'read', msr })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(0, 1, 2, 0x4000_0000, 0x4000_0001, 0x8000_0000)
      .map((ecx): Step => ({ op: 'rdpmc', ecx })),
  },
  { weight: 8, arbitrary: fc.constant<Step>({ op: 'entry' }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ op: 'load' }, { op: 'put' }) },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('hw' as const),
      event: fc.constantFrom(...CODES),
      cpl: fc.constantFrom<0 | 3>(0, 3),
      n: fc.oneof(
        { weight: 5, arbitrary: fc.bigInt({ min: 0n, max: 40n }) },
        { weight: 1, arbitrary: fc.bigInt({ min: 0xffff_fff0n, max: 0x1_0000_0010n }) },
      ),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('emul' as const),
      kind: fc.constantFrom('instruction' as const, 'branch' as const),
      cpl: fc.constantFrom<0 | 3>(0, 3),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ op: 'sched' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('steal' as const),
      counter: fc.constantFrom(0, 1, 32),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('lvtpc' as const),
      value: fc.constantFrom(0x400, 0xef, 0x10400),
    }),
  },
  { weight: 1, arbitrary: filter.map((one): Step => ({ op: 'filter', filter: one })) },
  { weight: 1, arbitrary: fc.constant<Step>({ op: 'reset' }) },
);

/** A guest that means it: a counter near its wrap, enabled, that counts. */
const block: fc.Arbitrary<Step[]> = fc
  .record({
    i: fc.integer({ min: 0, max: 2 }),
    selector: fc.constantFrom(0x5300c0n, 0x5300c0n, 0x5100c0n),
    value: nearTop,
    emulated: fc.integer({ min: 0, max: 20 }),
    n: fc.bigInt({ min: 1n, max: 40n }),
  })
  .map(({ i, selector, value, emulated, n }): Step[] => [
    { op: 'write', msr: 0x38f, value: 0x7_0000_0007n },
    { op: 'write', msr: 0xc000_0301, value: 0xfn },
    ...[0x4c1 + i, 0xc001_0004 + i].map((msr): Step => ({ op: 'write', msr, value })),
    ...[0x186 + i, 0xc001_0000 + i].map((msr): Step => ({ op: 'write', msr, value: selector })),
    { op: 'entry' },
    { op: 'load' },
    { op: 'hw', event: 0xc0n, cpl: 3, n },
    ...Array.from({ length: emulated }, (): Step => ({ op: 'emul', kind: 'instruction', cpl: 3 })),
    { op: 'put' },
    { op: 'entry' },
    { op: 'load' },
    { op: 'hw', event: 0xc0n, cpl: 3, n },
  ]);

/** A random program: single steps and whole blocks. */
export const anySteps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: anyStep.map((step) => [step]) },
      { weight: 1, arbitrary: block },
    ),
    { maxLength: 60, size: 'max' },
  )
  .map((blocks) => blocks.flat());
