import { UsageError } from '../domain/errors.ts';
import { EventKind, KIND_SPECS, kindByName } from '../domain/event-kind.ts';

/** Evidence that `--without` can take away: whole kinds, and the counts that records of other kinds carry along. */
export interface Withheld {
  /** Indexed by EventKind: true when events of this kind are not to be used. */
  readonly kinds: readonly boolean[];
  /** Counts in event-enable, -disable, -release, -overflow and hw-del records are not to be used (the rest of the record is). */
  readonly counts: boolean;
}

interface EvidenceGroup {
  readonly kinds: readonly EventKind[];
  readonly counts?: true;
  readonly meaning: string;
}

/** Names for what belongs together, besides the names of single kinds. */
export const EVIDENCE_GROUPS: Readonly<Record<string, EvidenceGroup>> = {
  'perf-reads': {
    kinds: [EventKind.eventRead, EventKind.eventPause],
    meaning: 'reads and pauses of the backing perf events',
  },
  'host-registers': {
    kinds: [EventKind.hostRdmsr, EventKind.hostWrmsr, EventKind.hostRdpmc],
    meaning: "x86: the host's own accesses to its performance counters",
  },
  'hw-counts': { kinds: [EventKind.hwUpdate], meaning: 'counts the PMU driver folds in' },
  placement: {
    kinds: [EventKind.hwAdd, EventKind.hwDel],
    meaning: 'placing events on hardware counters and taking them off',
  },
  'event-counts': {
    kinds: [],
    counts: true,
    meaning: 'counts that come along with enable, disable, release, overflow',
  },
  counts: {
    kinds: [
      EventKind.eventRead,
      EventKind.eventPause,
      EventKind.hwUpdate,
      EventKind.hostRdmsr,
      EventKind.hostRdpmc,
    ],
    counts: true,
    meaning:
      "every recorded count of a backing event: perf-reads, hw-counts, event-counts, and the host's reads of its counters",
  },
  schedule: {
    kinds: [
      EventKind.schedSwitch,
      EventKind.schedMigrate,
      EventKind.guestEnter,
      EventKind.guestExit,
    ],
    meaning: 'when the vCPU ran',
  },
};

export const NOTHING_WITHHELD: Withheld = { kinds: KIND_SPECS.map(() => false), counts: false };

/** Turns `perf-reads,hw-update,…` into what to withhold. UsageError for a word that is neither group nor kind. */
export function parseWithheld(words: readonly string[]): Withheld {
  const kinds = KIND_SPECS.map(() => false);
  let counts = false;
  for (const word of words) {
    const group = Object.hasOwn(EVIDENCE_GROUPS, word) ? EVIDENCE_GROUPS[word] : undefined;
    const kind = kindByName(word);
    if (group !== undefined) {
      for (const k of group.kinds) kinds[k] = true;
      counts ||= group.counts === true;
    } else if (kind !== undefined && kind !== EventKind.read && kind !== EventKind.write)
      kinds[kind] = true;
    else {
      throw new UsageError(
        `--without ${word}: not a kind of evidence`,
        `groups: ${Object.keys(EVIDENCE_GROUPS).join(', ')}; or the name of an event kind other than read and write`,
      );
    }
  }
  return { kinds, counts };
}

/** The same set always gives the same words: part of the key of checkpoints. */
export function withheldKey(withheld: Withheld): string {
  const bits = withheld.kinds.map((on) => (on ? '1' : '0')).join('');
  return `${bits}${withheld.counts ? 'c' : ''}`;
}
