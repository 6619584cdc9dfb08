import { CounterPool } from './counter-pool.ts';
import type { EventContext } from './event-context.ts';
import { type HostEvent, HostEventState } from './host-event.ts';
import type { PmuDescription } from './pmu-description.ts';

/** One attempt of a pCPU to put an event on its hardware. */
export interface PlacementAttempt {
  readonly id: string;
  readonly cpu: number;
  readonly placed: boolean;
}

/**
 * Puts the events of contexts on the counters of one pCPU and takes them off, in perf's order (semantics F.2). It knows
 * groups, pinned events and what one refusal does to the events after it; who is in which context is its owner's business.
 */
export class Pcpu {
  readonly cpu: number;
  readonly pool: CounterPool<HostEvent>;
  /** Context of the task that runs here. */
  task: EventContext | undefined;
  taskName: string | undefined;
  /** A mediated guest's own counters are loaded: the core PMU is not the host's. */
  guestLoaded = false;
  readonly #attempted: ((attempt: PlacementAttempt) => void) | undefined;

  constructor(
    cpu: number,
    pmu: PmuDescription,
    attempted: ((attempt: PlacementAttempt) => void) | undefined,
  ) {
    this.cpu = cpu;
    this.pool = new CounterPool(pmu);
    this.#attempted = attempted;
  }

  /**
   * Schedules in the groups of one priority of one context, unless they are in already. After the first group that finds no counter no other one of
   * the same pass is tried: a pinned one goes to ERROR all the same, a flexible one waits for the rotation.
   */
  schedIn(context: EventContext, pinned: boolean): void {
    if (context.isIn(pinned)) return;
    context.setIn(pinned, true);
    let canAdd = true;
    for (const leader of context.groups(pinned)) {
      if (leader.state !== HostEventState.inactive || !this.#fits(leader)) continue;
      if (leader.isCore && this.guestLoaded) continue;
      if ((canAdd || !leader.isCore) && this.#groupIn(leader)) {
        if (!pinned) context.active.push(leader);
        continue;
      }
      canAdd = false;
      if (pinned) leader.state = HostEventState.error;
      else context.rotateNecessary = true;
    }
  }

  /** Takes the groups of one priority off the hardware. `core`: only those of the core PMU. */
  schedOut(context: EventContext, pinned: boolean, core = false): void {
    for (const leader of context.groups(pinned)) {
      if (!core || leader.isCore) this.groupOut(leader, context);
    }
    context.setIn(pinned, false);
    if (!pinned) context.rotateNecessary = false;
  }

  /** Takes one group off. */
  groupOut(leader: HostEvent, context: EventContext): void {
    for (const event of [leader, ...leader.siblings]) this.eventOut(event);
    const at = context.active.indexOf(leader);
    if (at >= 0) context.active.splice(at, 1);
  }

  /** Takes one event off: ACTIVE becomes INACTIVE. */
  eventOut(event: HostEvent): void {
    if (event.state !== HostEventState.active) return;
    this.pool.release(event);
    event.state = HostEventState.inactive;
  }

  /** A task's event may be bound to another pCPU. */
  #fits({ attr }: HostEvent): boolean {
    return attr.cpu === undefined || attr.cpu === this.cpu;
  }

  /** A group goes on as a whole or not at all. */
  #groupIn(leader: HostEvent): boolean {
    const placed: HostEvent[] = [];
    for (const event of [leader, ...leader.siblings]) {
      if (event.state !== HostEventState.inactive) continue;
      const ok = !event.isCore || this.pool.take(event);
      if (event.isCore) this.#attempted?.({ id: event.attr.id, cpu: this.cpu, placed: ok });
      if (!ok) {
        for (const other of placed) this.eventOut(other);
        return false;
      }
      event.state = HostEventState.active;
      placed.push(event);
    }
    return true;
  }
}
