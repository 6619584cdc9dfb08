import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Column, renderTable, textWidth, wrapText } from '../../../src/cli/render/table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'counter', align: 'right' },
  { title: 'event' },
  { title: 'value', align: 'right' },
  { title: 'note', wrapTo: 12 },
];
const ROWS = [
  ['31', 'CPU_CYCLES 0x11', '0x800000012f4c99a1', 'counting, event #41 on hardware'],
  ['0', 'INST_RETIRED 0x08', '4,331,186', 'not counting: event not placed since @7121'],
];

function draw(width: number, indent = 0): string {
  return `\n${renderTable(COLUMNS, ROWS, { width, indent }).join('\n')}`;
}

describe('renderTable', () => {
  it('lines numbers up at their last digit and words at their first letter', () => {
    expect(draw(Number.POSITIVE_INFINITY)).toBe(`
counter  event                           value  note
     31  CPU_CYCLES 0x11    0x800000012f4c99a1  counting, event #41 on hardware
      0  INST_RETIRED 0x08           4,331,186  not counting: event not placed since @7121`);
  });

  it('wraps the columns of words, and only those, where the terminal is narrow', () => {
    expect(draw(80, 2)).toBe(`
  counter  event                           value  note
       31  CPU_CYCLES 0x11    0x800000012f4c99a1  counting, event #41 on
                                                  hardware
        0  INST_RETIRED 0x08           4,331,186  not counting: event not placed
                                                  since @7121`);
  });

  it('runs over the edge rather than cut a value', () => {
    expect(draw(20)).toBe(`
counter  event                           value  note
     31  CPU_CYCLES 0x11    0x800000012f4c99a1  counting,
                                                event #41 on
                                                hardware
      0  INST_RETIRED 0x08           4,331,186  not
                                                counting:
                                                event not
                                                placed since
                                                @7121`);
  });

  it('leaves expendable columns out, the least needed first, and names them', () => {
    const columns: readonly Column[] = [
      { title: 'counter' },
      { title: 'ratio', expendable: 2 },
      { title: 'guest', align: 'right' },
      { title: 'host', expendable: 1 },
    ];
    const rows = [['31', '1.000000', '112,598,944', '5']];
    const at = (width: number): string => `\n${renderTable(columns, rows, { width }).join('\n')}`;
    expect(at(36)).toBe(`
counter  ratio           guest  host
31       1.000000  112,598,944  5`);
    expect(at(35)).toBe(`
counter        guest  host
31       112,598,944  5
(left out for want of width: ratio)`);
    expect(at(25)).toBe(`
counter        guest
31       112,598,944
(left out for want of width: ratio, host)`);
  });

  it('prints no line of titles when no column has one', () => {
    expect(renderTable([{ title: '' }, { title: '' }], [['a', 'b']], { width: 80 })).toEqual([
      'a  b',
    ]);
  });

  it('never loses a word, at any width', () => {
    const word = fc.stringMatching(/^[a-z0-9@.…]{1,12}$/);
    const cell = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 120 }),
        (rows, width) => {
          const columns: Column[] = [
            { title: 'A', align: 'right' },
            { title: 'B', wrapTo: 5 },
            { title: 'C', wrapTo: 8 },
          ];
          const lines = renderTable(columns, rows, { width });
          const words = (text: string): string[] =>
            text
              .split(/\s+/)
              .filter((w) => w !== '')
              .sort();
          expect(words(lines.slice(1).join(' '))).toEqual(words(rows.flat().join(' ')));
          const natural = renderTable(columns, rows, { width: Number.POSITIVE_INFINITY });
          const fits = Math.max(...natural.map(textWidth)) <= width;
          if (fits) expect(lines).toEqual(natural);
        },
      ),
    );
  });
});

describe('wrapText', () => {
  it('breaks between words and leaves longer words whole', () => {
    expect(wrapText('not placed since @7121', 10)).toEqual(['not placed', 'since', '@7121']);
    expect(wrapText('0x800000012f4c99a1', 4)).toEqual(['0x800000012f4c99a1']);
    expect(wrapText('', 4)).toEqual(['']);
  });
});
