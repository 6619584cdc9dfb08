import fc from 'fast-check';
import {
  anyEcx,
  anyRead,
  anything,
  anyWrite,
  counterValue,
  EN,
  EVENTS,
  flag,
  INT,
  nibbles,
  OS,
  plainEcx,
  selector,
  USR,
} from './program-accesses.ts';
import type { Vendor } from './reference-perf.ts';
import { type Kernel, low, type Setup } from './reference-setup.ts';

/** One step of a random program. */
export type Step =
  | { op: 'wrmsr'; msr: number; value: bigint; host: boolean }
  | { op: 'rdmsr'; msr: number; host: boolean }
  | { op: 'rdpmc'; ecx: number; cpl: number; pce: boolean }
  | { op: 'enter' | 'sched' | 'reset' | 'refresh' | 'load' | 'put' }
  | { op: 'hw'; code: bigint; cpl: number; n: bigint; host: boolean }
  | { op: 'emul'; kind: 'instruction' | 'branch'; cpl: number }
  | { op: 'lvtpc'; value: bigint }
  | { op: 'steal'; pmc: number }
  /** What the hardware's PERF_METRICS holds now; its overflow. */
  | { op: 'metrics'; value: bigint }
  | { op: 'metricsOverflow' }
  | { op: 'inject'; what: 'create' | 'place' | 'period'; n: number }
  | {
      op: 'filter';
      action: 'allow' | 'deny' | number;
      events: bigint[];
      fixedBitmap: bigint;
      masked: boolean;
      flags?: number;
    };

export type Flavour = 'plausible' | 'hostile';

const cpl = fc.constantFrom(0, 0, 3, 3, 3, 1);

function hardware(vendor: Vendor, flavour: Flavour): fc.Arbitrary<Step> {
  const n = fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 1n, max: 0x50n }) },
    { weight: 1, arbitrary: fc.constantFrom(0x8000_0000n, 0x7fff_ffffn, 0xffn) },
    {
      weight: flavour === 'hostile' ? 1 : 0,
      arbitrary: fc.constantFrom(0x1_0000_0000_0000n, 0x1_0000_0000_0003n),
    },
  );
  return fc.record({
    op: fc.constant('hw' as const),
    code: fc.constantFrom(...EVENTS[vendor]),
    cpl,
    n,
    host: flavour === 'hostile' ? flag(20) : fc.constant(false),
  });
}

const emulated: fc.Arbitrary<Step> = fc.record({
  op: fc.constant('emul' as const),
  kind: fc.constantFrom<'instruction' | 'branch'>('instruction', 'instruction', 'branch'),
  cpl,
});

const lvtpc: fc.Arbitrary<Step> = fc
  .constantFrom(0x400n, 0x400n, 0x400n, 0x1_0400n, 0xefn)
  .map((value) => ({ op: 'lvtpc', value }));

function filter(vendor: Vendor, flavour: Flavour): fc.Arbitrary<Step> {
  const plain = fc.constantFrom(...EVENTS[vendor], 0x43_00c0n);
  const masked = fc
    .tuple(fc.constantFrom(...EVENTS[vendor]), fc.constantFrom(0n, 0xffn, 0xfn, 1n), flag(3))
    .map(([event, mask, exclude]) => event | (mask << 56n) | (exclude ? 1n << 55n : 0n));
  const broken = fc.record({
    op: fc.constant('filter' as const),
    action: fc.constantFrom<'allow' | number>('allow', 2),
    events: fc.array(anything, { maxLength: 2 }),
    fixedBitmap: fc.constant(0n),
    masked: fc.constant(true),
    flags: fc.constantFrom(1, 2, 3),
  });
  const good = flag(1).chain((isMasked) =>
    fc.record({
      op: fc.constant('filter' as const),
      action: fc.constantFrom<'allow' | 'deny'>('allow', 'deny'),
      events: fc.array(isMasked ? masked : plain, { maxLength: 4 }),
      fixedBitmap: fc.bigInt({ min: 0n, max: 7n }),
      masked: fc.constant(isMasked),
    }),
  );
  return flavour === 'plausible'
    ? good
    : fc.oneof({ weight: 5, arbitrary: good }, { weight: 1, arbitrary: broken });
}

const hostFaults: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('inject' as const),
      what: fc.constantFrom<'create' | 'place' | 'period'>('create', 'place', 'period'),
      n: fc.constantFrom(1, 1, 2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('steal' as const),
      pmc: fc.constantFrom(0, 0, 1, 2, 32, 33),
    }),
  },
);

const enter: Step = { op: 'enter' };

/** A trapped access as a real guest causes it: the access, the skipped instruction, and back in. */
function trapped(access: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> {
  return fc
    .tuple(access, cpl)
    .map(([step, level]) => [step, { op: 'emul', kind: 'instruction', cpl: level }, enter]);
}

const guest = (msr: number, value: bigint): Step => ({ op: 'wrmsr', msr, value, host: false });

/** A guest that samples: stops everything, programs one counter near its wrap, runs into it and answers the PMI. */
function samplingGuest(vendor: Vendor): fc.Arbitrary<Step[]> {
  return fc
    .record({
      i: fc.integer({ min: 0, max: 2 }),
      event: fc.constantFrom(...EVENTS[vendor]),
      left: fc.bigInt({ min: 1n, max: 0x40n }),
      n: fc.bigInt({ min: 1n, max: 0x60n }),
      again: fc.bigInt({ min: 1n, max: 0x60n }),
      stops: fc.boolean(),
      emulations: fc.integer({ min: 0, max: 3 }),
    })
    .map(({ i, event, left, n, again, stops, emulations }) => {
      const intel = vendor === 'intel';
      const select = intel ? 0x186 + i : 0xc0010200 + 2 * i;
      const count = intel ? 0xc1 + i : 0xc0010201 + 2 * i;
      const gate = intel ? 0x38f : 0xc0000301;
      const value = intel ? 0x1_0000_0000n - left : 0x1_0000_0000_0000n - left;
      const on = event | EN | INT | OS | USR;
      const run = (times: bigint): Step => ({
        op: 'hw',
        code: event,
        cpl: 3,
        n: times,
        host: false,
      });
      return [
        { op: 'lvtpc', value: 0x400n },
        guest(gate, 0n),
        guest(count, value),
        guest(select, on),
        guest(gate, 0xfn),
        enter,
        run(n),
        ...Array.from(
          { length: emulations },
          (): Step => ({ op: 'emul', kind: 'instruction', cpl: 0 }),
        ),
        enter,
        ...(stops ? [guest(gate, 0n)] : []),
        { op: 'rdmsr', msr: intel ? 0x38e : 0xc0000300, host: false },
        guest(count, value),
        guest(intel ? 0x390 : 0xc0000302, 1n << BigInt(i)),
        { op: 'lvtpc', value: 0x400n },
        ...(stops ? [guest(gate, 0xfn)] : []),
        enter,
        run(again),
        enter,
        guest(select, on & ~EN),
        enter,
      ] satisfies Step[];
    });
}

/** A guest's start: everything globally on, and some counters programmed. */
function prelude(setup: Setup): fc.Arbitrary<Step[]> {
  const intel = setup.vendor === 'intel';
  const start = fc.record({
    value: counterValue,
    select: selector(setup.vendor, fc.constant(true)),
  });
  return fc
    .record({ starts: fc.array(start, { maxLength: 3 }), fixedCtrl: nibbles(setup), on: flag(4) })
    .map(({ starts, fixedCtrl, on }) => [
      { op: 'lvtpc', value: 0x400n },
      ...(on ? [] : [guest(intel ? 0x38f : 0xc0000301, low(setup.gp) | (low(setup.fixed) << 32n))]),
      ...starts.flatMap(({ value, select }, i) =>
        intel
          ? [guest(0xc1 + i, value), guest(0x186 + i, select)]
          : [guest(0xc0010004 + i, value), guest(0xc0010000 + i, select)],
      ),
      ...(setup.fixed > 0 ? [guest(0x38d, fixedCtrl)] : []),
      enter,
    ]);
}

/** A random program for this guest. */
export function anyProgram(setup: Setup, flavour: Flavour): fc.Arbitrary<Step[]> {
  const { vendor } = setup;
  const one = (arbitrary: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> =>
    arbitrary.map((step) => [step]);
  const write = anyWrite(setup, flavour);
  const read = anyRead(setup, flavour);
  const rdpmc: fc.Arbitrary<Step> = fc.record({
    op: fc.constant('rdpmc' as const),
    ecx: flavour === 'plausible' ? plainEcx : anyEcx,
    cpl,
    pce: fc.boolean(),
  });
  const running = fc
    .array(hardware(vendor, flavour), { minLength: 1, maxLength: 3 })
    .map((steps): Step[] =>
      setup.kernel.startsWith('mediated')
        ? [enter, { op: 'load' }, ...steps, { op: 'put' }]
        : [enter, ...steps],
    );
  const topdown: fc.WeightedArbitrary<Step[]>[] = [
    { weight: 3, arbitrary: one(anything.map((value) => ({ op: 'metrics', value }))) },
    { weight: 1, arbitrary: one(fc.constant({ op: 'metricsOverflow' })) },
    {
      weight: 2,
      arbitrary: trapped(anything.map((value) => guest(0x329, value))),
    },
  ];
  const hostile: fc.WeightedArbitrary<Step[]>[] = [
    { weight: 6, arbitrary: one(write) },
    { weight: 4, arbitrary: one(hardware(vendor, flavour)) },
    // A mediated guest asks nothing of perf that could fail.
    { weight: setup.kernel.startsWith('mediated') ? 0 : 2, arbitrary: one(hostFaults) },
    { weight: 1, arbitrary: one(fc.constantFrom<Step>({ op: 'reset' }, { op: 'refresh' })) },
  ];
  const block = fc.oneof(
    { weight: 8, arbitrary: trapped(write) },
    { weight: 2, arbitrary: one(read) },
    { weight: 2, arbitrary: one(rdpmc) },
    { weight: 6, arbitrary: running },
    { weight: 3, arbitrary: one(emulated) },
    { weight: 2, arbitrary: one(fc.constant(enter)) },
    { weight: 2, arbitrary: fc.constant<Step[]>([{ op: 'sched' }, enter]) },
    { weight: 1, arbitrary: one(lvtpc) },
    { weight: 1, arbitrary: one(filter(vendor, flavour)) },
    { weight: 1, arbitrary: samplingGuest(vendor) },
    ...(flavour === 'hostile' ? hostile : []),
    ...(setup.fixed > 3 ? topdown : []),
  );
  return fc
    .tuple(prelude(setup), fc.array(block, { maxLength: 50, size: 'max' }))
    .map(([start, blocks]) => [...start, ...blocks.flat()]);
}

const anyFlavour = fc.constantFrom<Flavour>('plausible', 'hostile', 'hostile');

const intelShape = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      version: fc.constant(2),
      gp: fc.constantFrom(4, 8),
      fixed: fc.constantFrom(2, 3, 3),
      gpWidth: fc.constantFrom(40, 48, 48),
      fixedWidth: fc.constantFrom(40, 48, 48),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      version: fc.constant(1),
      gp: fc.constant(2),
      fixed: fc.constant(0),
      gpWidth: fc.constantFrom(40, 48),
      fixedWidth: fc.constant(48),
    }),
  },
  {
    weight: 0,
    arbitrary: fc.record({
      version: fc.constant(0),
      gp: fc.constant(0),
      fixed: fc.constant(0),
      gpWidth: fc.constant(48),
      fixedWidth: fc.constant(48),
    }),
  },
);

/** A random Intel guest under these rules. */
function intelSetup(kernel: Kernel): fc.Arbitrary<Setup> {
  return fc
    .record({
      shape: intelShape,
      slots: flag(1),
      ebx: fc.constantFrom(0, 0, 0, 0x22, 0x1, 0x40),
      vectorLength: fc.constantFrom(7, 7, 7, 4),
      capabilities:
        kernel === 'topdown-2023'
          ? fc.constantFrom(0xa000n, 0xa000n, 0xa400n, 0x2000n)
          : fc.constantFrom(0x2000n, 0x2000n, 0n, 0x2400n, 0x6400n),
      tsx: fc.constantFrom(undefined, undefined, 0x811, 0x810, 0x1),
      lapic: flag(10).map((off) => !off),
      apicEnabled: flag(10).map((off) => !off),
    })
    .map(({ shape, slots, ebx, vectorLength, capabilities, tsx, lapic, apicEnabled }) => ({
      kernel,
      vendor: 'intel',
      ...shape,
      fixed: kernel === 'topdown-2023' && shape.fixed === 3 && slots ? 4 : shape.fixed,
      vectorLength,
      ebx,
      perfCapabilities: capabilities,
      hostTsx: tsx !== undefined,
      leaf7Ebx: tsx,
      core: false,
      lapic,
      apicEnabled,
      hostGp: 8,
      hostFixed: kernel === 'topdown-2023' ? 4 : 3,
    }));
}

/** A random AMD guest: K7, the core extension, and on 6.12 PerfMonV2. */
function amdSetup(kernel: Kernel): fc.Arbitrary<Setup> {
  const kinds = kernel.startsWith('mediated')
    ? ['v2', 'v2-4']
    : kernel === '6.12'
      ? ['k7', 'core', 'v2', 'v2-4']
      : kernel === '6.1'
        ? ['k7', 'core']
        : ['k7'];
  return fc.tuple(fc.constantFrom(...kinds), flag(10)).map(([kind, noLapic]) => ({
    kernel,
    vendor: 'amd',
    version: kind.startsWith('v2') ? 2 : 1,
    gp: kind === 'k7' || kind === 'v2-4' ? 4 : 6,
    fixed: 0,
    gpWidth: 48,
    fixedWidth: 48,
    vectorLength: 0,
    ebx: 0,
    perfCapabilities: 0n,
    hostTsx: false,
    leaf7Ebx: undefined,
    core: kind !== 'k7',
    lapic: !noLapic,
    apicEnabled: true,
    hostGp: 6,
    hostFixed: 0,
  }));
}

/** A random guest under these rules with a program for it. */
export function anyCase(kernel: Kernel): fc.Arbitrary<{ setup: Setup; steps: Step[] }> {
  const setup = fc.oneof(
    { weight: 3, arbitrary: intelSetup(kernel) },
    // Topdown is Intel's.
    { weight: kernel === 'topdown-2023' ? 0 : 2, arbitrary: amdSetup(kernel) },
  );
  return fc
    .tuple(setup, anyFlavour)
    .chain(([one, flavour]) =>
      fc.record({ setup: fc.constant(one), steps: anyProgram(one, flavour) }),
    );
}
