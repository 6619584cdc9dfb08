import type { HostSpan } from './guest-window.ts';

/** Which modes a host event counts in. */
export type CountedModes = HostSpan['modes'];

/** The modes a name of perf stat asks for (`cycles:G`); undefined where its modifiers do not choose one. */
function modesOfName(name: string | undefined): 'G' | 'H' | undefined {
  if (name === undefined || !name.includes(':')) return undefined;
  const modifiers = name.slice(name.lastIndexOf(':') + 1);
  const guest = modifiers.includes('G');
  return guest === modifiers.includes('H') ? undefined : guest ? 'G' : 'H';
}

/**
 * A perf event that is not KVM's, seen on a vCPU's thread: most often somebody's `perf stat -t`. The driver records
 * carry its address, config and counts, but not its exclude bits: those are concluded from what it counted.
 */
export class HostEvent {
  readonly pointer: bigint;
  readonly config: number;
  /** Its name where perf stat's total proves which event it is. */
  name: string | undefined;
  count = 0n;
  /** Gap (span of host time without guest execution) of the last count; −1 none. */
  gap = -1;
  seq = 0;
  placed = false;
  /** Seq of a failed placement or a removal that lasts, 0 none. */
  notRunningSince = 0;
  /** First record that proves each statement, 0 none. */
  countsHostAt = 0;
  excludesHostAt = 0;
  excludesGuestAt = 0;
  /** It was on hardware during host time of the open gap since this seq, 0 no. */
  private placedInGapAt = 0;

  constructor(pointer: bigint, config: number) {
    this.pointer = pointer;
    this.config = config;
  }

  /** hw-add in gap `gap` (−1: in guest time). */
  add(gap: number, seq: number): void {
    this.placed = true;
    this.notRunningSince = 0;
    this.placedInGapAt = gap >= 0 && gap === this.gap ? seq : 0;
  }

  refused(seq: number): void {
    this.placed = false;
    if (this.notRunningSince === 0) this.notRunningSince = seq;
  }

  /** A recorded count. */
  counted(count: bigint, gap: number, seq: number): void {
    if (gap >= 0 && gap === this.gap && this.seq !== 0) {
      if (count > this.count) {
        if (this.countsHostAt === 0) this.countsHostAt = seq;
      } else if (this.placedInGapAt !== 0 && this.excludesHostAt === 0) this.excludesHostAt = seq;
    }
    this.count = count;
    this.gap = gap;
    this.seq = seq;
    this.placedInGapAt = 0;
  }

  /** What is proved so far. An event seen counting in host time cannot exclude the host, whatever else was seen. */
  get modes(): CountedModes {
    const named = modesOfName(this.name);
    if (named !== undefined) return named;
    if (this.countsHostAt !== 0) return this.excludesGuestAt !== 0 ? 'H' : 'H or G+H';
    if (this.excludesHostAt !== 0) return 'G';
    return 'unknown';
  }

  get modesFrom(): 'counts' | 'name' {
    return modesOfName(this.name) === undefined ? 'counts' : 'name';
  }
}
