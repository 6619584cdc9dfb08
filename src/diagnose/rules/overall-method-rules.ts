import type { OverallRule, Report } from './overall.ts';
import { duration, excluded, finding, undecided } from './rule.ts';

/** The host's perf stat counted a thread or process: it can have counted the vCPU. */
function countsThread({ counted }: Report): boolean {
  return counted !== undefined && /^(?:process|thread) id/.test(counted);
}

function firstSeqs(reports: readonly Report[]): number[] {
  return reports.map(({ samples }) => samples[0]!.seq);
}

/** The host's numbers and the guest's are of two executions. */
const differentRun: OverallRule = {
  code: 'different-run',
  judge({ reports, windows, observed }) {
    const guests = reports.filter(({ role }) => role === 'guest');
    const hosts = reports.filter(({ role }) => role === 'host');
    const onThread =
      windows.some(({ hosts: spans }) => spans.length > 0) ||
      observed.hostEvents.some(({ refused }) => !refused);
    if (guests.length === 0) return undefined;
    if (hosts.length === 0) {
      return onThread
        ? undefined
        : undecided(
            'different-run',
            'The guest reports counts; none of the host over the same time is recorded.',
            ['host-counts'],
            firstSeqs(guests),
          );
    }
    const [guest, host] = [guests[0]!, hosts[0]!];
    const evidence = firstSeqs([host, guest]);
    if (guest.span === null || host.span === null) {
      return undecided(
        'different-run',
        'Both sides report counts, and not when: nothing shows that they are of one execution.',
        ['two-clocks'],
        evidence,
      );
    }
    const overlap = host.span.to > guest.span.from && guest.span.to > host.span.from;
    if (overlap && (countsThread(host) || onThread)) {
      return excluded(
        'different-run',
        'a host event was on the vCPU thread while the guest counted',
        evidence,
      );
    }
    if (overlap) {
      return undecided(
        'different-run',
        'Both sides counted at the same time; whether the host counted the vCPU thread is not recorded.',
        ['host-counts'],
        evidence,
      );
    }
    const apart =
      host.span.to <= guest.span.from
        ? guest.span.from - host.span.to
        : host.span.from - guest.span.to;
    return finding(
      'different-run',
      'proven',
      `The host's count ends ${duration(Number(apart))} away from the guest's, and no host event was on the vCPU thread: two executions. Their difference is no discrepancy.`,
      evidence,
    );
  },
};

/** So many moments off the axis are no accident. */
const ENOUGH_MOMENTS = 3;
const MOMENTS_SHOWN = 8;

/** The guest's times are not on the trace's axis. */
const clockMismatch: OverallRule = {
  code: 'clock-mismatch',
  judge({ reports, windows }) {
    const guests = reports.filter(({ role }) => role === 'guest');
    if (guests.length === 0 || windows.length === 0) return undefined;
    const unplaced = guests.filter(({ span }) => span === null);
    if (unplaced.length > 0) {
      return undecided(
        'clock-mismatch',
        "The guest's report has no time on the trace's clock: it is not compared window by window.",
        ['two-clocks'],
        firstSeqs(unplaced),
      );
    }
    const looked = guests.flatMap(({ instants }) => instants ?? []);
    const total = looked.reduce((sum, instants) => sum + instants.looked, 0);
    if (total === 0) return undefined;
    const outside = looked.flatMap((instants) => instants.outside);
    if (outside.length === 0) {
      return excluded(
        'clock-mismatch',
        `at all ${total} times of the guest's report a vCPU was in guest mode`,
        firstSeqs(guests),
      );
    }
    const by = outside.map(({ byNs }) => byNs).reduce((a, b) => (a > b ? a : b));
    const proven = outside.length >= ENOUGH_MOMENTS && outside.length * 2 >= total;
    return finding(
      'clock-mismatch',
      proven ? 'proven' : 'consistent',
      `At ${outside.length} of the ${total} times of the guest's report no vCPU was in guest mode, by up to ${duration(Number(by))}: its times are not on the trace's axis.`,
      outside.slice(0, MOMENTS_SHOWN).map(({ seq }) => seq),
      { missing: proven ? [] : ['two-clocks'] },
    );
  },
};

export const OVERALL_METHOD_RULES: readonly OverallRule[] = [differentRun, clockMismatch];
