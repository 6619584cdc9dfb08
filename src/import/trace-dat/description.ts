import type { Codec } from './compression.ts';

/** The ring-buffer pages of one CPU. */
export interface CpuData {
  readonly cpu: number;
  /** Where they are in the file, and how long: as stored, so packed if `packed`. */
  readonly offset: number;
  readonly size: number;
}

/** What one tracing instance recorded; the top instance has the name ''. */
export interface BufferData {
  readonly name: string;
  readonly clock: string | undefined;
  /** Bytes of one ring-buffer page. */
  readonly pageSize: number;
  readonly packed: boolean;
  readonly cpus: readonly CpuData[];
  /** Where in the file the data of all of them is; undefined if that is not told. */
  readonly stored: { readonly start: number; readonly end: number } | undefined;
}

/** One format file, as text: parsed when the first record needs it. */
export interface FormatText {
  readonly system: string;
  readonly text: string;
}

/** One option that is kept as it stands. */
export interface Option {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** What the file says of itself, whatever its version. */
export interface TraceDat {
  readonly version: number;
  readonly codec: Codec;
  readonly headerPage: string;
  readonly headerEvent: string;
  readonly formats: readonly FormatText[];
  /** Content of saved_cmdlines: `pid name` lines. */
  readonly cmdlines: Uint8Array;
  readonly options: readonly Option[];
  readonly buffers: readonly BufferData[];
  /** Bytes of the file that are not ring-buffer data, as far as they were read. */
  readonly described: number;
}

/** Numbers of the options (trace-cmd.dat(5)). */
export const OptionId = {
  done: 0,
  date: 1,
  cpuStat: 2,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  offset: 7,
  cpuCount: 8,
  version: 9,
  traceId: 11,
  timeShift: 12,
  guest: 13,
  tscToNs: 14,
  strings: 15,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  printk: 20,
  cmdlines: 21,
  bufferText: 22,
} as const;

/** Most CPUs a host can have (the log's column is 16 bits wide). */
export const MAX_CPUS = 32768;
/** Most tracing instances looked at. */
export const MAX_BUFFERS = 1024;
/** Most stretches of data, one for each CPU of each instance. */
export const MAX_STRETCHES = 131072;
