import { type HostEvent, HostEventState } from './host-event.ts';

/** The events of one pCPU, or of one task: group leaders in the order they are tried. */
export class EventContext {
  readonly pinned: HostEvent[] = [];
  readonly flexible: HostEvent[] = [];
  /** A flexible event found no counter since the flexible ones were last scheduled in. */
  rotateNecessary = false;
  /** Flexible groups on hardware, in the order they got there. */
  readonly active: HostEvent[] = [];
  /** Its pinned (flexible) groups were tried since they were last taken off: they are not tried again before that. */
  pinnedIn = false;
  flexibleIn = false;

  isIn(pinned: boolean): boolean {
    return pinned ? this.pinnedIn : this.flexibleIn;
  }

  setIn(pinned: boolean, value: boolean): void {
    if (pinned) this.pinnedIn = value;
    else this.flexibleIn = value;
  }

  groups(pinned: boolean): readonly HostEvent[] {
    return pinned ? this.pinned : this.flexible;
  }

  add(leader: HostEvent): void {
    (leader.pinned ? this.pinned : this.flexible).push(leader);
  }

  remove(leader: HostEvent): void {
    for (const list of [this.pinned, this.flexible, this.active]) {
      const at = list.indexOf(leader);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** The flexible group that makes room: the one on hardware longest, else the first in line (semantics F.2). */
  nextToRotate(): HostEvent | undefined {
    this.rotateNecessary = false;
    return this.active[0] ?? this.flexible[0];
  }

  /** A group goes to the end of the line. */
  rotate(leader: HostEvent): void {
    const at = this.flexible.indexOf(leader);
    if (at < 0) return;
    this.flexible.splice(at, 1);
    this.flexible.push(leader);
  }

  /** Every event, members of groups included. */
  *events(): Iterable<HostEvent> {
    for (const list of [this.pinned, this.flexible]) {
      for (const leader of list) {
        yield leader;
        yield* leader.siblings;
      }
    }
  }

  get isEmpty(): boolean {
    return this.pinned.length === 0 && this.flexible.length === 0;
  }
}

/** Adds the time since the last look to the events' two times: INACTIVE and ACTIVE count as enabled, ACTIVE as running. */
export function addTime(
  context: EventContext,
  ns: number,
  exempt: (e: HostEvent) => boolean,
): void {
  for (const event of context.events()) {
    if (event.state < HostEventState.inactive || exempt(event)) continue;
    event.enabledNs += ns;
    if (event.state === HostEventState.active) event.runningNs += ns;
  }
}
