/** Names of the eight fields of PERF_METRICS, lowest byte first, and their pseudo events (SDM "Performance Metrics"; semantics D.1). */
export const TOPDOWN_METRICS: readonly {
  readonly name: string;
  readonly level: 1 | 2;
  /** perf's pseudo event. */
  readonly event: number;
}[] = [
  { name: 'retiring', level: 1, event: 0x8000 },
  { name: 'bad speculation', level: 1, event: 0x8100 },
  { name: 'frontend bound', level: 1, event: 0x8200 },
  { name: 'backend bound', level: 1, event: 0x8300 },
  { name: 'heavy operations', level: 2, event: 0x8400 },
  { name: 'branch mispredict', level: 2, event: 0x8500 },
  { name: 'fetch latency', level: 2, event: 0x8600 },
  { name: 'memory bound', level: 2, event: 0x8700 },
];

/** Level-2 metrics that are a level-1 field minus a level-2 one, by index in TOPDOWN_METRICS. */
const DERIVED: readonly (readonly [name: string, whole: number, part: number])[] = [
  ['light operations', 0, 4],
  ['machine clears', 1, 5],
  ['fetch bandwidth', 2, 6],
  ['core bound', 3, 7],
];

/** A field is an unsigned fraction of this. */
const WHOLE = 255;

/** One metric of a reading. `share` and `slots` are within ± their error: a byte is a rounded fraction of 255. */
export interface TopdownMetric {
  readonly name: string;
  readonly level: 1 | 2;
  readonly raw: number;
  readonly share: number;
  readonly shareError: number;
  /** The slots of this metric, rounded down, and how far off they can be (whole slots). */
  readonly slots: bigint;
  readonly slotsError: bigint;
}

/**
 * Decodes a reading: `metrics` the raw register, `slots` fixed counter 3 over the same time. `levels` 2 where the CPU
 * has the upper four bytes (Sapphire Rapids and later). A derived metric (whole − part) has twice the error and may come
 * out slightly negative.
 */
export function decodeTopdown(metrics: bigint, slots: bigint, levels: 1 | 2): TopdownMetric[] {
  const raw = (k: number): number => Number((metrics >> BigInt(8 * k)) & 0xffn);
  const metric = (name: string, level: 1 | 2, value: number, fields: number): TopdownMetric => ({
    name,
    level,
    raw: value,
    share: value / WHOLE,
    shareError: (0.5 * fields) / WHOLE,
    slots: (slots * BigInt(value)) / BigInt(WHOLE),
    // Half a step per field, rounded up, and one for rounding down above.
    slotsError: (slots * BigInt(fields) + BigInt(2 * WHOLE) - 1n) / BigInt(2 * WHOLE) + 1n,
  });
  const shown = TOPDOWN_METRICS.filter(({ level }) => level <= levels);
  const direct = shown.map(({ name, level }, k) => metric(name, level, raw(k), 1));
  if (levels === 1) return direct;
  return [
    ...direct,
    ...DERIVED.map(([name, whole, part]) => metric(name, 2, raw(whole) - raw(part), 2)),
  ];
}
