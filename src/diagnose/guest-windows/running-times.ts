/** Time running of one event at its last read, ns, as halves: no bigint is made at a read. */
interface RunningTime {
  known: boolean;
  low: number;
  high: number;
}

/** What became of an event's time running between two reads of it. */
export type Ran = 'ran' | 'still' | 'unknown';

/** Times running of the backing events of one vCPU, by their addresses. */
export class RunningTimes {
  private readonly byPointer = new Map<bigint, RunningTime>();
  /** By counter: the event that was read last, and the halves of its address. */
  private readonly last: (RunningTime | undefined)[] = [];
  private readonly lastPointers = new Uint32Array(128);

  /** An event was created: it has not run. */
  created(pointer: bigint): void {
    const time = this.of(pointer);
    time.known = true;
    time.low = 0;
    time.high = 0;
  }

  /** The event behind `counter` was read; `objects` and `times` are columns as halves, low first. */
  read(
    counter: number,
    i: number,
    objects: Uint32Array,
    times: Uint32Array,
    pointers: BigUint64Array,
  ): Ran {
    const time = this.behind(counter, i, objects, pointers);
    const low = times[2 * i]!;
    const high = times[2 * i + 1]!;
    const ran: Ran = !time.known
      ? 'unknown'
      : high > time.high || (high === time.high && low > time.low)
        ? 'ran'
        : high === time.high && low === time.low
          ? 'still'
          : 'unknown';
    time.known = true;
    time.low = low;
    time.high = high;
    return ran;
  }

  private behind(
    counter: number,
    i: number,
    objects: Uint32Array,
    pointers: BigUint64Array,
  ): RunningTime {
    const { last, lastPointers } = this;
    const known = last[counter];
    const low = objects[2 * i]!;
    const high = objects[2 * i + 1]!;
    if (
      known !== undefined &&
      lastPointers[2 * counter] === low &&
      lastPointers[2 * counter + 1] === high
    ) {
      return known;
    }
    const time = this.of(pointers[i]!);
    last[counter] = time;
    lastPointers[2 * counter] = low;
    lastPointers[2 * counter + 1] = high;
    return time;
  }

  private of(pointer: bigint): RunningTime {
    let time = this.byPointer.get(pointer);
    if (time === undefined) {
      time = { known: false, low: 0, high: 0 };
      this.byPointer.set(pointer, time);
    }
    return time;
  }
}
