import { addTime, EventContext } from './event-context.ts';
import {
  countsIn,
  HostEvent,
  type HostEventAttr,
  HostEventState,
  type RunMode,
} from './host-event.ts';
import type { MediatedHostRules } from './mediated-rules.ts';
import { Pcpu, type PlacementAttempt } from './pcpu.ts';
import type { PmuDescription } from './pmu-description.ts';

/** One event for display. */
export interface HostEventView {
  readonly id: string;
  readonly state: HostEventState;
  /** Hardware counters it holds, lowest first; empty off the hardware and for events of other PMUs. */
  readonly counters: readonly number[];
  /** time_enabled and time_running, ns. */
  readonly enabledNs: number;
  readonly runningNs: number;
  readonly count: bigint;
}

/** How a host core is set up. */
export interface HostPerfCoreOptions {
  readonly pmu: PmuDescription;
  /** pCPUs 0 to cpus−1, all with that PMU; default 1. */
  readonly cpus?: number;
  /** What the host does around mediated guests; absent: it knows none. */
  readonly mediated?: MediatedHostRules;
  /** Told of every attempt to put an event on a counter, in order. */
  readonly attempted?: (attempt: PlacementAttempt) => void;
}

/**
 * The scheduling of a host's perf: events of pCPUs and tasks, pinned and flexible, on the counters of each pCPU (semantics
 * F.1, F.2, F.4; E.1 for mediated guests). Deterministic; times are ns on any clock that does not run back, and every call
 * that takes one first lets the time before it pass. It counts nothing by itself: `happened` tells what the hardware saw.
 */
export class HostPerfCore {
  readonly #events = new Map<string, HostEvent>();
  readonly #pcpus: readonly Pcpu[];
  readonly #cpuContexts: readonly EventContext[];
  readonly #taskContexts = new Map<string, EventContext>();
  readonly #mediated: MediatedHostRules | undefined;
  #mediatedVms = 0;
  #now = 0;

  constructor({ pmu, cpus = 1, mediated, attempted }: HostPerfCoreOptions) {
    this.#pcpus = Array.from({ length: cpus }, (_, cpu) => new Pcpu(cpu, pmu, attempted));
    this.#cpuContexts = this.#pcpus.map(() => new EventContext());
    this.#mediated = mediated;
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  /** Opens an event. 0, or the negative errno a mediated guest makes of it. Throws on an id that exists already. */
  open(attr: HostEventAttr, now: number): number {
    this.#pass(now);
    if (this.#events.has(attr.id)) throw new RangeError(`event ${attr.id} exists`);
    const refused = this.#refused(attr);
    if (refused !== 0) return refused;
    const event = new HostEvent(attr);
    this.#events.set(attr.id, event);
    const context = this.#contextOf(attr);
    const leader = attr.leader === undefined ? undefined : this.#event(attr.leader);
    if (leader === undefined) context.add(event);
    else {
      event.leader = leader;
      leader.siblings.push(event);
    }
    if (event.state === HostEventState.inactive) this.#joins(event);
    return 0;
  }

  /** An explicit enable: clears ERROR, and tries to place the event at once where its context runs. */
  enable(id: string, now: number): void {
    this.#pass(now);
    const event = this.#event(id);
    if (event.state >= HostEventState.inactive || event.state === HostEventState.dead) return;
    event.state = HostEventState.inactive;
    this.#joins(event);
  }

  /** Takes the event off its counter; nobody is moved into the freed place before the next scheduling. */
  disable(id: string, now: number): void {
    this.#pass(now);
    this.#out(this.#event(id));
    const event = this.#event(id);
    if (event.state !== HostEventState.dead) event.state = HostEventState.off;
  }

  /** Ends the event. */
  release(id: string, now: number): void {
    this.#pass(now);
    const event = this.#event(id);
    this.#out(event);
    event.state = HostEventState.dead;
    this.#events.delete(id);
    const { leader } = event;
    if (leader !== undefined) leader.siblings.splice(leader.siblings.indexOf(event), 1);
    else this.#contextOf(event.attr).remove(event);
  }

  /** Stops a counter at 0 without ending the event (perf_event_pause with reset): its count before. */
  pause(id: string, now: number): bigint {
    this.disable(id, now);
    const event = this.#event(id);
    const { count } = event;
    event.count = 0n;
    return count;
  }

  // ---- time and schedule -------------------------------------------------------------------------------------------

  /** Another task (undefined: none with events) runs on a pCPU from now on. */
  switchTo(cpu: number, task: string | undefined, now: number): void {
    this.#pass(now);
    const pcpu = this.#pcpus[cpu]!;
    const cpuContext = this.#cpuContexts[cpu]!;
    if (pcpu.task !== undefined) {
      pcpu.schedOut(pcpu.task, false);
      pcpu.schedOut(pcpu.task, true);
      pcpu.task = undefined;
    }
    pcpu.taskName = task;
    const next = task === undefined ? undefined : this.#taskContexts.get(task);
    if (next === undefined || next.isEmpty) return;
    pcpu.task = next;
    // The task's pinned events go before the pCPU's flexible ones.
    if (next.pinned.length > 0) pcpu.schedOut(cpuContext, false);
    this.#schedInAll(pcpu);
  }

  /** The rotation timer of a pCPU fires; false when everything flexible fits and nothing is done. */
  rotate(cpu: number, now: number): boolean {
    this.#pass(now);
    const pcpu = this.#pcpus[cpu]!;
    const cpuContext = this.#cpuContexts[cpu]!;
    const { task } = pcpu;
    if (!cpuContext.rotateNecessary && task?.rotateNecessary !== true) return false;
    const ofTask = task?.rotateNecessary === true ? task.nextToRotate() : undefined;
    const ofCpu = cpuContext.rotateNecessary ? cpuContext.nextToRotate() : undefined;
    // The task's flexible events make room first, and come back last.
    if (task !== undefined) pcpu.schedOut(task, false);
    if (ofCpu !== undefined) {
      pcpu.schedOut(cpuContext, false);
      cpuContext.rotate(ofCpu);
      pcpu.schedIn(cpuContext, false);
    }
    if (task !== undefined) {
      if (ofTask !== undefined) task.rotate(ofTask);
      pcpu.schedIn(task, false);
    }
    return true;
  }

  /** Lets time pass. */
  advance(now: number): void {
    this.#pass(now);
  }

  /** What a pCPU's hardware saw since the last call, in one mode: event number → occurrences. Events on counters count it. */
  happened(cpu: number, mode: RunMode, occurrences: ReadonlyMap<number, bigint>): void {
    const pcpu = this.#pcpus[cpu]!;
    for (const context of [this.#cpuContexts[cpu]!, pcpu.task]) {
      if (context === undefined) continue;
      for (const event of context.events()) {
        if (event.state !== HostEventState.active || !countsIn(event.attr, mode)) continue;
        event.count += occurrences.get(event.event) ?? 0n;
      }
    }
  }

  // ---- mediated guests (semantics E.1) -------------------------------------------------------------------------------

  /** The first vCPU of a mediated VM is created: 0, or the negative errno. */
  createMediatedVm(): number {
    const rules = this.#mediatedRules();
    const countsGuests = [...this.#events.values()].some(
      (event) => event.isCore && event.attr.excludeGuest !== true,
    );
    if (countsGuests && rules.vmRefused !== 0) return rules.vmRefused;
    this.#mediatedVms++;
    return 0;
  }

  /** The mediated VM is gone. */
  releaseMediatedVm(): void {
    this.#mediatedVms = Math.max(0, this.#mediatedVms - 1);
  }

  /** The guest's counters go on the hardware: the host's events of the core PMU come off. */
  loadGuest(cpu: number, now: number): void {
    this.#pass(now);
    const rules = this.#mediatedRules();
    const pcpu = this.#pcpus[cpu]!;
    pcpu.guestLoaded = true;
    for (const context of this.#contextsOn(pcpu)) {
      const counting = [...context.events()].filter(
        (event) =>
          event.isCore && event.attr.excludeGuest !== true && event.state === HostEventState.active,
      );
      for (const pinned of [false, true]) pcpu.schedOut(context, pinned, true);
      if (!rules.loadMovesToError) continue;
      // Of a group it is the leader that is marked, whichever member counts guests (semantics E.1, the quirk below the
      // table); an event that only waits for its turn is not marked.
      for (const event of counting) (event.leader ?? event).state = HostEventState.error;
    }
  }

  /** The guest's counters are saved: the host's events come back. */
  putGuest(cpu: number, now: number): void {
    this.#pass(now);
    const pcpu = this.#pcpus[cpu]!;
    pcpu.guestLoaded = false;
    for (const context of this.#contextsOn(pcpu)) {
      for (const pinned of [false, true]) pcpu.schedOut(context, pinned, true);
    }
    this.#schedInAll(pcpu);
  }

  // ---- looking -----------------------------------------------------------------------------------------------------

  /** One event; undefined when there is none of this id. */
  view(id: string): HostEventView | undefined {
    const event = this.#events.get(id);
    if (event === undefined) return undefined;
    const counters = this.#pcpus.flatMap((pcpu) => [...pcpu.pool.heldBy(event)]);
    const { state, enabledNs, runningNs, count } = event;
    return { id, state, counters, enabledNs, runningNs, count };
  }

  /** Ids of the events that hold a pCPU's counter. */
  holders(cpu: number): ReadonlyMap<number, string> {
    const { pool } = this.#pcpus[cpu]!;
    const all = [...this.#events.values()].flatMap((event) =>
      pool.heldBy(event).map((counter): [number, string] => [counter, event.attr.id]),
    );
    return new Map(all.sort(([a], [b]) => a - b));
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #event(id: string): HostEvent {
    const event = this.#events.get(id);
    if (event === undefined) throw new RangeError(`no event ${id}`);
    return event;
  }

  #mediatedRules(): MediatedHostRules {
    if (this.#mediated === undefined) throw new RangeError('this host has no mediated vPMU');
    return this.#mediated;
  }

  #contextOf({ task, cpu = 0 }: HostEventAttr): EventContext {
    if (task === undefined) return this.#cpuContexts[cpu]!;
    let context = this.#taskContexts.get(task);
    if (context === undefined) {
      context = new EventContext();
      this.#taskContexts.set(task, context);
      // Its task may be running already.
      for (const pcpu of this.#pcpus) if (pcpu.taskName === task) pcpu.task = context;
    }
    for (const pcpu of this.#pcpus) if (pcpu.taskName === task) pcpu.task ??= context;
    return context;
  }

  #contextsOn(pcpu: Pcpu): readonly EventContext[] {
    const own = this.#cpuContexts[pcpu.cpu]!;
    return pcpu.task === undefined ? [own] : [own, pcpu.task];
  }

  /** The pCPUs on which an event's context is scheduled in. */
  #runningOn({ task, cpu = 0 }: HostEventAttr): readonly Pcpu[] {
    if (task === undefined) return [this.#pcpus[cpu]!];
    return this.#pcpus.filter((pcpu) => pcpu.taskName === task && pcpu.task !== undefined);
  }

  /** An event has become INACTIVE: what has lower priority makes room, then all are tried in order. */
  #joins(event: HostEvent): void {
    const leader = event.leader ?? event;
    // A member joins a group that is on hardware, or waits for its leader.
    if (leader !== event && leader.state !== HostEventState.active) return;
    for (const pcpu of this.#runningOn(event.attr)) {
      const own = this.#cpuContexts[pcpu.cpu]!;
      const ofCpu = event.attr.task === undefined;
      if (pcpu.task !== undefined) {
        pcpu.schedOut(pcpu.task, false);
        if (leader.pinned) pcpu.schedOut(pcpu.task, true);
      }
      if (ofCpu || leader.pinned) pcpu.schedOut(own, false);
      if (ofCpu && leader.pinned) pcpu.schedOut(own, true);
      this.#schedInAll(pcpu);
    }
  }

  /** CPU-pinned, task-pinned, CPU-flexible, task-flexible (semantics F.2). */
  #schedInAll(pcpu: Pcpu): void {
    const contexts = this.#contextsOn(pcpu);
    for (const pinned of [true, false]) {
      for (const context of contexts) pcpu.schedIn(context, pinned);
    }
  }

  #out(event: HostEvent): void {
    for (const pcpu of this.#pcpus) {
      for (const context of this.#contextsOn(pcpu)) {
        // A leader takes its group with it.
        if (event.leader === undefined && context.groups(event.pinned).includes(event))
          pcpu.groupOut(event, context);
      }
      if (event.leader !== undefined && pcpu.pool.heldBy(event).length > 0) pcpu.eventOut(event);
    }
  }

  /** Why an event cannot be opened beside mediated guests: 0 or a negative errno. */
  #refused(attr: HostEventAttr): number {
    const rules = this.#mediated;
    if (rules === undefined || attr.pmu === 'other' || attr.excludeGuest === true) return 0;
    const { error, while: when } = rules.eventRefused;
    if (when === 'vm-exists') return this.#mediatedVms > 0 ? error : 0;
    const loaded = this.#pcpus.some(
      (pcpu) =>
        pcpu.guestLoaded &&
        (attr.cpu === undefined && attr.task !== undefined
          ? pcpu.taskName === attr.task
          : pcpu.cpu === (attr.cpu ?? 0)),
    );
    return loaded ? error : 0;
  }

  #pass(now: number): void {
    const ns = now - this.#now;
    if (!(ns >= 0)) throw new RangeError(`time ran back from ${this.#now} to ${now}`);
    this.#now = now;
    if (ns === 0) return;
    const deducts = this.#mediated?.guestTime === 'neither';
    for (const pcpu of this.#pcpus) {
      for (const context of this.#contextsOn(pcpu)) {
        addTime(
          context,
          ns,
          (event) =>
            deducts && pcpu.guestLoaded && event.isCore && event.attr.excludeGuest === true,
        );
      }
    }
  }
}
