import type { OverallRule } from './overall.ts';
import { undecided } from './rule.ts';

/** The host's perf stat counted on a clock of its own: its counts belong to no window. A guest's is judged elsewhere. */
const hostClock: OverallRule = {
  code: 'clock-mismatch',
  judge({ reports, windows }) {
    if (reports.some(({ role }) => role === 'guest')) return undefined;
    const unplaced = reports.filter(({ role, span }) => role === 'host' && span === null);
    const alone = windows.filter(({ hosts }) => hosts.length === 0);
    if (unplaced.length === 0 || alone.length === 0) return undefined;
    return undecided(
      'clock-mismatch',
      `The host's perf stat has no time on the trace's clock (--stat-start): ${alone.length} of ${windows.length} windows have no host count, and it gives them none.`,
      ['two-clocks'],
      unplaced.map(({ samples }) => samples[0]!.seq),
    );
  },
};

export const OVERALL_CLOCK_RULES: readonly OverallRule[] = [hostClock];
