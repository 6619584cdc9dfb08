import { EventKind } from '../../domain/event-kind.ts';
import { sameEvent } from '../compare.ts';
import type { GuestWindow } from '../guest-windows/guest-window.ts';
import { exactly, isExact } from '../ledger/amount.ts';
import { cutByWidth, evenPerExit } from './facts.ts';
import {
  type Compared,
  duration,
  evidenceOf,
  excluded,
  finding,
  percent,
  type Rule,
  share,
  undecided,
} from './rule.ts';
import { EDGE_RULES } from './scope-edge-rules.ts';
import { POLLUTION_RULES } from './scope-pollution-rules.ts';

/** Below this share of the window's time a cause of lost time is not worth a line. */
const WORTH_SAYING = 0.01;
/** No event happens more often than this in a nanosecond of one CPU; host-mode counts above it are not host work. */
const MOST_PER_NS = 20;
/** Average exit above this is longer than anything KVM does by itself, ns. */
const LONG_EXIT = 200_000;

/** Where the time between the first and the last record of the comparison went. */
function totalsOf({ window, host }: Compared): GuestWindow['totals'] {
  return host?.totals ?? window.totals;
}

/** The host event leaves guest mode out. */
const hostOnlyScope: Rule = {
  code: 'host-only-scope',
  judge(compared) {
    const { window, basis, host, hostEvents, run } = compared;
    if (basis !== null && basis !== 'H') {
      return excluded('host-only-scope', 'a host event that counts guest mode is there');
    }
    if (host === null) {
      const unread = hostEvents.find(
        (event) => event.modes === 'H' && !event.refused && sameEvent(window, event, run),
      );
      if (unread !== undefined) {
        return undecided(
          'host-only-scope',
          'A host event that leaves guest mode out was opened, and no two of its counts are recorded.',
          ['host-counts'],
          [unread.createdSeq],
        );
      }
      const untold = window.hosts.filter(({ modes }) => modes === 'H or G+H');
      if (untold.length === 0) return undefined;
      return undecided(
        'host-only-scope',
        'The host event counts host mode; whether it counts guest mode too is not recorded.',
        ['host-attr'],
        untold.map(({ toSeq }) => toSeq),
      );
    }
    const { exitNs, offNs } = totalsOf(compared);
    if (Number(host.host) > MOST_PER_NS * (exitNs + offNs)) {
      return excluded(
        'host-only-scope',
        'the host count is more than its time outside the guest holds',
      );
    }
    return finding(
      'host-only-scope',
      'proven',
      `The host event excludes guest mode: its ${host.host} are the work of ${duration(exitNs)} between exits and entries, and none of the guest's.`,
      [host.fromSeq, host.toSeq],
      { amount: host.guest },
    );
  },
};

/** Work between exits and entries is in the total, not in the guest's count. */
const hvExcluded: Rule = {
  code: 'hv-excluded',
  judge(compared) {
    const { window, basis, host, difference, run } = compared;
    if (basis === null || host === null || difference === null) return undefined;
    const { exits, exitNs } = totalsOf(compared);
    const evidence = [host.fromSeq, host.toSeq, ...window.happenings.exited.evidence.slice(0, 2)];
    if (basis === 'G' || basis === 'GH-H') {
      return excluded(
        'hv-excluded',
        `neither side counts the host's work: ${exits} exits took ${duration(exitNs)}`,
      );
    }
    if (!run.kinds.has(EventKind.guestExit)) {
      return undecided(
        'hv-excluded',
        'The host counts its own work too; the exits it does it for are not recorded.',
        ['entries'],
      );
    }
    if (exits === 0) return excluded('hv-excluded', 'no exit in the span');
    const k = basis === 'H' ? undefined : cutByWidth(compared);
    if (k !== undefined) return excluded('hv-excluded', `the gap is 2^${k}`);
    const amount = basis === 'H' ? exactly(-host.host) : difference;
    const work = -Number(amount.low + amount.high) / 2;
    if (work < 0 || work / exits > MOST_PER_NS * (exitNs / exits + 1000)) {
      return excluded(
        'hv-excluded',
        `the gap is not of the size of ${exits} exits (${duration(exitNs)})`,
      );
    }
    const each = `${exits} exits took ${duration(exitNs)} in the host: ${Math.round(work / exits)} each, in the host's count and not in the guest's.`;
    if (basis === 'H') {
      return finding('hv-excluded', 'proven', each, evidence, { amount });
    }
    return evenPerExit(compared)
      ? finding(
          'hv-excluded',
          'proven',
          `${each} The same in ${host.gapPerExit?.parts} parts of the window.`,
          evidence,
          { amount },
        )
      : finding('hv-excluded', 'consistent', each, evidence, { amount, missing: ['host-counts'] });
  },
};

/** The host polled for a halted vCPU. */
const haltPoll: Rule = {
  code: 'halt-poll',
  judge(compared) {
    const { window, run } = compared;
    if (!run.kinds.has(EventKind.guestExit)) return undefined;
    const { polls, pollNs, exitNs, guestNs } = totalsOf(compared);
    const told = run.marks.haltPollNs;
    if (told?.ns === 0)
      return excluded('halt-poll', 'a mark tells that halt_poll_ns is 0', [told.seq]);
    const inHost = window.hosts.find(({ modes }) => modes === 'H');
    if (polls === 0) {
      // Reasons that were not recorded cannot show a halt.
      const spent = share(exitNs, exitNs + guestNs) > 0.5;
      const reasons = window.totals.haltExits > 0 || window.totals.namedExits > 0;
      return spent && !reasons && window.totals.exits > 0
        ? undecided(
            'halt-poll',
            'Most of the time is between exits and entries; why the guest left is not recorded.',
            ['halts'],
          )
        : excluded('halt-poll', 'no halt was followed by an entry without a switch');
    }
    const part = share(pollNs, exitNs + guestNs);
    if (part < 0.1)
      return excluded('halt-poll', `polling takes ${percent(part)} of the running time`);
    const text = `${polls} halts were not switched out: ${duration(pollNs)} of the ${duration(exitNs)} between exits and entries is polling.`;
    const evidence = window.happenings.halted.evidence;
    const most = pollNs >= 0.9 * exitNs;
    if (inHost === undefined || inHost.host === 0n || !most) {
      return finding('halt-poll', 'consistent', text, evidence, { missing: ['host-counts'] });
    }
    const perNs = Number(inHost.host) / exitNs;
    if (perNs > MOST_PER_NS) {
      return finding('halt-poll', 'consistent', text, evidence, { missing: ['host-counts'] });
    }
    return finding(
      'halt-poll',
      'proven',
      `${text} It makes the host's count of its own mode: ${inHost.host}, ${perNs.toFixed(2)} in a nanosecond.`,
      [...evidence, inHost.fromSeq, inHost.toSeq],
    );
  },
};

/** What the counter moved by in a nanosecond of guest time, for a sentence. */
function rateText({ guest, countingNs }: GuestWindow): string {
  if (guest === null || !isExact(guest) || countingNs === 0) return '';
  return ` In guest mode it counted ${(Number(guest.low) / countingNs).toFixed(3)} in a nanosecond.`;
}

/** The thread was off its CPU. */
const hostSteal: Rule = {
  code: 'host-steal',
  judge({ window, run }) {
    const { offNs, stolenNs, preemptions, guestNs, exitNs, exits } = window.totals;
    if (!run.kinds.has(EventKind.schedSwitch)) {
      return exits > 0 && exitNs / exits > LONG_EXIT
        ? undecided(
            'host-steal',
            `Exits take ${duration(exitNs / exits)} on average: the thread may have been off its CPU.`,
            ['switches'],
            window.happenings.exited.evidence,
          )
        : undefined;
    }
    if (preemptions === 0) return excluded('host-steal', 'the vCPU thread never lost its CPU');
    const part = share(stolenNs, offNs + guestNs + exitNs);
    if (part < WORTH_SAYING) {
      return excluded(
        'host-steal',
        `the vCPU thread lost its CPU for ${percent(part)} of the window`,
      );
    }
    return finding(
      'host-steal',
      'proven',
      `The vCPU thread could run and was off its CPU for ${duration(stolenNs)} in ${preemptions} ${preemptions === 1 ? 'span' : 'spans'} (${percent(part)} of the window): clocks went on, the counter did not.${rateText(window)}`,
      evidenceOf(window.happenings.switchedOut, window.happenings.switchedIn),
    );
  },
};

export const SCOPE_RULES: readonly Rule[] = [
  hostOnlyScope,
  hvExcluded,
  haltPoll,
  hostSteal,
  ...POLLUTION_RULES,
  ...EDGE_RULES,
];
