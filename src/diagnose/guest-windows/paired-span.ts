import { exactly } from '../ledger/amount.ts';
import type { HostSpan } from './guest-window.ts';
import type { HostEvent } from './host-event.ts';

/** Two counts known to have stood at the same moment: no guest instruction ran between their records. */
interface CommonPoint {
  readonly seq: number;
  readonly time: bigint;
  readonly guest: bigint;
  readonly host: bigint;
}

/** What a host event counted next to a window's counter, while the event behind that was enabled. */
export interface PairedSpan {
  /** First and last point of the present stretch; undefined while the event is disabled. */
  stretch: { readonly first: CommonPoint; last: CommonPoint; readonly origin: number } | undefined;
  /** The stretches before it. */
  guest: bigint;
  host: bigint;
  /** First and last point of all stretches that have two. */
  from: CommonPoint | undefined;
  to: CommonPoint | undefined;
  /** Seq at which the host event was seen not running, 0 never. */
  notRunning: number;
}

/** A host event's span of a window that ended. Which modes it counts is known when the whole log was seen. */
export class PairedHost implements HostSpan {
  readonly pointer: bigint;
  readonly config: number;
  readonly event: number | undefined;
  readonly pinned = false;
  readonly filter = null;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly fromTime: bigint;
  readonly toTime: bigint;
  readonly host: bigint;
  readonly guest: HostSpan['guest'];
  readonly enabledNs = null;
  readonly runningNs = null;
  readonly notRunningAt: number;
  readonly totals = null;
  readonly gapPerExit = null;
  private readonly of: HostEvent;

  constructor(of: HostEvent, event: number | undefined, from: CommonPoint, span: PairedSpan) {
    this.of = of;
    this.pointer = of.pointer;
    this.config = of.config;
    this.event = event;
    this.fromSeq = from.seq;
    this.fromTime = from.time;
    const to = span.to ?? from;
    this.toSeq = to.seq;
    this.toTime = to.time;
    this.host = span.host;
    this.guest = exactly(span.guest);
    this.notRunningAt = span.notRunning;
  }

  get name(): string | undefined {
    return this.of.name;
  }

  get modes(): HostSpan['modes'] {
    return this.of.modes;
  }

  get modesFrom(): HostSpan['modesFrom'] {
    return this.of.modesFrom;
  }
}

/** The event behind the counter is disabled: what the host counts from here on is no part of the comparison. */
export function endStretch(span: PairedSpan): void {
  const { stretch } = span;
  span.stretch = undefined;
  if (stretch === undefined || stretch.last === stretch.first) return;
  span.guest += stretch.last.guest - stretch.first.guest;
  span.host += stretch.last.host - stretch.first.host;
  span.from ??= stretch.first;
  span.to = stretch.last;
}
