import type { HostSpan, PlacedStat, ReadInterval } from '../guest-windows/guest-window.ts';
import type { Amount } from '../ledger/amount.ts';
import { exactly, holdsZero, isExact, magnitude } from '../ledger/amount.ts';
import type { Judgement } from '../ledger/judgement.ts';
import { countedByKvm, cutByWidth } from './facts.ts';
import { type Compared, duration, excluded, finding, type Rule, undecided } from './rule.ts';

/** A boundary loses or gains at most this many events. */
const MOST_PER_ENTRY = 200;
/** Fewer entries make no rule of a difference. */
const ENOUGH_ENTRIES = 100;
/** Branches retired on AMD: select 0xc2. */
const AMD_BRANCHES = 0xc2;

/** An effect of hardware both sides count: a part of the difference only where there is no host count. */
function againstNobody({ host }: Compared, events: bigint): Amount | null {
  return host === null ? exactly(events) : null;
}

/** A placed count of perf stat begins and ends somewhere near the times it has, and may reach beyond the window. */
function placedEdges({ fromSeq, toSeq }: HostSpan, placed: PlacedStat): Judgement {
  const { withinNs, edgeNs, outsideNs, edges, ownThread } = placed;
  const parts = [
    ...(edgeNs > 0
      ? [`its start is known to ±${duration(withinNs)}: ${duration(edgeNs)} of counted time`]
      : []),
    ...(outsideNs > 0 ? [`it holds ${duration(outsideNs)} outside of the window`] : []),
    ...(ownThread
      ? []
      : ['whose threads it counted is not recorded (with -a those of other VMs too)']),
  ];
  return finding(
    'edge-window',
    'consistent',
    `The host's count is of perf stat placed on the trace's clock: ${parts.join(', and ')}.`,
    [fromSeq, toSeq],
    { amount: edges, missing: ['host-counts'] },
  );
}

/** Events lost or gained at the boundary of the guest. */
const edgeWindow: Rule = {
  code: 'edge-window',
  judge(compared) {
    const { basis, host, difference, window } = compared;
    if (difference === null || host === null || (basis !== 'G' && basis !== 'GH-H'))
      return undefined;
    const { placed } = host;
    const same = isExact(difference) && holdsZero(difference);
    if (placed !== undefined && (!isExact(placed.edges) || !(placed.ownThread || same))) {
      return placedEdges(host, placed);
    }
    if (holdsZero(difference)) return excluded('edge-window', 'the counts do not differ');
    if (window.gates.some(({ guestNs }) => guestNs > 0)) {
      return excluded('edge-window', 'it was closed for a part of the window');
    }
    if (countedByKvm(compared) !== undefined) {
      return excluded('edge-window', 'the instructions KVM emulated are as many');
    }
    const k = cutByWidth(compared);
    if (k !== undefined) return excluded('edge-window', `the difference is 2^${k}`);
    const entries = host.totals?.entries ?? window.totals.entries;
    const each = Number(magnitude(difference)) / Math.max(1, entries);
    if (entries < ENOUGH_ENTRIES || each > MOST_PER_ENTRY) {
      return excluded(
        'edge-window',
        `${entries} entries do not make a difference of ${difference.low}`,
      );
    }
    const gap = host.gapPerExit;
    const stable = gap !== null && gap.parts >= 3 && Math.abs(gap.high - gap.low) <= 1;
    const text = `The gap is ${each.toFixed(1)} for each of ${entries} entries: counters are switched near the boundary of the guest, not at it.`;
    return finding(
      'edge-window',
      stable ? 'proven' : 'consistent',
      text,
      [host.fromSeq, host.toSeq],
      {
        amount: difference,
        missing: stable ? [] : ['host-counts'],
      },
    );
  },
};

/** Reads between which the counter moved by the entries plus always the same. */
function sameBesideEntries(intervals: readonly ReadInterval[]): boolean {
  const rests = new Set(intervals.map(({ events, enabled }) => events - BigInt(enabled.entries)));
  const entries = new Set(intervals.map(({ enabled }) => enabled.entries));
  return intervals.length >= 3 && rests.size === 1 && entries.size >= 2;
}

/** AMD retires VMRUN as a branch of the guest. */
const vmentryOvercount: Rule = {
  code: 'vmentry-overcount',
  judge(compared) {
    const { window, run } = compared;
    if (run.arch !== 'x86' || window.event !== AMD_BRANCHES) return undefined;
    if (run.vendor !== 'amd') {
      return excluded('vmentry-overcount', "this CPU's entries are no branches of the guest");
    }
    const at = window.atRead;
    const entries = at?.counting.entries ?? window.counting.entries;
    if (entries === 0) return excluded('vmentry-overcount', 'no entry while it counted');
    const proof = sameBesideEntries(window.intervals);
    const evidence = window.intervals.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
    const text = `${entries} entries while it counted: AMD retires VMRUN as a branch of the guest.`;
    return proof
      ? finding(
          'vmentry-overcount',
          'proven',
          `${text} Its reads move by the entries between them plus the same number each time.`,
          [...new Set(evidence)],
          { amount: againstNobody(compared, BigInt(entries)), integerProof: true },
        )
      : finding(
          'vmentry-overcount',
          'consistent',
          text,
          [window.fromSeq, at?.seq ?? window.toSeq],
          {
            amount: againstNobody(compared, BigInt(entries)),
            missing: ['bare-metal'],
          },
        );
  },
};

/** A guest of the guest is counted. */
const nestedScope: Rule = {
  code: 'nested-scope',
  judge(compared) {
    const { window } = compared;
    const { nested, totals, happenings } = window;
    if (nested.spans === 0) {
      if (totals.nestedExits === 0) {
        return totals.namedExits > 0
          ? excluded('nested-scope', 'the guest entered no guest of its own')
          : undefined;
      }
      return undecided(
        'nested-scope',
        `${totals.nestedExits} exits of the guest enter a guest of its own; when that one ran is not recorded.`,
        ['nested'],
        happenings.exited.evidence,
      );
    }
    if (nested.events === null) {
      return undecided(
        'nested-scope',
        `A nested guest ran ${nested.spans} times; what the counter moved by meanwhile is not recorded.`,
        ['backing-events'],
        nested.evidence,
      );
    }
    if (nested.events === 0n) {
      return excluded(
        'nested-scope',
        'the counter stood still while the nested guest ran',
        nested.evidence,
      );
    }
    return finding(
      'nested-scope',
      'proven',
      `The counter moved by ${nested.events} while a nested guest ran (${nested.spans} ${nested.spans === 1 ? 'span' : 'spans'}).`,
      nested.evidence,
      { amount: againstNobody(compared, nested.events) },
    );
  },
};

export const EDGE_RULES: readonly Rule[] = [edgeWindow, vmentryOvercount, nestedScope];
