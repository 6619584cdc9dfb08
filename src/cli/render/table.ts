/** One column of a table. Numbers go to the right, where their digits line up. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /**
   * A column of words: where the terminal is too narrow it is wrapped onto more lines, down to this many characters.
   * A column without it keeps its width: a value is never cut.
   */
  readonly wrapTo?: number;
}

/** How a table is laid out. */
export interface TableLayout {
  /** Columns of the terminal; Infinity when there is no limit. */
  readonly width: number;
  /** Spaces before every line. */
  readonly indent?: number;
  /** How a line of titles is made to stand out. */
  readonly heading?: (line: string) => string;
}

const GAP = '  ';

/**
 * Lays rows out under their titles. Too wide a table first wraps its columns of words, the widest first; what is still
 * too wide runs over the edge of the terminal, because a value that is cut is worse than a line that breaks.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  layout: TableLayout,
): readonly string[] {
  const indent = ' '.repeat(layout.indent ?? 0);
  const widths = columnWidths(columns, rows, layout.width - indent.length);
  const titles = line(
    columns,
    columns.map((column) => column.title),
    widths,
  );
  const lines = columns.some((column) => column.title !== '')
    ? titles.map((text) => indent + (layout.heading?.(text) ?? text))
    : [];
  for (const row of rows) {
    for (const text of line(columns, row, widths)) lines.push(indent + text);
  }
  return lines;
}

/** Characters a text takes on a terminal (every code point counts one). */
export function textWidth(text: string): number {
  let width = 0;
  for (const _ of text) width++;
  return width;
}

/** Breaks text into lines of at most `width` characters between words; a longer word stays whole. */
export function wrapText(text: string, width: number): readonly string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    if (current !== '' && textWidth(current) + 1 + textWidth(word) > width) {
      lines.push(current);
      current = word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  if (current !== '') lines.push(current);
  return lines;
}

function columnWidths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  available: number,
): readonly number[] {
  const cells = (i: number): readonly string[] => [
    columns[i]!.title,
    ...rows.map((row) => row[i]!),
  ];
  const widths = columns.map((_, i) => Math.max(...cells(i).map(textWidth)));
  const least = columns.map((column, i) =>
    column.wrapTo === undefined
      ? widths[i]!
      : Math.min(widths[i]!, Math.max(column.wrapTo, ...cells(i).map(longestWord))),
  );
  let excess = sum(widths) + GAP.length * (columns.length - 1) - available;
  while (excess > 0) {
    const i = widths.reduce(
      (best, width, at) => (width > least[at]! && (best < 0 || width > widths[best]!) ? at : best),
      -1,
    );
    if (i < 0) break;
    const take = Math.min(excess, widths[i]! - least[i]!);
    widths[i] = widths[i]! - take;
    excess -= take;
  }
  return widths;
}

function line(
  columns: readonly Column[],
  cells: readonly string[],
  widths: readonly number[],
): readonly string[] {
  const wrapped = cells.map((cell, i) =>
    columns[i]!.wrapTo === undefined ? [cell] : wrapText(cell, widths[i]!),
  );
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    wrapped
      .map((lines, i) => pad(lines[row] ?? '', widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd(),
  );
}

function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return align === 'right' ? space + text : text + space;
}

function longestWord(text: string): number {
  return Math.max(...text.split(' ').map(textWidth));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
