import { sameEvent } from '../compare.ts';
import { ENOUGH_NS, notOnHardware } from './backing-facts.ts';
import { duration, excluded, finding, percent, type Rule, undecided } from './rule.ts';

/** A host event that was on hardware only part of the time. */
const multiplexed: Rule = {
  code: 'multiplexed',
  judge({ window, run, hostEvents }) {
    const same = window.hosts.filter((span) => sameEvent(window, span, run));
    const timed = same.filter(
      ({ enabledNs, runningNs }) => enabledNs !== null && runningNs !== null,
    );
    if (timed.length === 0) {
      const flexible = hostEvents.find(
        (event) => !event.pinned && !event.refused && sameEvent(window, event, run),
      );
      return flexible === undefined || flexible.inactive.length === 0
        ? undefined
        : undecided(
            'multiplexed',
            'A host event of this kind was taken off the hardware; its times enabled and running are not recorded.',
            ['host-counts'],
            flexible.inactive.map(({ seq }) => seq),
          );
    }
    const parts = timed.filter(({ enabledNs, runningNs }) => runningNs! < enabledNs!);
    if (parts.length === 0) {
      return excluded('multiplexed', 'the host events ran all the time they were enabled');
    }
    const [span] = parts;
    const { host, enabledNs, runningNs, totals, fromSeq, toSeq } = span!;
    const estimate = runningNs! === 0n ? 'nothing' : `${(host * enabledNs!) / runningNs!}`;
    const missed = Number(enabledNs! - runningNs!);
    const guestNs = totals?.guestNs ?? 0;
    // Off the hardware for just the time the vCPU ran: what is missing is what is asked for.
    const justGuest = guestNs > 0 && missed >= 0.8 * guestNs;
    return finding(
      'multiplexed',
      'proven',
      `The host event was on hardware for ${percent(Number(runningNs!) / Number(enabledNs!))} of its time: ${host} are scaled to ${estimate}.${justGuest ? ' What it missed is the time the vCPU ran: the estimate is invalid, not noisy.' : ''}`,
      [fromSeq, toSeq],
    );
  },
};

/** The event counts on the cores of one PMU only. */
const wrongPmu: Rule = {
  code: 'wrong-pmu',
  judge(compared) {
    const { window, host, difference } = compared;
    if (window.pcpus.size < 2) return excluded('wrong-pmu', 'the vCPU stayed on one CPU');
    if (notOnHardware(window).length > 0) return undefined;
    const stays = window.stays.filter(({ openNs }) => openNs >= 1000);
    const still = stays.filter(({ events }) => events === 0n);
    const moving = stays.filter(({ events }) => events > 0n);
    const stalled = window.intervals.some(
      ({ events, enabled }) => events === 0n && enabled.ns >= ENOUGH_NS,
    );
    if (still.length === 0 || moving.length === 0) {
      if (stays.length >= 2) {
        return excluded(
          'wrong-pmu',
          `it counted on CPUs ${moving.map(({ pcpu }) => pcpu).join(', ')}`,
        );
      }
      return stalled
        ? undecided(
            'wrong-pmu',
            'The counter stood still for a while, and the vCPU ran on several CPUs; what it counted on which is not recorded.',
            ['backing-events', 'pmu-types'],
          )
        : undefined;
    }
    const cpus = (of: typeof stays): string => of.map(({ pcpu }) => pcpu).join(', ');
    const text = `It counted on CPU ${cpus(moving)} and stood still on CPU ${cpus(still)} with its gates open (${duration(still.reduce((sum, { openNs }) => sum + openNs, 0))} of guest time).`;
    const evidence = [...moving, ...still].flatMap((stay) => stay.evidence);
    const { inactiveState } = window.happenings;
    const amount = host === null ? null : difference;
    return inactiveState.count > 0
      ? finding(
          'wrong-pmu',
          'proven',
          `${text} Its event was not in error there, only inactive: it belongs to the PMU of the other cores.`,
          [...evidence, ...inactiveState.evidence],
          { amount },
        )
      : finding('wrong-pmu', 'consistent', text, evidence, {
          amount,
          missing: ['pmu-types', 'backing-events'],
        });
  },
};

/** Causes of an event that has its counter only some of the time or on some of the CPUs. */
export const SHARING_RULES: readonly Rule[] = [wrongPmu, multiplexed];
