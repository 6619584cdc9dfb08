/** Record types of perf.data (source: the kernel's perf_event UAPI below 64, perf's own perf.data documentation from 64 on). */
export const RecordType = {
  mmap: 1,
  lost: 2,
  comm: 3,
  exit: 4,
  throttle: 5,
  unthrottle: 6,
  fork: 7,
  sample: 9,
  lostSamples: 13,
  /** From here on perf wrote the record, not the kernel: no sample_id trailer. */
  firstOfTool: 64,
  headerAttr: 64,
  tracingData: 66,
  finishedRound: 68,
  idIndex: 69,
  auxtrace: 71,
  threadMap: 73,
  statConfig: 75,
  stat: 76,
  statRound: 77,
  eventUpdate: 78,
  headerFeature: 80,
  compressed: 81,
  /** Like `compressed`, padded to 8 bytes, with the size of the data (perf 6.16). */
  compressed2: 83,
} as const;

/** Last record types known when this was written: of the kernel (CALLCHAIN_DEFERRED), of perf (SCHEDSTAT_DOMAIN). */
const LAST_KERNEL = 22;
const LAST_TOOL = 86;

/** Whether some version of the kernel or perf writes records of this type. */
export function isKnownRecord(type: number): boolean {
  return type > 0 && type <= LAST_TOOL && (type <= LAST_KERNEL || type >= RecordType.firstOfTool);
}

/** Whether a record of the kernel changes something; the others only carry the time on. */
export function changesSomething(type: number): boolean {
  switch (type) {
    case RecordType.sample:
    case RecordType.comm:
    case RecordType.fork:
    case RecordType.lost:
    case RecordType.lostSamples:
    case RecordType.throttle:
    case RecordType.unthrottle:
      return true;
    default:
      return false;
  }
}

/** Size of a record header: u32 type, u16 misc, u16 size (header included). */
export const RECORD_HEADER = 8;
/** Longest record: its size is a u16. */
export const MAX_RECORD = 65535;

/** Bits 0 to 2 of `misc`: where the CPU was. 4 and 5: in a guest (arm64 says so for all a loaded vCPU's thread does). */
export const CPUMODE_MASK = 7;
export const CPUMODE_GUEST_KERNEL = 4;
export const CPUMODE_GUEST_USER = 5;
/** LOST_SAMPLES: dropped by a BPF filter, which is no loss. */
export const MISC_LOST_SAMPLES_BPF = 1 << 15;

/** Bits of perf_event_attr.sample_type, in the order of the UAPI. */
export const Sample = {
  ip: 1 << 0,
  tid: 1 << 1,
  time: 1 << 2,
  addr: 1 << 3,
  read: 1 << 4,
  callchain: 1 << 5,
  id: 1 << 6,
  cpu: 1 << 7,
  period: 1 << 8,
  streamId: 1 << 9,
  raw: 1 << 10,
  identifier: 1 << 16,
} as const;

/** Bits of perf_event_attr.read_format. */
export const ReadFormat = {
  enabled: 1 << 0,
  running: 1 << 1,
  id: 1 << 2,
  group: 1 << 3,
  lost: 1 << 4,
} as const;

/** perf_event_attr.type of tracepoints and kprobes; config is the tracepoint's number. */
export const TYPE_TRACEPOINT = 2;

/** Feature bits of the file header that are read. */
export const Feature = {
  tracingData: 1,
  hostname: 3,
  osrelease: 4,
  version: 5,
  arch: 6,
  cmdline: 11,
  eventDesc: 12,
  auxtrace: 18,
  stat: 19,
  clockid: 23,
  dirFormat: 24,
  compressed: 27,
  clockData: 29,
} as const;
/** Bits there are in the header's bitmap. */
export const FEATURE_BITS = 256;
