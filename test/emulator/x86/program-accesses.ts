/** The accesses of random programs: registers and values that mean something, and some that nobody meant. */
import fc from 'fast-check';
import type { Flavour, Step } from './programs.ts';
import type { Vendor } from './reference-perf.ts';
import { low, registerAt, type Setup } from './reference-setup.ts';

/** Events the guests use and the hardware causes: instructions and branches, cycles, and two with umasks. */
export const EVENTS: Record<Vendor, readonly bigint[]> = {
  intel: [0xc0n, 0xc0n, 0xc0n, 0xc4n, 0x3cn, 0x300n, 0x1c2n, 0x2c2n, 0x4f2en, 0x3000n, 0x400n],
  amd: [0xc0n, 0xc0n, 0xc0n, 0xc2n, 0x76n, 0x1c1n, 0xff60n, 0x1_0000_00c0n, 0x77dn, 0x80n],
};

export const anything = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const small = fc.bigInt({ min: 0n, max: 0x40n });
export const flag = (weight: number): fc.Arbitrary<boolean> =>
  fc.integer({ min: 0, max: weight }).map((n) => n === weight);

/** Values a counter is given: around its wrap in every width, small, and anything. */
export const counterValue: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 3, arbitrary: small },
  { weight: 6, arbitrary: small.map((n) => 0x1_0000_0000_0000n - n) },
  { weight: 3, arbitrary: small.map((n) => 0xffff_ffffn - n) },
  { weight: 2, arbitrary: small.map((n) => 0x100_0000_0000n - n) },
  { weight: 1, arbitrary: fc.constantFrom(0x8000_0000n, 0xffff_8000_0000n, 0x7fff_ffffn) },
  { weight: 1, arbitrary: anything },
);

export const EN = 1n << 22n;
export const INT = 1n << 20n;
export const OS = 1n << 17n;
export const USR = 1n << 16n;

/** A selector as a perf driver writes it. */
export function selector(vendor: Vendor, on: fc.Arbitrary<boolean>): fc.Arbitrary<bigint> {
  const modes = fc.constantFrom(OS | USR, OS | USR, OS | USR, OS, USR, 0n);
  return fc
    .tuple(fc.constantFrom(...EVENTS[vendor]), modes, flag(2), on)
    .map(([event, mode, noInt, en]) => event | mode | (noInt ? 0n : INT) | (en ? EN : 0n));
}

/** …and with odd bits: edge, pin control, inv, cmask, reserved ones, IN_TX, AMD's high event bits, GuestOnly. */
function oddSelector(vendor: Vendor): fc.Arbitrary<bigint> {
  const extra = fc.constantFrom(18, 19, 21, 23, 24, 31, 32, 33, 34, 35, 36, 40, 41, 63);
  return fc
    .tuple(selector(vendor, fc.boolean()), extra)
    .map(([plain, bit]) => plain | (1n << BigInt(bit)));
}

/** One nibble of FIXED_CTR_CTRL for each fixed counter. */
export function nibbles(setup: Setup): fc.Arbitrary<bigint> {
  const nibble = fc.constantFrom(0n, 1n, 2n, 3n, 3n, 8n, 0xan, 0xbn, 0xbn, 0xbn);
  return fc
    .array(nibble, { minLength: setup.fixed, maxLength: setup.fixed })
    .map((list) => list.reduce<bigint>((sum, one, i) => sum | (one << BigInt(4 * i)), 0n));
}

/** GLOBAL_CTRL: mostly bits of counters the guest has. */
function globalValue(setup: Setup): fc.Arbitrary<bigint> {
  const valid = low(setup.gp) | (low(setup.fixed) << 32n);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant(valid) },
    { weight: 2, arbitrary: fc.constant(0n) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(1n, 3n, 0xfn, 0x1_0000_0001n).map((bits) => bits & valid),
    },
    { weight: 1, arbitrary: anything.map((bits) => bits & valid) },
    { weight: 1, arbitrary: anything },
  );
}

const statusValue = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(1n, 0xfn, 0x7_0000_00ffn, 1n << 62n, (1n << 62n) | 1n, 3n << 62n),
  },
  { weight: 1, arbitrary: anything },
);

/** A GP counter: mostly one of the first two, rarely one the guest does not have. */
function index(setup: Setup): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 16, arbitrary: fc.integer({ min: 0, max: 1 }) },
    { weight: 5, arbitrary: fc.integer({ min: 0, max: Math.max(setup.gp - 1, 0) }) },
    { weight: 1, arbitrary: fc.constant(setup.gp) },
  );
}

type Write = { msr: number; value: bigint };

/** A register and a value that means something there. */
function meantWrite(setup: Setup): fc.Arbitrary<Write> {
  const at = (msr: fc.Arbitrary<number>, value: fc.Arbitrary<bigint>): fc.Arbitrary<Write> =>
    fc.record({ msr, value });
  const chosen = fc.oneof(
    {
      weight: 6,
      arbitrary: selector(
        setup.vendor,
        flag(2).map((off) => !off),
      ),
    },
    { weight: 1, arbitrary: oddSelector(setup.vendor) },
  );
  const i = index(setup);
  if (setup.vendor === 'amd') {
    const k7 = fc.integer({ min: 0, max: 3 });
    return fc.oneof(
      {
        weight: setup.core ? 4 : 1,
        arbitrary: at(
          i.map((n) => 0xc0010200 + 2 * n),
          chosen,
        ),
      },
      {
        weight: setup.core ? 3 : 1,
        arbitrary: at(
          i.map((n) => 0xc0010201 + 2 * n),
          counterValue,
        ),
      },
      {
        weight: 3,
        arbitrary: at(
          k7.map((n) => 0xc0010000 + n),
          chosen,
        ),
      },
      {
        weight: 3,
        arbitrary: at(
          k7.map((n) => 0xc0010004 + n),
          counterValue,
        ),
      },
      { weight: 2, arbitrary: at(fc.constant(0xc0000301), globalValue(setup)) },
      {
        weight: 1,
        arbitrary: at(fc.constantFrom(0xc0000300, 0xc0000302, 0xc0000302, 0xc0000303), statusValue),
      },
    );
  }
  const second = setup.version >= 2 ? 1 : 0;
  return fc.oneof(
    {
      weight: 6,
      arbitrary: at(
        i.map((n) => 0x186 + n),
        chosen,
      ),
    },
    {
      weight: 3,
      arbitrary: at(
        i.map((n) => 0xc1 + n),
        counterValue,
      ),
    },
    {
      weight: (setup.perfCapabilities & 0x2000n) !== 0n && setup.kernel.startsWith('6') ? 3 : 1,
      arbitrary: at(
        i.map((n) => 0x4c1 + n),
        counterValue,
      ),
    },
    {
      weight: 1 + 2 * second,
      arbitrary: at(fc.integer({ min: 0x309, max: setup.fixed > 3 ? 0x30c : 0x30b }), counterValue),
    },
    { weight: 1 + 2 * second, arbitrary: at(fc.constant(0x38d), nibbles(setup)) },
    { weight: 1 + 2 * second, arbitrary: at(fc.constant(0x38f), globalValue(setup)) },
    { weight: 1 + second, arbitrary: at(fc.constant(0x390), statusValue) },
    {
      weight: (setup.perfCapabilities & 0xf00n) !== 0n ? 2 : 0,
      arbitrary: at(fc.constant(0x3f1), fc.constantFrom(0n, 1n, 3n, 0xfn, 0x1_0000_0001n)),
    },
  );
}

/** MSRs nobody meant: neighbours of the PMU's, registers of the other vendor, LBR-free corners. */
const STRAY = [
  0xc3, 0xc9, 0xd0, 0x188, 0x18e, 0x1a6, 0x1a7, 0x30c, 0x30d, 0x38d, 0x38e, 0x38f, 0x390, 0x391,
  0x392, 0x3f1, 0x3f2, 0x4c1, 0x4c9, 0xc0000300, 0xc0000301, 0xc0000302, 0xc0000303, 0xc0010000,
  0xc0010003, 0xc0010004, 0xc0010007, 0xc0010200, 0xc0010209, 0xc001020b, 0xc001020c, 0xc1, 0xc2,
  0x186, 0x187, 0x309,
] as const;

export function anyWrite(setup: Setup, flavour: Flavour): fc.Arbitrary<Step> {
  const meant = meantWrite(setup);
  const wild = fc.record({
    msr: fc.constantFrom(...STRAY),
    value: fc.oneof(anything, small, statusValue),
  });
  const wildValue = fc.tuple(meant, anything).map(([{ msr }, value]) => ({ msr, value }));
  const access =
    flavour === 'plausible'
      ? meant
      : fc.oneof(
          { weight: 6, arbitrary: meant },
          { weight: 1, arbitrary: wild },
          { weight: 1, arbitrary: wildValue },
        );
  const host = flavour === 'plausible' ? fc.constant(false) : flag(20);
  return fc.tuple(access, host).map(([{ msr, value }, byHost]) => ({
    op: 'wrmsr',
    msr,
    value,
    // What the host may do to MSRs the guest lacks is KVM's list of MSRs to save: only those it has are asked for.
    host: byHost && registerAt(setup, msr) !== undefined,
  }));
}

export function anyRead(setup: Setup, flavour: Flavour): fc.Arbitrary<Step> {
  const meant = meantWrite(setup).map(({ msr }) => msr);
  const msr =
    flavour === 'plausible'
      ? fc.oneof(meant, fc.constantFrom(0x38e, 0xc0000300))
      : fc.oneof(
          { weight: 5, arbitrary: meant },
          { weight: 1, arbitrary: fc.constantFrom(...STRAY, 0x38e) },
        );
  return msr.map((number) => ({ op: 'rdmsr', msr: number, host: false }));
}

export const plainEcx = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0x4000_0000, max: 0x4000_0003 }) },
);
export const anyEcx = fc.oneof(
  { weight: 4, arbitrary: plainEcx },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      0x8000_0000,
      0x8000_0001,
      0xc000_0000,
      0xc000_0001,
      0x2000_0000,
      0x1_0000,
      0x1_0002,
      0x1_0003,
      0xffff_ffff,
      0x4001_0000,
    ),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff_ffff }) },
);
