import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/domain/errors.ts';
import { formatIntegerList, parseIntegerList } from '../../src/domain/range-spec.ts';

const VCPU = { what: 'vCPU' };

describe('a list of numbers', () => {
  it.each<[string, readonly number[]]>([
    ['0', [0]],
    ['0,2-3', [0, 2, 3]],
    ['3,1,2,1-2', [1, 2, 3]],
    ['5-5', [5]],
    ['0-3,5', [0, 1, 2, 3, 5]],
    ['007', [7]],
  ])('%s', (text, numbers) => {
    expect(parseIntegerList(text, VCPU)).toEqual(numbers);
  });

  it.each(['', ',', '1,', ',1', '1--2', '-1', '1-', '3-2', '1.5', '0x1', 'a', '1 2', ' 1', '1;2'])(
    '%j is refused',
    (text) => {
      expect(() => parseIntegerList(text, VCPU)).toThrow(UsageError);
      expect(() => parseIntegerList(text, VCPU)).toThrow(/^vCPU list /);
    },
  );

  it('keeps to its bounds, also where a range would fill the memory', () => {
    const bounds = { what: 'counter', min: 1, max: 31 };
    expect(parseIntegerList('1-31', bounds)).toHaveLength(31);
    for (const text of ['0', '32', '1-32', '0-1', '1-999999999', '0-4000000000']) {
      expect(() => parseIntegerList(text, bounds)).toThrow(UsageError);
    }
    expect(() => parseIntegerList('0-32768', VCPU)).toThrow(/is out of bounds/);
    expect(parseIntegerList('32767', VCPU)).toEqual([32_767]);
  });

  it('is read back as it is written', () => {
    const numbers = fc.uniqueArray(fc.nat(300), { minLength: 1 });
    fc.assert(
      fc.property(numbers, (list) => {
        const text = formatIntegerList(list);
        expect(parseIntegerList(text, VCPU)).toEqual([...list].sort((a, b) => a - b));
      }),
    );
    expect(formatIntegerList([3, 0, 2, 2])).toBe('0,2-3');
    expect(formatIntegerList([])).toBe('');
  });
});
