/**
 * How fast a counter can possibly move. Bounds, not estimates: no core that runs KVM clocks above 10 GHz, and no event
 * a PMUv3 offers counts more than a core can do in one cycle. Used only where no recorded count limits a value.
 */
const CYCLES_PER_NS = 10;

/** Most events of one number in one cycle (Arm ARM event definitions; slot and operation events are per issue slot). */
const PER_CYCLE: ReadonlyMap<number, number> = new Map([
  [0x11, 1], // CPU_CYCLES
  [0x1d, 1], // BUS_CYCLES
  [0x23, 1], // STALL_FRONTEND
  [0x24, 1], // STALL_BACKEND
  [0x3c, 1], // STALL
  [0x4004, 1], // CNT_CYCLES
]);
const PER_CYCLE_DEFAULT = 64;

/** The most events `eventNumber` can count in one nanosecond of guest time; undefined number: the largest of all. */
export function eventCeilingPerNs(eventNumber: number | undefined): number {
  const perCycle = eventNumber === undefined ? undefined : PER_CYCLE.get(eventNumber);
  return CYCLES_PER_NS * (perCycle ?? PER_CYCLE_DEFAULT);
}
