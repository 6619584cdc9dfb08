import { EventKind } from '../../domain/event-kind.ts';
import { createReplayer } from '../../replay/create-replayer.ts';
import type { PreparedReplay } from '../../replay/replay-log.ts';
import type { Replayer } from '../../replay/replayer.ts';
import type { Amount } from '../ledger/amount.ts';
import { growth, valueAmount } from './growth.ts';
import type { GuestWindow } from './guest-window.ts';

/** How far to look past an instant for a record that bounds a counter from above. */
const LOOK_AHEAD = 8192;

/** An instant to look at, and the windows whose counters are wanted there. */
export interface Wanted {
  readonly time: bigint;
  readonly windows: readonly GuestWindow[];
}

/** What is known at an instant. */
export interface Instant {
  /** Last event at or before it. */
  readonly seq: number;
  /** Bound of each vCPU's guest-mode time so far, ns, by slot. */
  readonly guestNs: ReadonlyMap<number, number>;
  /** Values of the windows' counters; null where not known. */
  readonly values: Map<GuestWindow, Amount | null>;
}

export interface Instants {
  readonly at: ReadonlyMap<bigint, Instant>;
  /** First and last time of what is no count of perf stat. */
  readonly first: bigint;
  readonly last: bigint;
}

/** A value that is only bounded at its instant, until a later record tells more. */
interface Bounded {
  readonly instant: Instant;
  readonly window: GuestWindow;
  readonly value: Amount;
  budget: number;
}

/** Replays a log once more and looks at it at the wanted instants, in the order of time. */
export function lookAtInstants(prepared: PreparedReplay, wanted: readonly Wanted[]): Instants {
  const replayer = createReplayer(prepared.config);
  const { epoch } = prepared.config;
  const at = new Map<bigint, Instant>();
  let bounded: Bounded[] = [];
  let next = 0;
  let [first, last, now]: (bigint | undefined)[] = [];
  const look = (): void => {
    const { time, windows } = wanted[next++]!;
    const instant = instantOf(replayer, time, epoch, windows);
    at.set(time, instant);
    for (const [window, value] of instant.values) {
      if (value === null || value.low === value.high) continue;
      bounded.push({ instant, window, value, budget: LOOK_AHEAD });
    }
  };
  for (const chunk of prepared.source.chunks({})) {
    let applied = 0;
    const upTo = (end: number): void => {
      if (end > applied) replayer.apply(chunk, applied, end, () => undefined);
      applied = end;
    };
    for (let i = 0; i < chunk.length; i++) {
      const time = chunk.time[i]!;
      if (chunk.kind[i] !== EventKind.count && chunk.kind[i] !== EventKind.countSpread) {
        first ??= time;
        last = last === undefined || time > last ? time : last;
      }
      if (now === undefined || time > now) now = time;
      while (next < wanted.length && wanted[next]!.time < now) {
        upTo(i);
        look();
      }
      if (bounded.length === 0) continue;
      upTo(i + 1);
      bounded = bounded.filter((of) => stillBounded(of, replayer));
    }
    upTo(chunk.length);
  }
  while (next < wanted.length) look();
  return { at, first: first ?? 0n, last: last ?? 0n };
}

function instantOf(
  replayer: Replayer,
  time: bigint,
  epoch: bigint,
  windows: readonly GuestWindow[],
): Instant {
  replayer.advanceTo(time);
  const now = Number(time - epoch);
  const guestNs = new Map(
    replayer.vcpus.map(({ slot, residency }) => [slot, now <= 0 ? 0 : residency.upTo(now)]),
  );
  const values = new Map(
    windows.map((window) => [
      window,
      valueAmount(replayer.ofSlot(window.vcpu)!.counterValue(window.counter)),
    ]),
  );
  return { seq: replayer.lastSeq, guestNs, values };
}

/** Narrows a bound by the counter's value now, where that is exact: it only grows within its window. */
function stillBounded(of: Bounded, replayer: Replayer): boolean {
  const { instant, window, value } = of;
  const ended = replayer.lastSeq >= window.toSeq;
  const later = ended
    ? window.endValue
    : valueAmount(replayer.ofSlot(window.vcpu)!.counterValue(window.counter));
  if (later !== null && later.low === later.high) {
    const by = growth({ low: value.low, high: value.low }, later, window.width, 0).high;
    if (value.low + by < value.high) {
      instant.values.set(window, { low: value.low, high: value.low + by });
    }
    return false;
  }
  return !ended && --of.budget > 0;
}
