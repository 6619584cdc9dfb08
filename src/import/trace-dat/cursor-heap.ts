import { before, type CpuCursor } from './cpu-cursor.ts';

/** Cursors whose next record is known, the earliest on top. */
export class CursorHeap {
  private readonly items: CpuCursor[] = [];

  get top(): CpuCursor | undefined {
    return this.items[0];
  }

  push(cursor: CpuCursor): void {
    const { items } = this;
    let i = items.length;
    items.push(cursor);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(cursor, items[parent]!)) break;
      items[i] = items[parent]!;
      i = parent;
    }
    items[i] = cursor;
  }

  pop(): CpuCursor | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last !== undefined && last !== top) this.sink(last);
    return top;
  }

  /** Puts `cursor` in the place of the top, which it returns. */
  replaceTop(cursor: CpuCursor): CpuCursor {
    const top = this.items[0]!;
    this.sink(cursor);
    return top;
  }

  private sink(cursor: CpuCursor): void {
    const { items } = this;
    const length = items.length;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && before(items[child + 1]!, items[child]!)) child++;
      if (!before(items[child]!, cursor)) break;
      items[i] = items[child]!;
      i = child;
    }
    items[i] = cursor;
  }
}
