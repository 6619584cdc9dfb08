import { RECORD_HEADER, RecordType } from './format.ts';

/** What the layout of one record type allows for its size, the sample_id trailer left out. */
interface Sizes {
  readonly least: number;
  readonly most: number;
  /** Padded to 8 bytes, as all the kernel writes. */
  readonly aligned: boolean;
  /** From `least` − 8 on, up to the trailer: a text with its NUL in the last 8 bytes. */
  readonly text: boolean;
  /** Elements of this size (or of the second one) follow the u64 at 8 that counts them and end the record. */
  readonly elements: readonly number[];
}

/** Longest path in a record: PATH_MAX; longest symbol: KSYM_NAME_LEN; longest thread name: TASK_COMM_LEN. */
const PATH_MAX = 4096;
const SYMBOL_MAX = 512;
const COMM_MAX = 16;
/** No limit but that of the u16. */
const ANY = 65535;
/** A trailer of all six parts, when no event is known. */
const LONGEST_TRAILER = 48;

function exactly(size: number): Sizes {
  return { least: size, most: size, aligned: true, text: false, elements: [] };
}

function between(least: number, most: number, aligned = true): Sizes {
  return { least, most, aligned, text: false, elements: [] };
}

function path(at: number): Sizes {
  return { least: at + 8, most: at + PATH_MAX, aligned: true, text: true, elements: [] };
}

function counted(...elements: readonly number[]): Sizes {
  return { least: 16, most: ANY, aligned: true, text: false, elements };
}

/**
 * Sizes by record type, header included. Source: the layouts in the kernel's perf_event UAPI (below 64) and in perf's own
 * perf.data documentation; they hold for every recording of traces/. A type that is not here may have any size.
 */
const SIZES: ReadonlyMap<number, Sizes> = new Map([
  [RecordType.mmap, path(40)],
  [RecordType.lost, exactly(24)],
  [RecordType.comm, between(24, 16 + COMM_MAX)],
  [RecordType.exit, exactly(32)],
  [RecordType.throttle, exactly(32)],
  [RecordType.unthrottle, exactly(32)],
  [RecordType.fork, exactly(32)],
  // READ: pid, tid and what read_format asks for.
  [8, between(24, ANY)],
  [10, path(72)],
  // AUX, ITRACE_START, LOST_SAMPLES, SWITCH, SWITCH_CPU_WIDE.
  [11, exactly(32)],
  [12, exactly(16)],
  [RecordType.lostSamples, exactly(16)],
  [14, exactly(8)],
  [15, exactly(16)],
  // NAMESPACES: pid and tid, their number, and two u64 for each.
  [16, between(24, 24 + 16 * 16)],
  // KSYMBOL, BPF_EVENT, CGROUP, TEXT_POKE, AUX_OUTPUT_HW_ID, CALLCHAIN_DEFERRED.
  [17, between(32, 24 + SYMBOL_MAX)],
  [18, exactly(24)],
  [19, between(17, 16 + PATH_MAX, false)],
  [20, between(24, ANY)],
  [21, exactly(16)],
  [22, between(24, ANY)],
  [RecordType.headerAttr, between(RECORD_HEADER + 64, ANY)],
  [RecordType.tracingData, between(12, 16, false)],
  [RecordType.finishedRound, exactly(8)],
  // With guests perf adds 16 bytes for each id.
  [RecordType.idIndex, counted(32, 48)],
  [RecordType.auxtrace, exactly(48)],
  [RecordType.threadMap, counted(24)],
  [RecordType.statConfig, counted(16)],
  [RecordType.stat, exactly(48)],
  [RecordType.statRound, exactly(24)],
  // EVENT_UPDATE, TIME_CONV (shorter until perf 5.10), HEADER_FEATURE, FINISHED_INIT.
  [RecordType.eventUpdate, between(24, ANY)],
  [79, between(32, 56)],
  [RecordType.headerFeature, between(16, ANY, false)],
  [82, exactly(8)],
]);

/** What the events of a recording make of the trailer: fewest and most bytes of it. */
export interface Trailers {
  readonly least: number;
  readonly most: number;
}

/** Trailers while no event is known. */
export const ANY_TRAILER: Trailers = { least: 0, most: LONGEST_TRAILER };

/**
 * True if a record of this type cannot have `size` bytes: its size is damaged, and what follows it would be looked for at
 * a wrong place. `bytes[p]` is where the record begins.
 */
export function isWrongSize(
  type: number,
  bytes: Uint8Array,
  p: number,
  size: number,
  trailers: Trailers,
): boolean {
  const sizes = SIZES.get(type);
  if (sizes === undefined) return false;
  const { least, most } = type < RecordType.firstOfTool ? trailers : NO_TRAILER;
  if (size < sizes.least + least || size > sizes.most + most) return true;
  if (sizes.aligned && size % 8 !== 0) return true;
  if (sizes.elements.length > 0) return !isCounted(sizes.elements, bytes, p, size);
  if (!sizes.text) return false;
  const textAt = p + sizes.least - 8;
  const nul = bytes.indexOf(0, textAt);
  // The trailer is as long as the first NUL, padded, leaves it.
  const rest = nul < 0 ? -1 : p + size - (textAt + ((nul - textAt + 8) & ~7));
  return rest < least || rest > most;
}

const NO_TRAILER: Trailers = { least: 0, most: 0 };

/** True if the u64 at 8 counts elements of one of these sizes that fill the record. */
function isCounted(
  elements: readonly number[],
  bytes: Uint8Array,
  p: number,
  size: number,
): boolean {
  const count = bytes[p + 8]! | (bytes[p + 9]! << 8);
  for (let k = 10; k < 16; k++) if (bytes[p + k] !== 0) return false;
  return elements.some((element) => 16 + count * element === size);
}
