import type { TracepointEntry } from '../tracepoint/tracepoint-events.ts';
import { RECORD_HEADER, Sample } from './format.ts';
import { view } from './section.ts';

/** Size of the first published perf_event_attr: what every later one begins with. */
export const ATTR_SIZE_VER0 = 64;

/** Where a sample has what; offsets from the beginning of the record, −1 not there. */
export interface SampleLayout {
  readonly id: number;
  readonly ip: number;
  readonly tid: number;
  readonly time: number;
  readonly cpu: number;
  readonly period: number;
  /** Where the parts without a fixed size begin: READ, CALLCHAIN, RAW in this order. */
  readonly variable: number;
  /** RAW stands at `variable`. */
  readonly rawFirst: boolean;
  /** Nothing comes after RAW. */
  readonly rawLast: boolean;
}

/** Where other records have what; bytes from their end, −1 not there. */
export interface TrailerLayout {
  readonly tid: number;
  readonly time: number;
  readonly cpu: number;
  readonly id: number;
  readonly size: number;
}

/** One event that perf recorded. */
export interface PerfAttr {
  readonly type: number;
  readonly config: bigint;
  readonly sampleType: number;
  readonly readFormat: number;
  readonly inherit: boolean;
  readonly clockid: number | undefined;
  readonly sample: SampleLayout;
  /** undefined: records other than samples have no trailer (sample_id_all is not set). */
  readonly trailer: TrailerLayout | undefined;
  /** As perf names it (`kvm:kvm_entry`, `cycles:G`), empty if the recording does not say. */
  name: string;
  /** Its tracepoint, made when its first sample comes. */
  entry: TracepointEntry | undefined;
  /** Records the kernel could not write, by LOST_SAMPLES. */
  lost: bigint;
}

function sampleLayout(type: number): SampleLayout {
  let at = RECORD_HEADER;
  const place = (bit: number): number => {
    if ((type & bit) === 0) return -1;
    at += 8;
    return at - 8;
  };
  const identifier = place(Sample.identifier);
  const ip = place(Sample.ip);
  const tid = place(Sample.tid);
  const time = place(Sample.time);
  place(Sample.addr);
  const id = place(Sample.id);
  place(Sample.streamId);
  const cpu = place(Sample.cpu);
  const period = place(Sample.period);
  const rawFirst = (type & (Sample.read | Sample.callchain)) === 0 && (type & Sample.raw) !== 0;
  return {
    id: identifier >= 0 ? identifier : id,
    ip,
    tid,
    time,
    cpu,
    period,
    variable: at,
    rawFirst,
    rawLast: (type & ~Sample.identifier) >>> 0 < Sample.raw * 2,
  };
}

function trailerLayout(type: number): TrailerLayout {
  let size = 0;
  const place = (bit: number): number => {
    if ((type & bit) === 0) return -1;
    size += 8;
    return size;
  };
  const identifier = place(Sample.identifier);
  const cpu = place(Sample.cpu);
  place(Sample.streamId);
  const id = place(Sample.id);
  const time = place(Sample.time);
  const tid = place(Sample.tid);
  return { tid, time, cpu, id: identifier >= 0 ? identifier : id, size };
}

const INHERIT = 1 << 1;
const SAMPLE_ID_ALL = 1 << 18;
const USE_CLOCKID = 1 << 25;
const CLOCKID_AT = 92;

/** Reads a perf_event_attr of any size from 64 bytes on; undefined if it is shorter. */
export function parseAttr(bytes: Uint8Array): PerfAttr | undefined {
  if (bytes.length < ATTR_SIZE_VER0) return undefined;
  const v = view(bytes);
  const sampleType = v.getUint32(24, true);
  const flags = v.getUint32(40, true);
  const hasClock = (flags & USE_CLOCKID) !== 0 && bytes.length >= CLOCKID_AT + 4;
  return {
    type: v.getUint32(0, true),
    config: v.getBigUint64(8, true),
    sampleType,
    readFormat: v.getUint32(32, true),
    inherit: (flags & INHERIT) !== 0,
    clockid: hasClock ? v.getInt32(CLOCKID_AT, true) : undefined,
    sample: sampleLayout(sampleType),
    trailer: (flags & SAMPLE_ID_ALL) !== 0 ? trailerLayout(sampleType) : undefined,
    name: '',
    entry: undefined,
    lost: 0n,
  };
}
