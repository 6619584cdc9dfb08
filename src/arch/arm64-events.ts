import { genericEvents, perfCacheName, perfHardwareName } from './perf-maps.ts';

/** One event of the Arm ARM's common event list. */
export interface Arm64Event {
  readonly number: number;
  /** The Arm ARM's mnemonic. */
  readonly name: string;
  /** perf's generic name for it on arm64, if it has one (drivers/perf/arm_pmuv3.c's generic event map). */
  readonly perf?: string;
}

/** Events KVM treats by number instead of asking the host for them (semantics A.4). */
export const SW_INCR = 0x00;
export const CPU_CYCLES = 0x11;
export const CHAIN = 0x1e;

const MNEMONICS: readonly (readonly [first: number, names: readonly string[]])[] = [
  // Arm ARM D14 "Common event numbers": 0x0000 to 0x003f.
  [
    0x00,
    [
      'SW_INCR',
      'L1I_CACHE_REFILL',
      'L1I_TLB_REFILL',
      'L1D_CACHE_REFILL',
      'L1D_CACHE',
      'L1D_TLB_REFILL',
      'LD_RETIRED',
      'ST_RETIRED',
      'INST_RETIRED',
      'EXC_TAKEN',
      'EXC_RETURN',
      'CID_WRITE_RETIRED',
      'PC_WRITE_RETIRED',
      'BR_IMMED_RETIRED',
      'BR_RETURN_RETIRED',
      'UNALIGNED_LDST_RETIRED',
      'BR_MIS_PRED',
      'CPU_CYCLES',
      'BR_PRED',
      'MEM_ACCESS',
      'L1I_CACHE',
      'L1D_CACHE_WB',
      'L2D_CACHE',
      'L2D_CACHE_REFILL',
      'L2D_CACHE_WB',
      'BUS_ACCESS',
      'MEMORY_ERROR',
      'INST_SPEC',
      'TTBR_WRITE_RETIRED',
      'BUS_CYCLES',
      'CHAIN',
      'L1D_CACHE_ALLOCATE',
      'L2D_CACHE_ALLOCATE',
      'BR_RETIRED',
      'BR_MIS_PRED_RETIRED',
      'STALL_FRONTEND',
      'STALL_BACKEND',
      'L1D_TLB',
      'L1I_TLB',
      'L2I_CACHE',
      'L2I_CACHE_REFILL',
      'L3D_CACHE_ALLOCATE',
      'L3D_CACHE_REFILL',
      'L3D_CACHE',
      'L3D_CACHE_WB',
      'L2D_TLB_REFILL',
      'L2I_TLB_REFILL',
      'L2D_TLB',
      'L2I_TLB',
      'REMOTE_ACCESS',
      'LL_CACHE',
      'LL_CACHE_MISS',
      'DTLB_WALK',
      'ITLB_WALK',
      'LL_CACHE_RD',
      'LL_CACHE_MISS_RD',
      'REMOTE_ACCESS_RD',
      'L1D_CACHE_LMISS_RD',
      'OP_RETIRED',
      'OP_SPEC',
      'STALL',
      'STALL_SLOT_BACKEND',
      'STALL_SLOT_FRONTEND',
      'STALL_SLOT',
    ],
  ],
  // Arm ARM D14: statistical profiling, activity monitors, memory latency.
  [
    0x4000,
    [
      'SAMPLE_POP',
      'SAMPLE_FEED',
      'SAMPLE_FILTRATE',
      'SAMPLE_COLLISION',
      'CNT_CYCLES',
      'STALL_BACKEND_MEM',
      'L1I_CACHE_LMISS',
    ],
  ],
  [
    0x4009,
    [
      'L2D_CACHE_LMISS_RD',
      'L2I_CACHE_LMISS',
      'L3D_CACHE_LMISS_RD',
      'TRB_WRAP',
      'PMU_OVFS',
      'TRB_TRIG',
      'PMU_HOVFS',
    ],
  ],
  [0x4010, ['TRCEXTOUT0', 'TRCEXTOUT1', 'TRCEXTOUT2', 'TRCEXTOUT3']],
  [0x4018, ['CTI_TRIGOUT4', 'CTI_TRIGOUT5', 'CTI_TRIGOUT6', 'CTI_TRIGOUT7']],
  [0x4020, ['LDST_ALIGN_LAT', 'LD_ALIGN_LAT', 'ST_ALIGN_LAT']],
  [0x4024, ['MEM_ACCESS_CHECKED', 'MEM_ACCESS_CHECKED_RD', 'MEM_ACCESS_CHECKED_WR']],
];

/** perf's generic hardware events on arm64; `branches` is BR_RETIRED where the PMU has it, else PC_WRITE_RETIRED. */
const PERF_GENERIC: ReadonlyMap<number, string> = new Map(
  genericEvents()
    .filter(({ type }) => type === 'hardware')
    .map(({ event, config }) => [event, perfHardwareName(config)!]),
);

/** perf's cache events on arm64: name in lower case → event number, and event number → names as perf prints them. */
const CACHE_NAMES: ReadonlyMap<string, number> = new Map(
  genericEvents()
    .filter(({ type }) => type === 'hw-cache')
    .map(({ event, config }) => [perfCacheName(config)!, event]),
);
const CACHE_NUMBERS: ReadonlyMap<string, number> = new Map(
  [...CACHE_NAMES].map(([name, event]) => [name.toLowerCase(), event]),
);

/** perf's spellings besides the one it prints first. */
const PERF_ALIASES: ReadonlyMap<string, number> = new Map([
  ['cpu-cycles', 0x11],
  ['branch-instructions', 0x21],
  ['idle-cycles-frontend', 0x23],
  ['idle-cycles-backend', 0x24],
]);

/** All events known by name, in number order. */
export const ARM64_EVENTS: readonly Arm64Event[] = MNEMONICS.flatMap(([first, names]) =>
  names.map((name, i) => {
    const perf = PERF_GENERIC.get(first + i);
    return perf === undefined ? { number: first + i, name } : { number: first + i, name, perf };
  }),
);

const byNumber = new Map(ARM64_EVENTS.map((event) => [event.number, event]));

/** The common event with this number, undefined for an implementation-defined or unknown one. */
export function arm64Event(number: number): Arm64Event | undefined {
  return byNumber.get(number);
}

/** `CPU_CYCLES 0x11`, or `0xc0de` for a number without a common name. */
export function arm64EventLabel(number: number): string {
  const event = byNumber.get(number);
  const hex = `0x${number.toString(16).padStart(2, '0')}`;
  return event === undefined ? hex : `${event.name} ${hex}`;
}

/**
 * Event number of a name as people type it or perf prints it: `INST_RETIRED`, `inst_retired`, `instructions`,
 * `L1-dcache-load-misses`,
 * `armv8_pmuv3_0/inst_retired/`, `r08`, `0x8`. Modifiers must be cut off before. Undefined if it is none.
 */
export function arm64EventByName(text: string): number | undefined {
  const inner = /^[a-z0-9_]+\/(?:event=)?([^/]+)\/$/i.exec(text)?.[1] ?? text;
  const number = /^(?:0x|r)([0-9a-f]{1,4})$/i.exec(inner)?.[1];
  if (number !== undefined) return Number.parseInt(number, 16);
  const name = inner.toLowerCase();
  const event = ARM64_EVENTS.find((row) => row.perf === name || row.name.toLowerCase() === name);
  return event?.number ?? PERF_ALIASES.get(name) ?? CACHE_NUMBERS.get(name);
}

/**
 * Every name of an event number, the Arm ARM's first, then perf's hardware, alias and cache names: `L1D_CACHE_REFILL`,
 * `cache-misses`, `L1-dcache-load-misses`, … Empty for a number without a name.
 */
export function arm64EventNames(number: number): readonly string[] {
  const event = byNumber.get(number);
  if (event === undefined) return [];
  const names = event.perf === undefined ? [event.name] : [event.name, event.perf];
  for (const list of [PERF_ALIASES, CACHE_NAMES]) {
    for (const [name, other] of list) if (other === number) names.push(name);
  }
  return names;
}

/** A perf event's name without its modifiers: `cycles` of `cycles:Gu`, `armv8_pmuv3/inst_retired/` of the same with `uH`. */
export function perfEventStem(name: string): string {
  return /^(.*?)(?::|(?<=\/))[a-zA-Z]+$/.exec(name)?.[1] ?? name;
}
