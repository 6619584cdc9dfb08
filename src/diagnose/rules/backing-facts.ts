import type { GuestWindow } from '../guest-windows/guest-window.ts';
import { deniedByMark } from './facts.ts';
import { evidenceOf, type RunFacts } from './rule.ts';

/** A counter that moves less than this in a nanosecond of guest time with its gates open stands still. */
const STANDSTILL_PER_NS = 1e-3;
/** Shorter times with open gates say nothing, ns. */
export const ENOUGH_NS = 10_000;

/** Guest time the backing event was wanted and not on hardware, ns. */
export function refusedNs(window: GuestWindow): number {
  return window.gates
    .filter(({ gate }) => gate === 'event not placed' || gate === 'event in ERROR')
    .reduce((sum, { guestNs }) => sum + guestNs, window.stillNs);
}

/** Records that show the backing event without a hardware counter. */
export function notOnHardware({ happenings }: GuestWindow): number[] {
  const { placementRefused, errorState, stoodStill } = happenings;
  return evidenceOf(placementRefused, errorState, stoodStill);
}

/** With its gates open the counter moved hardly at all: something behind it does not count. */
export function standsStill(window: GuestWindow, run: RunFacts): boolean {
  const { atRead, happenings } = window;
  if (deniedByMark(window, run) === true) return false;
  if (atRead === null || atRead.events === null || atRead.enabled.ns < ENOUGH_NS) return false;
  if (happenings.createFailed.count > 0) return false;
  return Number(atRead.events) < STANDSTILL_PER_NS * atRead.enabled.ns;
}
