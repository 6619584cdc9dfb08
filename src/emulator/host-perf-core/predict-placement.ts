import type { HostEventAttr } from './host-event.ts';
import { HostEventState } from './host-event.ts';
import { HostPerfCore } from './host-perf-core.ts';
import { countersFor, type PmuDescription } from './pmu-description.ts';

/** Which task each event list belongs to is of no consequence: the vCPU's thread is the one that runs. */
const VCPU_THREAD = 'vcpu';

/** What becomes of one event when the vCPU's thread is scheduled in. */
export interface PlacementPrediction {
  readonly id: string;
  /**
   * `placed`; `refused`: no counter it may use was free; `not-tried`: one before it in the same pass was refused; `off`:
   * it is not enabled. A pinned event that is not placed is in ERROR until its next enable.
   */
  readonly outcome: 'placed' | 'refused' | 'not-tried' | 'off';
  readonly counters: readonly number[];
  /** For an event that was not placed: the events that hold the counters it could have used. */
  readonly because: readonly string[];
}

/** An event of the host beside the guest's: of the pCPU, or of the vCPU's thread. */
export type HostEventOnCpu = Omit<HostEventAttr, 'task' | 'cpu'> & {
  readonly boundTo: 'cpu' | 'thread';
};

/** A counter of the guest: KVM backs it with a pinned event of the vCPU's thread. */
export type BackingEventRequest = Pick<HostEventAttr, 'id' | 'event' | 'long' | 'disabled'>;

/**
 * Which of a guest's backing events find a counter when the vCPU's thread is scheduled in on a pCPU beside the host's own
 * events, each list in the order of creation (semantics F.2). The answer holds until an event is enabled, or the host
 * opens or closes one.
 */
export function predictPlacement(
  pmu: PmuDescription,
  host: readonly HostEventOnCpu[],
  guest: readonly BackingEventRequest[],
): readonly PlacementPrediction[] {
  const tried = new Set<string>();
  const core = new HostPerfCore({ pmu, attempted: ({ id }) => tried.add(id) });
  const all: HostEventAttr[] = [
    ...host.map(
      ({ boundTo, ...attr }): HostEventAttr =>
        boundTo === 'cpu' ? { ...attr, cpu: 0 } : { ...attr, task: VCPU_THREAD },
    ),
    ...guest.map(
      (attr): HostEventAttr => ({
        ...attr,
        task: VCPU_THREAD,
        pinned: true,
        excludeHost: true,
      }),
    ),
  ];
  for (const attr of all) core.open(attr, 0);
  tried.clear();
  core.switchTo(0, VCPU_THREAD, 0);
  const holders = core.holders(0);
  return all.map((attr): PlacementPrediction => {
    const { state, counters } = core.view(attr.id)!;
    const placed = state === HostEventState.active;
    const outcome =
      state === HostEventState.off
        ? 'off'
        : placed
          ? 'placed'
          : tried.has(attr.id)
            ? 'refused'
            : 'not-tried';
    const because =
      placed || outcome === 'off'
        ? []
        : countersFor(pmu, attr.event).flatMap((counter) => holders.get(counter) ?? []);
    return { id: attr.id, outcome, counters, because: [...new Set(because)] };
  });
}
