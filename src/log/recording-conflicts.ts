import type { EventChunk } from '../domain/event-chunk.ts';
import { EventKind } from '../domain/event-kind.ts';
import type { RecordingFacts } from '../domain/log-facts.ts';

/** What is asked of a log; the SQLite log satisfies it. */
export interface RecordingsOfLog {
  imports(): readonly LogRecording[];
  timeOf(seq: number): bigint | undefined;
  chunks(range: {
    readonly fromTime: bigint;
    readonly toTime: bigint;
    readonly kinds: ReadonlySet<EventKind>;
  }): Iterable<EventChunk>;
}

/** One recording, as far as it is looked at. */
export interface LogRecording {
  readonly source: number;
  readonly events: number;
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  readonly facts: RecordingFacts;
}

/** Two recordings of one log that should not be replayed together. */
export interface RecordingConflict {
  /**
   * `same-run`: both hold the same records; `other-arch`: of hosts that cannot be one; `other-host`, `other-kernel`: of
   * two hosts, or of one under two kernels, that would be replayed under one rule set.
   */
  readonly code: 'same-run' | 'other-arch' | 'other-host' | 'other-kernel';
  /** Ids of the recordings, the smaller first. */
  readonly recordings: readonly [number, number];
  /** One sentence for people. */
  readonly text: string;
  /** What to do about it. */
  readonly hint: string;
}

/**
 * Pairs of recordings that contradict or repeat each other: results from such a log answer a question nobody asked. Of
 * recordings that overlap in time it reads the first records, so that it costs the same whatever their length.
 */
export function recordingConflicts(log: RecordingsOfLog): readonly RecordingConflict[] {
  const rows = log.imports().filter(({ facts }) => facts.role === 'host');
  const found: RecordingConflict[] = [];
  for (const [k, b] of rows.entries()) {
    // Each is held against the first it disagrees with: ten copies are nine conflicts, not forty-five.
    for (const a of rows.slice(0, k)) {
      const conflict = hostConflict(a, b) ?? sameRun(log, a, b);
      if (conflict === undefined) continue;
      found.push(conflict);
      break;
    }
  }
  return found;
}

/** Why two host recordings cannot be of one host under one kernel. */
export function hostConflict(a: LogRecording, b: LogRecording): RecordingConflict | undefined {
  const differ = (member: 'arch' | 'hostname' | 'kernelRelease'): boolean => {
    const [one, other] = [a.facts[member], b.facts[member]];
    if (one === undefined || other === undefined) return false;
    return member === 'kernelRelease' ? version(one) !== version(other) : one !== other;
  };
  const pair = [a.source, b.source] as const;
  const names = `${named(a)} and ${named(b)}`;
  if (differ('arch')) {
    return {
      code: 'other-arch',
      recordings: pair,
      text: `${names} are of two hosts: one is ${a.facts.arch}, the other ${b.facts.arch}`,
      hint: 'one log holds the recordings of one host: import each into a log of its own',
    };
  }
  if (differ('hostname')) {
    return {
      code: 'other-host',
      recordings: pair,
      text: `${names} were made on ${a.facts.hostname} and on ${b.facts.hostname}, and are replayed as one host`,
      hint: 'import each host into a log of its own; a recording made inside the guest is guest:FILE',
    };
  }
  if (differ('kernelRelease')) {
    return {
      code: 'other-kernel',
      recordings: pair,
      text: `${names} were made under ${a.facts.kernelRelease} and ${b.facts.kernelRelease}, and are replayed under one rule set`,
      hint: 'import each kernel into a log of its own; a recording made inside the guest is guest:FILE',
    };
  }
  return undefined;
}

/** The number of a kernel: what was told by hand need not have the distribution's suffix. */
function version(release: string): string {
  return /^\d+(?:\.\d+)*/.exec(release)?.[0] ?? release;
}

/** Records with values or pointers in them: those of another run, or of another guest, hardly ever agree. */
const TELLING: ReadonlySet<EventKind> = new Set([
  EventKind.read,
  EventKind.write,
  EventKind.guestExit,
  EventKind.counterGet,
  EventKind.counterSet,
  EventKind.eventTypeSet,
  EventKind.pmcrHandle,
  EventKind.eventCreate,
  EventKind.eventRead,
  EventKind.hwAdd,
  EventKind.hwUpdate,
]);

/** Records of either recording that are compared at most, and how many at least are needed to say anything. */
const COMPARED = 2048;
const ENOUGH = 16;
/** Two recorders of one run lose different records; of two runs next to nothing agrees. */
const SAME = 0.75;

function sameRun(
  log: RecordingsOfLog,
  a: LogRecording,
  b: LogRecording,
): RecordingConflict | undefined {
  const [spanA, spanB] = [spanOf(log, a), spanOf(log, b)];
  if (spanA === undefined || spanB === undefined) return undefined;
  const fromTime = spanA.first > spanB.first ? spanA.first : spanB.first;
  const toTime = spanA.last < spanB.last ? spanA.last : spanB.last;
  if (fromTime > toTime) return undefined;
  const mine: Map<string, number> = new Map();
  const other: Map<string, number> = new Map();
  let [ofA, ofB] = [0, 0];
  for (const chunk of log.chunks({ fromTime, toTime, kinds: TELLING })) {
    for (let i = 0; i < chunk.length; i++) {
      const source = chunk.source[i]!;
      if (source === a.source) ofA += add(mine, keyOf(chunk, i));
      else if (source === b.source) ofB += add(other, keyOf(chunk, i));
    }
    if (ofA >= COMPARED || ofB >= COMPARED) break;
  }
  const fewer = Math.min(ofA, ofB);
  if (fewer < ENOUGH) return undefined;
  let same = 0;
  for (const [key, count] of mine) same += Math.min(count, other.get(key) ?? 0);
  if (same < SAME * fewer) return undefined;
  return {
    code: 'same-run',
    recordings: [a.source, b.source],
    text: `${named(a)} and ${named(b)} hold the same run: of ${fewer} records compared ${same} are in both, and count twice`,
    hint: 'import one of them alone, the one that lost fewest records',
  };
}

function named({ source, facts }: LogRecording): string {
  return `recording ${source} (${facts.name})`;
}

function spanOf(
  log: RecordingsOfLog,
  { firstSeq, lastSeq }: LogRecording,
): { readonly first: bigint; readonly last: bigint } | undefined {
  const first = firstSeq === undefined ? undefined : log.timeOf(firstSeq);
  const last = lastSeq === undefined ? undefined : log.timeOf(lastSeq);
  return first === undefined || last === undefined ? undefined : { first, last };
}

function add(counts: Map<string, number>, key: string): 1 {
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return 1;
}

/** What two recorders write down alike: not the time, which each takes for itself. */
function keyOf(chunk: EventChunk, i: number): string {
  return `${chunk.kind[i]} ${chunk.tid[i]} ${chunk.code[i]} ${chunk.object[i]} ${chunk.value[i]}`;
}
