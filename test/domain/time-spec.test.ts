import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXIT, UsageError } from '../../src/domain/errors.ts';
import {
  type ClockTime,
  formatTime,
  parseTime,
  parseTimeRange,
  resolveTime,
  resolveTimeRange,
} from '../../src/domain/time-spec.ts';

const SPAN = { first: 616_000_000_000n, last: 618_000_000_000n };
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function resolved(text: string): bigint {
  return resolveTime(parseTime(text) as ClockTime, SPAN);
}

function failure(run: () => unknown): UsageError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error('nothing was refused');
}

describe('a time', () => {
  it.each<[string, bigint]>([
    ['616.793612498', 616_793_612_498n],
    ['616.793612:', 616_793_612_000n],
    ['616.793612498:', 616_793_612_498n],
    ['616', 616_000_000_000n],
    ['0.5', 500_000_000n],
    ['616.7s', 616_700_000_000n],
    ['1500ms', 1_500_000_000n],
    ['1.5ms', 1_500_000n],
    ['1.000001ms', 1_000_001n],
    ['20us', 20_000n],
    ['20.125µs', 20_125n],
    ['20.125μs', 20_125n],
    ['7ns', 7n],
    ['18446744073.709551615', 2n ** 64n - 1n],
    ['+20us', 616_000_020_000n],
    ['+0.000000001', 616_000_000_001n],
    ['-20us', 617_999_980_000n],
    ['start', SPAN.first],
    ['end', SPAN.last],
    ['0%', SPAN.first],
    ['100%', SPAN.last],
    ['50%', 617_000_000_000n],
    ['12.5%', 616_250_000_000n],
    ['33.333333333%', 616_666_666_666n],
  ])('%s', (text, ns) => {
    expect(resolved(text)).toBe(ns);
  });

  it('is an event’s number with @', () => {
    expect(parseTime('@1234')).toEqual({ kind: 'seq', seq: 1234 });
    expect(parseTime(`@${Number.MAX_SAFE_INTEGER}`)).toEqual({
      kind: 'seq',
      seq: Number.MAX_SAFE_INTEGER,
    });
  });

  it('stays inside 64 bits whatever the span', () => {
    expect(resolveTime({ kind: 'before-end', ns: 10n }, { first: 0n, last: 5n })).toBe(0n);
    expect(resolveTime({ kind: 'after-start', ns: 10n }, { first: 2n ** 64n - 3n, last: 0n })).toBe(
      2n ** 64n - 1n,
    );
  });

  it('is read back exactly as it is printed', () => {
    fc.assert(
      fc.property(u64, fc.constantFrom('', ':', 's'), (ns, tail) => {
        expect(parseTime(formatTime(ns) + tail)).toEqual({ kind: 'at', ns });
      }),
    );
  });

  it('is cut, never rounded up, when printed with fewer decimals', () => {
    expect(formatTime(616_793_612_999n, 6)).toBe('616.793612');
    expect(formatTime(999_999_999n, 0)).toBe('0');
    expect(formatTime(5n)).toBe('0.000000005');
    fc.assert(
      fc.property(u64, fc.integer({ min: 0, max: 9 }), (ns, decimals) => {
        const step = 10n ** BigInt(9 - decimals);
        const text = formatTime(ns, decimals);
        expect(parseTime(text)).toEqual({ kind: 'at', ns: (ns / step) * step });
        expect(text.split('.')[1]?.length ?? 0).toBe(decimals);
      }),
    );
  });

  it('of the same span is in the order of its share', () => {
    const share = fc.integer({ min: 0, max: 100_000 });
    fc.assert(
      fc.property(share, share, u64, u64, (a, b, x, y) => {
        const span = x < y ? { first: x, last: y } : { first: y, last: x };
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((n) =>
          resolveTime(parseTime(`${n / 1000}%`) as ClockTime, span),
        ) as [bigint, bigint];
        expect(span.first <= low && low <= high && high <= span.last).toBe(true);
      }),
    );
  });

  it.each([
    '',
    ' ',
    '-',
    '+',
    'abc',
    '1.',
    '.5',
    '1e9',
    '0x10',
    '1,5',
    '616.7936124981',
    '1.5ns',
    '1.0000001ms',
    '1.0001us',
    '5m',
    '5 ms',
    '+616.5:',
    '18446744073.709551616',
    '99999999999999999999999999',
    '101%',
    '50.0000000001%',
    '-5%',
    '@',
    '@0',
    '@-1',
    '@1.5',
    '@9007199254740992',
    '@99999999999999999999',
    'Start',
    '１',
  ])('%j is refused in one line that names it and tells the forms', (text) => {
    const error = failure(() => parseTime(text));
    expect(error.exitCode).toBe(EXIT.usage);
    expect(error.message).toContain(JSON.stringify(text));
    expect(error.message).not.toContain('\n');
    expect(error.hint).toContain('616.793612498');
  });

  it('of any other text is refused in one short line', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'grapheme' }), (text) => {
        try {
          parseTime(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
          expect((error as Error).message.length).toBeLessThan(160);
        }
      }),
    );
  });
});

describe('a range of times', () => {
  it.each<[string, object]>([
    ['616.5,617.5', { fromTime: 616_500_000_000n, toTime: 617_500_000_000n }],
    ['616.5:,617.5:', { fromTime: 616_500_000_000n, toTime: 617_500_000_000n }],
    ['616.5,', { fromTime: 616_500_000_000n }],
    [',617.5', { toTime: 617_500_000_000n }],
    ['start,end', { fromTime: SPAN.first, toTime: SPAN.last }],
    ['+1ms,-1ms', { fromTime: 616_001_000_000n, toTime: 617_999_000_000n }],
    ['10%-20%', { fromTime: 616_200_000_000n, toTime: 616_400_000_000n }],
    ['10%,20%', { fromTime: 616_200_000_000n, toTime: 616_400_000_000n }],
    ['@18234-@29877', { fromSeq: 18_234, toSeq: 29_877 }],
    ['@18234-29877', { fromSeq: 18_234, toSeq: 29_877 }],
    ['@18234,@29877', { fromSeq: 18_234, toSeq: 29_877 }],
    ['@18234', { fromSeq: 18_234, toSeq: 18_234 }],
    ['@18234,', { fromSeq: 18_234 }],
    [',@18234', { toSeq: 18_234 }],
    ['@5,617', { fromSeq: 5, toTime: 617_000_000_000n }],
    ['616,616', { fromTime: SPAN.first, toTime: SPAN.first }],
  ])('%s', (text, range) => {
    expect(resolveTimeRange(parseTimeRange(text), SPAN)).toEqual(range);
  });

  it.each([
    '',
    ',',
    ',,',
    '1,2,3',
    '616.5',
    '50%',
    'start',
    '617,616',
    '@5-@4',
    '@5-4',
    '20%-10%',
    '20%,10%',
    '616-617',
    '10%-',
    '@5-',
    '@5-6-7',
    '616,x',
  ])('%j is refused', (text) => {
    const error = failure(() => parseTimeRange(text));
    expect(error.message).not.toContain('\n');
    expect(error.hint).toBeDefined();
  });

  it('that turns out to end before it begins is refused when it is resolved', () => {
    const range = parseTimeRange('617,+1ms');
    const error = failure(() => resolveTimeRange(range, SPAN));
    expect(error.message).toBe(
      'time range: it ends (616.001000000) before it begins (617.000000000)',
    );
    expect(error.hint).toContain('616.000000000 to 618.000000000');
  });
});
