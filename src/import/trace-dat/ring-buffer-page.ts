/** Where things are in a ring-buffer page, by the recording's header_page. */
export interface PageLayout {
  readonly timestamp: number;
  readonly commit: number;
  /** Bytes of the commit word, and of the count of missed records. */
  readonly long: 4 | 8;
  /** Where the records begin. */
  readonly data: number;
}

const FIELD = /field:[^;]*?\b(\w+)\s*;\s*offset:(\d{1,4});\s*size:(\d{1,8});/g;

/**
 * The layout header_page tells, or that of a kernel with this size of `long` if there is none. undefined: a layout
 * no known kernel has.
 */
export function pageLayout(headerPage: string, longSize: number): PageLayout | undefined {
  const fields = new Map<string, { offset: number; size: number }>();
  for (const [, name, offset, size] of headerPage.matchAll(FIELD)) {
    fields.set(name!, { offset: Number(offset), size: Number(size) });
  }
  const timestamp = fields.get('timestamp');
  const commit = fields.get('commit');
  const data = fields.get('data');
  if (timestamp === undefined || commit === undefined || data === undefined) {
    const long = longSize === 4 ? 4 : 8;
    return { timestamp: 0, commit: 8, long, data: 8 + long };
  }
  if (timestamp.size !== 8 || (commit.size !== 4 && commit.size !== 8)) return undefined;
  const layout = {
    timestamp: timestamp.offset,
    commit: commit.offset,
    long: commit.size,
    data: data.offset,
  } as const;
  const most = Math.max(layout.timestamp + 8, layout.commit + layout.long);
  return layout.data < most || layout.data > 4096 ? undefined : layout;
}

/** True for the record headers every kernel since 2.6.30 writes: 5 bits type, 27 bits time. */
export function knownRecordHeader(headerEvent: string): boolean {
  if (!/\btype_len\s*:/.test(headerEvent)) return !/\btype\s*:/.test(headerEvent);
  return /type_len\s*:\s*5 bits/.test(headerEvent) && /time_delta\s*:\s*27 bits/.test(headerEvent);
}

/** The commit word: the number of bytes of records is in its low bits. */
export const COMMIT_SIZE = 0x07ff_ffff;
/** Records were lost before this page; with STORED their number follows the records. */
export const COMMIT_MISSED = 1 << 31;
export const COMMIT_STORED = 1 << 30;

/** Kinds of type_len beyond the lengths of records. */
export const RecordType = { longest: 28, padding: 29, timeExtend: 30, timeStamp: 31 } as const;
