/** Which modes a host event was seen to count in. */
export type CountedModes = 'G' | 'H' | 'G+H' | 'H or G+H' | 'unknown';

/**
 * A perf event that is not KVM's, seen on a vCPU's thread: most often somebody's `perf stat -t`. The driver records
 * carry its address, config and counts, but not its exclude bits: those are concluded from what it counted.
 */
export class HostEvent {
  readonly pointer: bigint;
  readonly config: number;
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
    if (this.countsHostAt !== 0) return this.excludesGuestAt !== 0 ? 'H' : 'H or G+H';
    if (this.excludesHostAt !== 0) return 'G';
    return 'unknown';
  }
}
