import { isExact } from '../ledger/amount.ts';
import type { GuestWindow } from './guest-window.ts';

/** Measurements of one event on one vCPU one after the other, with this window's place among them. */
export interface Series {
  readonly values: readonly bigint[];
  readonly guestNs: readonly number[];
  readonly index: number;
}

/** The series of each window that was read and whose count is exact; others have none. */
export function seriesOf(windows: readonly GuestWindow[]): ReadonlyMap<GuestWindow, Series> {
  const groups = new Map<string, GuestWindow[]>();
  for (const window of windows) {
    if (window.reads === 0 || window.guest === null || !isExact(window.guest)) continue;
    const key = `${window.vcpu}/${window.event}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [window]);
    else group.push(window);
  }
  const found = new Map<GuestWindow, Series>();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    group.sort((a, b) => a.fromSeq - b.fromSeq);
    const values = group.map(({ guest }) => guest?.low ?? 0n);
    const guestNs = group.map(({ totals }) => totals.guestNs);
    for (const [index, window] of group.entries()) found.set(window, { values, guestNs, index });
  }
  return found;
}
