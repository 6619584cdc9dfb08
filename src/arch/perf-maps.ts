/** attr.type of the events perf has names for itself (include/uapi/linux/perf_event.h). */
export type GenericType = 'hardware' | 'hw-cache';

/** PERF_TYPE_HARDWARE by number: perf's first name for each (perf-list(1)). */
const HARDWARE_NAMES = [
  'cycles',
  'instructions',
  'cache-references',
  'cache-misses',
  'branches',
  'branch-misses',
  'bus-cycles',
  'stalled-cycles-frontend',
  'stalled-cycles-backend',
  'ref-cycles',
] as const;

/** PERF_TYPE_HW_CACHE: caches by number, and what perf calls them. */
const CACHES = ['L1-dcache', 'L1-icache', 'LLC', 'dTLB', 'iTLB', 'branch', 'node'] as const;
/** Operations and results by number. */
const OPERATIONS = ['load', 'store', 'prefetch'] as const;
const ACCESS = 0;
const MISS = 1;

/** perf's name of a PERF_TYPE_HARDWARE event; undefined beyond the generic ones. */
export function perfHardwareName(config: number): string | undefined {
  return HARDWARE_NAMES[config];
}

/** PERF_TYPE_HW_CACHE config: cache, operation << 8, result << 16. */
function cacheConfig(cache: number, operation: number, result: number): number {
  return cache | (operation << 8) | (result << 16);
}

/** perf's name of a PERF_TYPE_HW_CACHE event: `L1-dcache-load-misses`; undefined for a config that names none. */
export function perfCacheName(config: number): string | undefined {
  const cache = CACHES[config & 0xff];
  const operation = OPERATIONS[(config >>> 8) & 0xff];
  const result = config >>> 16;
  if (cache === undefined || operation === undefined || result > MISS) return undefined;
  if (result === MISS) return `${cache}-${operation}-misses`;
  return `${cache}-${operation}${operation === 'prefetch' ? 'es' : 's'}`;
}

/** One generic event and the PMUv3 event number that counts it. */
interface GenericEvent {
  readonly event: number;
  readonly type: GenericType;
  readonly config: number;
}

const hardware = (event: number, config: number): GenericEvent => ({
  event,
  type: 'hardware',
  config,
});
const cache = (
  event: number,
  ...[unit, operation, result]: [number, number, number]
): GenericEvent => ({
  event,
  type: 'hw-cache',
  config: cacheConfig(unit, operation, result),
});

/**
 * The maps of the 2015 draft (its patch 07), which it searched backwards, hardware before cache events, the first match
 * winning: so L1D and the BPU's misses are never made cache events, and of the BPU's accesses only the reads.
 */
const DRAFT_2015: readonly GenericEvent[] = [
  hardware(0x11, 0),
  hardware(0x08, 1),
  hardware(0x04, 2),
  hardware(0x03, 3),
  hardware(0x10, 5),
  cache(0x04, 0, 0, ACCESS),
  cache(0x03, 0, 0, MISS),
  cache(0x04, 0, 1, ACCESS),
  cache(0x03, 0, 1, MISS),
  cache(0x12, 5, 0, ACCESS),
  cache(0x10, 5, 0, MISS),
  cache(0x12, 5, 1, ACCESS),
  cache(0x10, 5, 1, MISS),
];

/** What the arm64 driver of Linux 6.12 makes of generic events besides (drivers/perf/arm_pmuv3.c, both maps). */
const DRIVER: readonly GenericEvent[] = [
  hardware(0x21, 4), // or 0x0c (PC_WRITE_RETIRED) on a PMU without 0x21
  hardware(0x1d, 6),
  hardware(0x23, 7),
  hardware(0x24, 8),
  cache(0x14, 1, 0, ACCESS),
  cache(0x01, 1, 0, MISS),
  cache(0x36, 2, 0, ACCESS),
  cache(0x37, 2, 0, MISS),
  cache(0x25, 3, 0, ACCESS),
  cache(0x05, 3, 0, MISS),
  cache(0x26, 4, 0, ACCESS),
  cache(0x02, 4, 0, MISS),
];

const draftByEvent = new Map<number, GenericEvent>();
for (const row of DRAFT_2015) if (!draftByEvent.has(row.event)) draftByEvent.set(row.event, row);

/** What the 2015 draft asked of perf for an event number; undefined: PERF_TYPE_RAW with the number. */
export function draftHostEvent(event: number): { type: GenericType; config: number } | undefined {
  return draftByEvent.get(event);
}

/** Every generic event that has a PMUv3 event on arm64, the draft's rows first. */
export function genericEvents(): readonly {
  readonly event: number;
  readonly type: GenericType;
  readonly config: number;
}[] {
  return ALL;
}

const ALL = [...DRAFT_2015, ...DRIVER];

const key = (type: GenericType, config: number): string => `${type}/${config}`;
const eventByGeneric = new Map(ALL.map(({ type, config, event }) => [key(type, config), event]));

/** The PMUv3 event number behind a generic event on arm64; undefined if it has none. */
export function eventOfGeneric(type: GenericType, config: number): number | undefined {
  return eventByGeneric.get(key(type, config));
}
