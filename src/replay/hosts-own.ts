import type { PerfEventAttr } from '../domain/log-facts.ts';

/** Bits of PerfEventAttr.attrFlags. */
const PINNED = 1n << 2n;
const EXCLUDE_HOST = 1n << 19n;

/**
 * True for the creation of an event that is not a guest counter's: KVM's are pinned, leave the host out and belong to a
 * thread. Where a creation names the counter it is for (arm64), that alone decides.
 */
export function isHostsOwn(counter: number, attr: PerfEventAttr | undefined): boolean {
  if (counter >= 0 || attr === undefined) return false;
  const { attrFlags, cpu } = attr;
  return (attrFlags & PINNED) === 0n || (attrFlags & EXCLUDE_HOST) === 0n || cpu >= 0;
}
