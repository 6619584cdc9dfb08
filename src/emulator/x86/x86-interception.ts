import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import type { X86Shape } from './x86-shape.ts';

/** The guest has as many counters as the host, so that the GLOBAL registers can be its own. */
function hasAllCounters(shape: X86Shape): boolean {
  const { config } = shape;
  return (
    shape.hasGlobalCtrl &&
    shape.gp === config.hostGpCounters &&
    shape.fixed === config.hostFixedCounters
  );
}

/** A guest access of this MSR reaches the hardware without an exit (semantics E.3); never under emulation. */
export function msrPassesThrough(rules: X86RuleSet, shape: X86Shape, number: number): boolean {
  if (rules.ownership === 'perf') return false;
  const decoded = decodeMsr(number);
  const msr = msrKind(decoded);
  switch (msr) {
    case Msr.counter:
    case Msr.fullWidth:
    case Msr.fixedCounter:
    case Msr.amdCounter:
      return shape.counterOf(msr, msrIndex(decoded), number) >= 0;
    case Msr.globalStatus:
    case Msr.globalCtrl:
    case Msr.globalOvfCtrl:
    case Msr.amdStatus:
    case Msr.amdCtrl:
    case Msr.amdStatusClear:
    case Msr.amdStatusSet:
      return shape.has(msr) && hasAllCounters(shape);
    default:
      return false; // selectors and FIXED_CTR_CTRL always trap, and what the guest does not have
  }
}

/** RDPMC reaches the hardware without an exit: counts and widths are the host's (semantics E.3). */
export function rdpmcPassesThrough(rules: X86RuleSet, shape: X86Shape): boolean {
  const { config } = shape;
  return (
    rules.ownership === 'mediated' &&
    hasAllCounters(shape) &&
    shape.gpWidth === config.hostGpWidth &&
    (shape.fixed === 0 || shape.fixedWidth === config.hostFixedWidth)
  );
}
