import { exactly } from '../ledger/amount.ts';
import type { CounterWindow } from '../windows.ts';
import type { GuestWindow, HostSpan } from './guest-window.ts';

/** Host events whose exclude bits no record carries: paired with the backing events at reschedules (WindowBuilder). */
function spansOf(window: CounterWindow): HostSpan[] {
  return [...window.hosts.values()].flatMap((span): HostSpan[] => {
    const { first, last, event } = span;
    if (last.seq === first.seq) return [];
    return [
      {
        pointer: event.pointer,
        config: event.config,
        // WindowBuilder pairs counts of one event only.
        event: window.config < 0 ? undefined : window.config,
        pinned: false,
        filter: null,
        modes: event.modes,
        modesFrom: 'counts',
        fromSeq: first.seq,
        toSeq: last.seq,
        fromTime: first.time,
        toTime: last.time,
        host: last.host - first.host,
        guest: exactly(last.guest - first.guest),
        enabledNs: null,
        runningNs: null,
        notRunningAt: span.notRunning,
        totals: null,
        gapPerExit: null,
      },
    ];
  });
}

/** Two spans of one host event in one window: what lies between them is in neither. */
function joined(a: HostSpan, b: HostSpan): HostSpan {
  return {
    ...a,
    toSeq: b.toSeq,
    toTime: b.toTime,
    host: a.host + b.host,
    guest: { low: a.guest.low + b.guest.low, high: a.guest.high + b.guest.high },
    notRunningAt: a.notRunningAt === 0 ? b.notRunningAt : a.notRunningAt,
  };
}

/** Adds to each guest window the host counts of the backing events' windows inside it. */
export function withPairedHosts(
  windows: readonly GuestWindow[],
  paired: readonly CounterWindow[],
): GuestWindow[] {
  const byCounter = new Map<string, CounterWindow[]>();
  for (const window of paired) {
    const key = `${window.vcpu}/${window.counter}`;
    const list = byCounter.get(key);
    if (list === undefined) byCounter.set(key, [window]);
    else list.push(window);
  }
  for (const list of byCounter.values()) list.sort((a, b) => a.fromSeq - b.fromSeq);
  return windows.map((window) => {
    const inside = (byCounter.get(`${window.vcpu}/${window.counter}`) ?? []).filter(
      ({ fromSeq }) => fromSeq >= window.fromSeq && fromSeq <= window.toSeq,
    );
    const spans = new Map<bigint, HostSpan>();
    for (const span of inside.flatMap(spansOf)) {
      const known = spans.get(span.pointer);
      spans.set(span.pointer, known === undefined ? span : joined(known, span));
    }
    return spans.size === 0 ? window : { ...window, hosts: [...window.hosts, ...spans.values()] };
  });
}
