import { EventKind } from '../../domain/event-kind.ts';
import type { HostEventRecord } from '../guest-windows/host-inventory.ts';
import type { OverallRule, WholeLog } from './overall.ts';
import { excluded, finding, undecided } from './rule.ts';

/** Hardware events the guest's perf calls not supported, with the record of each. */
function notSupported({ reports }: WholeLog): { readonly event: string; readonly seq: number }[] {
  return reports
    .filter(({ role }) => role === 'guest')
    .flatMap(({ samples }) =>
      samples
        .filter(({ state }) => state === 'not-supported')
        .map(({ event, seq }) => ({ event, seq })),
    );
}

/** The guest has no vPMU, or not the part of it that an event needs. */
const pmuAbsent: OverallRule = {
  code: 'pmu-absent',
  judge(log) {
    const { observed, run } = log;
    const { taken, refused, created, entered } = observed;
    const missing = notSupported(log);
    if (created.count > 0 && missing.length === 0) {
      return excluded(
        'pmu-absent',
        'accesses were taken and events created',
        created.evidence.slice(0, 1),
      );
    }
    const accesses = run.kinds.has(EventKind.read) || run.kinds.has(EventKind.write);
    const seqs = [...refused.evidence, ...missing.map(({ seq }) => seq)];
    const names = missing.map(({ event }) => event).join(', ');
    if (missing.length > 0) {
      const supported = log.reports.some(
        ({ role, samples }) => role === 'guest' && samples.some(({ state }) => state === 'counted'),
      );
      if (refused.count > 0 && taken.count === 0) {
        return finding(
          'pmu-absent',
          'proven',
          `KVM refused every access to the PMU (${refused.count}), and the guest says ${names} is not supported: it has no vPMU.`,
          seqs,
        );
      }
      if (entered.count > 0 && accesses && taken.count > 0 && refused.count === 0) {
        return finding(
          'pmu-absent',
          supported ? 'proven' : 'consistent',
          `The guest has a vPMU without what ${names} needs: it says not supported, and no access for it was refused.`,
          seqs,
          supported ? {} : { missing: ['guest-counts'] },
        );
      }
      return entered.count > 0
        ? undecided(
            'pmu-absent',
            `The guest says ${names} is not supported; its accesses to the PMU are not recorded.`,
            ['register-values'],
            seqs,
          )
        : undefined;
    }
    if (refused.count > 0 && taken.count === 0) {
      return finding(
        'pmu-absent',
        'consistent',
        `KVM refused every access to the PMU (${refused.count}).`,
        seqs,
        { missing: ['guest-counts'] },
      );
    }
    return undefined;
  },
};

/** Host events that cannot see the guest because it owns the PMU. */
function darkened(events: readonly HostEventRecord[]): HostEventRecord[] {
  return events.filter(
    ({ modes, refused, afterLoad, inError }) =>
      (modes === 'G+H' || modes === 'G') && ((refused && afterLoad) || inError.length > 0),
  );
}

const mediatedBlackout: OverallRule = {
  code: 'mediated-blackout',
  judge({ observed, run }) {
    const { contextLoad, contextPut, hostEvents } = observed;
    const dark = darkened(hostEvents);
    const evidence = dark.flatMap(({ createdSeq, inError }) => [
      createdSeq,
      ...inError.map(({ seq }) => seq),
    ]);
    if (contextLoad.count === 0) {
      const hit = hostEvents.filter(
        ({ modes, refused, inError }) => modes !== 'H' && (refused || inError.length > 0),
      );
      if (!run.mediated) {
        return hostEvents.length > 0
          ? excluded('mediated-blackout', 'the vPMU is backed by perf events')
          : undefined;
      }
      return hit.length === 0
        ? undefined
        : undecided(
            'mediated-blackout',
            'A host event is in ERROR or was refused; when the guest owned the PMU is not recorded.',
            ['guest-context'],
            hit.map(({ createdSeq }) => createdSeq),
          );
    }
    if (dark.length === 0)
      return excluded('mediated-blackout', 'no host event was kept from counting');
    const refused = dark.filter((event) => event.refused).length;
    const stopped = dark.length - refused;
    const parts = [
      ...(stopped > 0
        ? [
            `${stopped} ${stopped === 1 ? 'is' : 'are'} in ERROR since the guest's context was loaded`,
          ]
        : []),
      ...(refused > 0 ? [`${refused} could not be created`] : []),
    ];
    return finding(
      'mediated-blackout',
      'proven',
      `The guest owns the PMU (${contextLoad.count} loads): of the host events that count guests ${parts.join(' and ')}.`,
      [...contextLoad.evidence.slice(0, 2), ...contextPut.evidence.slice(0, 2), ...evidence].sort(
        (a, b) => a - b,
      ),
    );
  },
};

/** A guest's perf that took turns: its own report says so. */
const guestMultiplexed: OverallRule = {
  code: 'multiplexed',
  judge({ reports }) {
    const scaled = reports
      .filter(({ role }) => role === 'guest')
      .flatMap(({ samples }) =>
        samples.filter(
          ({ running, state }) => state === 'counted' && running > 0 && running < 10_000,
        ),
      );
    if (scaled.length === 0) return undefined;
    const [first] = scaled;
    return finding(
      'multiplexed',
      'proven',
      `The guest's own perf took turns: ${scaled.length} of its events ran only part of the time (${first!.event} ${(first!.running / 100).toFixed(0)} %), so its numbers are estimates. That is inside the guest; the host need not be short of counters.`,
      scaled.slice(0, 8).map(({ seq }) => seq),
    );
  },
};

export const OVERALL_BACKING_RULES: readonly OverallRule[] = [
  pmuAbsent,
  mediatedBlackout,
  guestMultiplexed,
];
