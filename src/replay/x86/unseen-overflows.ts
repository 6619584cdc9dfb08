import { counterMsr } from '../../arch/x86-msrs.ts';
import type { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import { Backing } from '../recorded-perf.ts';
import type { HardwarePlaces } from './hardware-places.ts';
import type { X86RecordedPerf } from './recorded-perf-x86.ts';

/** What of a vCPU overflows are read from and told to. */
interface Overflowing {
  readonly pmu: X86Pmu;
  readonly perf: X86RecordedPerf;
  readonly places: HardwarePlaces;
  overflow(counter: number): void;
  overflowPossible(counter: number): void;
}

/**
 * Overflows that no record tells (perf.data holds nothing made in an NMI). An overflow makes KVM reprogram the counter
 * before the next entry: one that KVM paused for no other reason overflowed, and one it did not pause did not. Without
 * pauses (`pausesTell` false), an event that surely reached its period overflowed, and one that may have, may have.
 */
export function inferOverflows(vcpu: Overflowing, pausesTell: boolean): void {
  if (pausesTell) overflowsByPauses(vcpu);
  else overflowsByCounts(vcpu);
}

function overflowsByPauses(vcpu: Overflowing): void {
  const { pmu, perf } = vcpu;
  if (!perf.anyEarly) return;
  const { counters } = pmu;
  for (let k = 0; k < counters.length; k++) {
    const i = counters[k]!;
    if (!perf.wasPausedNow(i)) continue;
    if (!pmu.mayBePending(i) || pmu.overflowDue(i)) vcpu.overflow(i);
  }
}

function overflowsByCounts(vcpu: Overflowing): void {
  const { pmu, perf, places } = vcpu;
  const { counters } = pmu;
  for (let k = 0; k < counters.length; k++) {
    const i = counters[k]!;
    if (perf.life[i] === Backing.none) continue;
    // The host's accesses to a hardware counter show its overflows.
    if (places.tells(i)) continue;
    const reached = pmu.overflowReached(i);
    if (reached === 1) vcpu.overflow(i);
    else if (reached === 2) vcpu.overflowPossible(i);
  }
}

/** A counter whose value is not known: its event's new period tells. */
export function learnFromPeriods(pmu: X86Pmu, perf: X86RecordedPerf): void {
  if (!perf.anyPeriodTold) return;
  perf.anyPeriodTold = false;
  const { config } = pmu;
  for (const i of pmu.counters) {
    const period = perf.takePeriodTold(i);
    if (period === 0n) continue;
    const { span, width } = pmu.counterView(i);
    if (span === 0n) continue;
    const value = BigInt.asUintN(width, -period);
    pmu.adopt(counterMsr(i, config.vendor, config.perfctrCore), value);
  }
}
