/** One field of a tracepoint's record. */
export interface FormatField {
  readonly name: string;
  /** The C type as the kernel declares it, without `__data_loc` and `__rel_loc`. */
  readonly type: string;
  /** From the beginning of the record, common_type included. */
  readonly offset: number;
  /** Bytes; 0 for an array that reaches to the end of the record. */
  readonly size: number;
  readonly signed: boolean;
  /** Elements of a fixed array, 0 none. */
  readonly array: number;
  /**
   * Where the value is: in the field itself, or wherever its u32 says, which is length << 16 | offset, the offset counted
   * from the beginning of the record (`data_loc`) or from the end of the field (`rel_loc`).
   */
  readonly location: 'here' | 'data_loc' | 'rel_loc';
}

/** One `format` file of tracefs, which recordings carry as text. */
export interface EventFormat {
  /** The number records bear in common_type. */
  readonly id: number;
  readonly system: string;
  readonly name: string;
  /** The common_ fields included. */
  readonly fields: readonly FormatField[];
}

/** Fields of one tracepoint that are looked at: the kernel's own limit for probes is 128. */
const MAX_FIELDS = 512;
/** Longest declaration looked at. */
const MAX_LINE = 1024;

const FIELD =
  /^\s*field(?: special)?:([^;]{1,512});\s*offset:(\d{1,6});\s*size:(\d{1,6});(?:\s*signed:(\d);)?/;

/** `unsigned long foo`, `__data_loc char[] name`, `char comm[16]`. */
function parseField(line: string): FormatField | undefined {
  const found = FIELD.exec(line);
  if (found === null) return undefined;
  let declared = found[1]!.trim();
  const size = Number(found[3]);
  let location: FormatField['location'] = 'here';
  const located = /^__(data_loc|rel_loc)\s+/.exec(declared);
  if (located !== null) {
    location = located[1] as 'data_loc' | 'rel_loc';
    declared = declared.slice(located[0].length);
  }
  const name = /([A-Za-z_$][\w$]*)\s*(?:\[([^\]]*)\]\s*)*$/.exec(declared);
  if (name === null) return undefined;
  const type = declared.slice(0, name.index).trim();
  let array = 0;
  if (name[2] !== undefined && location === 'here') {
    // The length may be a constant's name: then only characters tell how many there are.
    array = /^\d+$/.test(name[2]) ? Number(name[2]) : /\bchar\b/.test(type) ? size : 0;
  }
  return {
    name: name[1]!,
    type,
    offset: Number(found[2]),
    size,
    signed: found[4] === '1',
    array,
    location,
  };
}

/** Reads a `format` file; undefined if the text is none (no name, no ID, no field). */
export function parseEventFormat(text: string, system: string): EventFormat | undefined {
  let name: string | undefined;
  let id: number | undefined;
  const fields: FormatField[] = [];
  for (let at = 0; at < text.length && fields.length < MAX_FIELDS; ) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const line = text.slice(at, Math.min(end, at + MAX_LINE));
    at = end + 1;
    if (line.startsWith('print fmt')) break;
    if (name === undefined && line.startsWith('name:')) name = line.slice(5).trim();
    else if (id === undefined && line.startsWith('ID:')) {
      const digits = /^\s*(\d{1,9})\s*$/.exec(line.slice(3));
      if (digits !== null) id = Number(digits[1]);
    } else {
      const field = parseField(line);
      if (field !== undefined) fields.push(field);
    }
  }
  if (name === undefined || name === '' || id === undefined || fields.length === 0)
    return undefined;
  return { id, system, name, fields };
}
