import { InputError } from '../../domain/errors.ts';
import { parseAttr } from './attr.ts';
import type { Attrs } from './attrs.ts';
import { FEATURE_BITS, Feature } from './format.ts';
import { type Bytes, Section, SectionError, view } from './section.ts';

const FILE_HEADER = 104;
const PIPE_HEADER = 16;

/** Where a section is. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What the first bytes tell. */
export interface FileHeader {
  /** Everything else comes as records. */
  readonly pipe: boolean;
  /** Where the records are; `end` is not beyond the file. */
  readonly data: Range;
  /** The header says how long the data is. False: perf record was stopped before it could write that. */
  readonly finished: boolean;
  /** Bytes of the data that the file does not have. */
  readonly missing: number;
  readonly features: readonly { readonly feature: number; readonly range: Range }[];
  /** The table of features is not in the file. */
  readonly featuresMissing: boolean;
  /** False: the header says that no record is compressed. */
  readonly mayBeCompressed: boolean;
}

/** Bytes of ids read at once. */
const IDS_AT_ONCE = 65536;
const RERECORD = 'record again, or import the text of perf script made where it was recorded';

function asNumber(value: bigint): number {
  return value > 0x1f_ffff_ffff_ffffn ? Number.MAX_SAFE_INTEGER : Number(value);
}

/** Reads the header of a file of `size` bytes, and the events of file mode into `attrs`. `damaged` is told what is left out. */
export function readFileHeader(
  name: string,
  source: Bytes,
  size: number,
  attrs: Attrs,
  damaged: (text: string, at: number) => void,
): FileHeader {
  const head = source.copy(0, FILE_HEADER);
  const v = view(head);
  if (head.length < PIPE_HEADER) {
    throw new InputError(`${name}: perf.data file cut off in its header at byte ${head.length}`);
  }
  const magic = String.fromCharCode(...head.subarray(0, 8));
  if (magic !== 'PERFILE2') {
    throw new InputError(
      `${name}: no perf.data file of version 2 and little-endian, at byte 0`,
      RERECORD,
    );
  }
  const headerSize = asNumber(v.getBigUint64(8, true));
  if (headerSize === PIPE_HEADER) {
    return {
      pipe: true,
      data: { start: PIPE_HEADER, end: size },
      finished: true,
      missing: 0,
      features: [],
      featuresMissing: false,
      mayBeCompressed: true,
    };
  }
  if (headerSize < FILE_HEADER || head.length < FILE_HEADER) {
    throw new InputError(
      `${name}: perf.data header of ${headerSize} bytes at byte 8, in a file of ${size}; it has ${FILE_HEADER} or ${PIPE_HEADER}`,
      RERECORD,
    );
  }
  const u64 = (at: number): number => asNumber(v.getBigUint64(at, true));
  const where = { size, stride: u64(16), at: u64(24), length: u64(32) };
  readAttrs(name, source, where, attrs, damaged);
  const start = u64(40);
  const length = u64(48);
  if (start < FILE_HEADER || start > size) {
    throw new InputError(
      `${name}: the data of the perf.data file should begin at byte ${start}, which is not in it (header, byte 40)`,
      RERECORD,
    );
  }
  const end = length === 0 ? size : Math.min(size, start + length);
  return {
    pipe: false,
    data: { start, end },
    finished: length > 0,
    missing: Math.max(0, start + length - size),
    ...readFeatures(source, v, start + length, size, length > 0),
  };
}

/** The attr section: entries of `stride` bytes, a perf_event_attr and where its ids are. */
function readAttrs(
  name: string,
  source: Bytes,
  where: { size: number; stride: number; at: number; length: number },
  attrs: Attrs,
  damaged: (text: string, at: number) => void,
): void {
  const { size, stride, at, length } = where;
  const refuse = (what: string, place: number): InputError =>
    new InputError(`${name}: ${what} at byte ${place} of the perf.data file`, RERECORD);
  if (stride < 64 + 16 || stride > 4096) throw refuse(`events of ${stride} bytes, told`, 16);
  if (length > size || at > size - length) throw refuse('events outside of the file, told', 24);
  const section = new Section(source, at, at + length);
  while (section.left >= stride) {
    const entry = section.bytes(stride);
    const place = section.at - stride;
    const v = view(entry);
    // The attr says its own size; what is beyond belongs to the entry.
    const own = v.getUint32(4, true);
    const attr = parseAttr(entry.subarray(0, own >= 64 ? Math.min(own, stride - 16) : 64));
    if (attr === undefined || !attrs.add(attr)) throw refuse('too many events', place);
    const idsAt = asNumber(v.getBigUint64(stride - 16, true));
    const idsLength = asNumber(v.getBigUint64(stride - 8, true));
    if (idsLength > size || idsAt > size - idsLength) {
      // EVENT_DESC may have them too.
      damaged(`ids of an event outside of the file, at byte ${place + stride - 16}`, place);
      continue;
    }
    const ids = new Section(source, idsAt, idsAt + idsLength);
    while (ids.left >= 8) {
      const some = view(ids.bytes(Math.min(IDS_AT_ONCE, ids.left - (ids.left % 8))));
      for (let k = 0; k < some.byteLength; k += 8) {
        attrs.addId(some.getUint32(k, true), some.getUint32(k + 4, true), attr);
      }
    }
  }
}

/** The feature table behind the data. */
function readFeatures(
  source: Bytes,
  header: DataView,
  at: number,
  size: number,
  written: boolean,
): Pick<FileHeader, 'features' | 'featuresMissing' | 'mayBeCompressed'> {
  const features: { feature: number; range: Range }[] = [];
  const bits: number[] = [];
  for (let bit = 0; bit < FEATURE_BITS; bit++) {
    if ((header.getUint8(72 + (bit >> 3)) >> (bit & 7)) & 1) bits.push(bit);
  }
  const mayBeCompressed = bits.includes(Feature.compressed);
  if (!written || bits.length === 0) {
    return { features, featuresMissing: bits.length > 0, mayBeCompressed };
  }
  const section = new Section(source, Math.min(at, size), size);
  try {
    for (const feature of bits) {
      const start = asNumber(section.u64());
      const length = asNumber(section.u64());
      const end = Math.min(size, start + length);
      features.push({ feature, range: { start: Math.min(start, end), end } });
    }
  } catch (error) {
    if (!(error instanceof SectionError)) throw error;
    return { features, featuresMissing: true, mayBeCompressed };
  }
  return { features, featuresMissing: false, mayBeCompressed };
}
