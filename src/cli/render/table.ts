/** One column of a table. Numbers go to the right, where their digits line up. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /**
   * A column of words: where the terminal is too narrow it is wrapped onto more lines, down to this many characters.
   * A column without it keeps its width: a value is never cut.
   */
  readonly wrapTo?: number;
  /**
   * A column that may be left out, as a whole and saying so, where the table is still too wide; the highest number goes
   * first.
   */
  readonly expendable?: number;
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
 * Lays rows out under their titles. Too wide a table first wraps its columns of words, the widest first, then leaves out
 * expendable columns and names them in a last line. What is still too wide runs over the edge of the terminal, because
 * a value that is cut is worse than a line that breaks.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  layout: TableLayout,
): readonly string[] {
  const indent = ' '.repeat(layout.indent ?? 0);
  const available = layout.width - indent.length;
  const kept = keptColumns(columns, rows, available);
  const pick = <T>(items: readonly T[]): readonly T[] => kept.map((i) => items[i]!);
  const shown = pick(columns);
  const shownRows = rows.map(pick);
  const widths = columnWidths(shown, shownRows, available);
  const lines: string[] = [];
  if (shown.some(({ title }) => title !== '')) {
    for (const text of tableLines(
      shown,
      shown.map(({ title }) => title),
      widths,
    )) {
      lines.push(indent + (layout.heading?.(text) ?? text));
    }
  }
  for (const row of shownRows) {
    for (const text of tableLines(shown, row, widths)) lines.push(indent + text);
  }
  const missing = columns.filter((_, i) => !kept.includes(i)).map(({ title }) => title);
  if (missing.length > 0)
    lines.push(`${indent}(left out for want of width: ${missing.join(', ')})`);
  return lines;
}

/** Which columns are shown: all, or what is left when expendable ones are taken away until the rest fits. */
function keptColumns(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  available: number,
): readonly number[] {
  let kept = columns.map((_, i) => i);
  const fits = (): boolean => {
    const widths = columnWidths(
      kept.map((i) => columns[i]!),
      rows.map((row) => kept.map((i) => row[i]!)),
      available,
    );
    return totalWidth(widths) <= available;
  };
  const expendable = kept
    .filter((i) => columns[i]!.expendable !== undefined)
    .sort((a, b) => columns[b]!.expendable! - columns[a]!.expendable!);
  for (const victim of expendable) {
    if (fits()) break;
    kept = kept.filter((i) => i !== victim);
  }
  return kept;
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
  let excess = totalWidth(widths) - available;
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

function tableLines(
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

function totalWidth(widths: readonly number[]): number {
  return widths.reduce((total, width) => total + width, GAP.length * (widths.length - 1));
}
