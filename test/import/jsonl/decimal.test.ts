import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halvesOf, putInteger, putU64, takeU64 } from '../../../src/import/jsonl/decimal.ts';

const EDGES = [0n, 9n, 10n, 99n, 100n].concat(
  [9n, 10n, 16n, 18n, 19n].flatMap((n) => [10n ** n - 1n, 10n ** n, 10n ** n + 1n]),
  [16n, 31n, 32n, 33n, 48n, 53n, 63n].flatMap((n) => [2n ** n - 1n, 2n ** n, 2n ** n + 1n]),
  [2n ** 64n - 1n, ((10n ** 9n) << 32n) - 1n, (10n ** 9n) << 32n, 18_446_744_073_000_000_000n],
);
const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(63)).map(([n, s]) => n >> BigInt(s)),
  fc.constantFrom(...EDGES),
);

function put(value: bigint): string {
  const bytes = new Uint8Array(23).fill(0x78);
  const end = putU64(bytes, 1, halvesOf(BigUint64Array.of(7n, value, 7n)), 1);
  expect(String.fromCharCode(bytes[0]!, ...bytes.subarray(end))).toMatch(/^x+$/);
  return String.fromCharCode(...bytes.subarray(1, end));
}

function take(text: unknown): bigint | undefined {
  const column = BigUint64Array.of(7n, 5n, 7n);
  const taken = takeU64(text, halvesOf(column), 1);
  expect([column[0], column[2]]).toEqual([7n, 7n]);
  if (!taken) expect(column[1]).toBe(5n);
  return taken ? column[1] : undefined;
}

describe('decimal u64', () => {
  it('is written and read exactly as a bigint is', () => {
    for (const value of EDGES) expect([put(value), take(`${value}`)]).toEqual([`${value}`, value]);
    fc.assert(
      fc.property(u64, (value) => {
        expect(put(value)).toBe(value.toString());
        expect(take(value.toString())).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });

  it('is refused above 64 bits, however far', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 64n, max: 10n ** 25n }), (value) => {
        expect(take(value.toString())).toBeUndefined();
      }),
    );
    expect(take('18446744073709551616')).toBeUndefined();
    expect(take('99999999999999999999')).toBeUndefined();
  });

  it.each([
    '',
    '-1',
    '+1',
    '01',
    '00',
    '1.0',
    '1e3',
    '0x1',
    ' 1',
    '1 ',
    '1n',
    '１',
    'a',
    1,
    null,
    ['1'],
  ])('is not %j', (text) => {
    expect(take(text)).toBeUndefined();
  });

  it('has whole numbers of either sign beside it', () => {
    const bytes = new Uint8Array(20);
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.maxSafeInteger()), (value) => {
        const end = putInteger(bytes, 0, value);
        expect(String.fromCharCode(...bytes.subarray(0, end))).toBe(`${value}`);
      }),
    );
  });
});
