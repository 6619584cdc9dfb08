import { InputError, UsageError } from '../domain/errors.ts';
import { type Event, type EventChunk, eventAt } from '../domain/event-chunk.ts';
import { EventKind } from '../domain/event-kind.ts';
import type { SliceFacts } from '../domain/slice-facts.ts';
import { Arm64Vcpu } from '../replay/arm64/arm64-vcpu.ts';
import { createReplayer } from '../replay/create-replayer.ts';
import type { Observation } from '../replay/observation.ts';
import { type ReplayStep, replay, runReplay } from '../replay/replay.ts';
import {
  limitAtSeq,
  type PreparedReplay,
  prepareReplay,
  type ReplayChoices,
} from '../replay/replay-log.ts';
import type { Replayer } from '../replay/replayer.ts';
import {
  chunkOfEvents,
  rowsOf,
  type SliceableLog,
  type SliceRange,
  witnesses,
} from '../replay/slice/slice-events.ts';
import { arm64StartEvents } from '../replay/slice/start-events.ts';
import { historyOf, standingEvents, tails } from './slice-history.ts';
import { partsOf, tryOut } from './slice-trial.ts';
import { valuesHeld } from './slice-values.ts';

/** A part of a log that stands by itself. */
export interface Slice {
  readonly facts: SliceFacts;
  /** The preamble and the events of the range, in order; read anew each time. `seq` is 0 in the preamble. */
  chunks(): Iterable<EventChunk>;
  readonly events: number;
  /** Guest reads whose prediction is less sure than in the whole log. */
  readonly lessSure: number;
}

/** Events a slice may begin earlier than asked, so that no access is cut in two. */
const MOST_LEAD = 256;

/** Where a slice begins: the event before it and the state after that; undefined `before`: the beginning of the log. */
interface Start {
  readonly before: Event | undefined;
  /** Events before the range that belong to an access the range begins in. */
  readonly lead: readonly Event[];
  readonly step: ReplayStep | undefined;
}

/**
 * Cuts the events of a range out of a log so that they can be replayed, checked and diagnosed without it. The preamble
 * re-creates the state at the start; where events made from the state do not give every guest read the prediction it has
 * in the whole log, the last earlier events themselves are kept, as few as do. UsageError for a range without events.
 */
export function sliceLog(
  log: SliceableLog & { readonly head: string },
  range: SliceRange,
  options: { readonly tool: string; readonly choices?: ReplayChoices },
): Slice {
  const ends = endsOf(log, range);
  const prepared = prepareReplay(log, options.choices);
  const start = startOf(log, prepared, ends.first);
  const firstTime = log.timeOf(start.lead[0]?.seq ?? ends.first.seq)!;
  const lead = chunkOfEvents(start.lead);
  function* body(): Iterable<EventChunk> {
    if (lead !== undefined) {
      yield rowsOf(
        lead,
        start.lead.map((_, i) => i),
        start.lead.map(({ seq }) => seq),
      );
    }
    yield* log.chunks(range);
  }
  const made = preambleOf(log, prepared, start, firstTime, ends);
  const held = valuesHeld(start.step?.replayer, body);
  const whole = observationsOf(prepared, start, body, ends.last.seq);
  const candidates: { form: SliceFacts['form']; preamble: () => Iterable<EventChunk> }[] = [];
  if (made !== undefined) {
    const chunk = chunkOfEvents(made);
    candidates.push({ form: 'state', preamble: () => (chunk === undefined ? [] : [chunk]) });
  }
  const around = { before: start.before, kinds: ends.kinds, source: ends.source };
  for (const fromSeq of tails(start.before)) {
    candidates.push({
      form: 'history',
      preamble: () => historyOf(log, around, fromSeq),
    });
  }
  for (const [i, { form, preamble }] of candidates.entries()) {
    const tried = tryOut(log, prepared, preamble, body, { whole, held });
    if (i < candidates.length - 1 && !tried.faithful) continue;
    const { guestReads, counterReads } = tried.totals;
    return {
      facts: {
        tool: options.tool,
        source: log.head,
        fromSeq: start.lead[0]?.seq ?? ends.first.seq,
        toSeq: ends.last.seq,
        fromTime: `${firstTime}`,
        toTime: `${log.timeOf(ends.last.seq)!}`,
        preamble: tried.preamble,
        form,
        ruleSet: prepared.ruleSet.name,
        guestReads: { ...guestReads },
        counterReads: { ...counterReads },
      },
      chunks: () => partsOf(preamble, body),
      events: tried.events,
      lessSure: tried.lessSure,
    };
  }
  throw new InputError('the slice replays in no form like the log it is from');
}

interface Ends {
  readonly first: Event;
  readonly last: Event;
  readonly kinds: ReadonlySet<EventKind>;
  /** The recording the preamble is said to be of: the first that speaks of a vCPU. */
  readonly source: number;
}

function endsOf(log: SliceableLog, range: SliceRange): Ends {
  const hosts = new Set(
    log.imports().flatMap(({ source, facts }) => (facts.role === 'host' ? [source] : [])),
  );
  const kinds = new Set<EventKind>();
  let first: Event | undefined;
  let last: Event | undefined;
  let source: number | undefined;
  for (const chunk of log.chunks(range)) {
    for (let i = 0; i < chunk.length; i++) {
      kinds.add(chunk.kind[i]! as EventKind);
      if (source === undefined && chunk.vcpu[i]! >= 0 && hosts.has(chunk.source[i]!)) {
        source = chunk.source[i]!;
      }
    }
    first ??= eventAt(chunk, 0);
    last = eventAt(chunk, chunk.length - 1);
  }
  if (first === undefined || last === undefined) {
    throw new UsageError('the range holds no event', 'vpmu info says what the log spans');
  }
  return { first, last, kinds, source: source ?? [...hosts][0] ?? first.source };
}

function cutsAccess(replayer: Replayer | undefined): boolean {
  return (replayer?.vcpus ?? []).some((vcpu) => vcpu instanceof Arm64Vcpu && vcpu.accessIsOpen);
}

/** The state before the first event, moved to an earlier one where a guest access is open. */
function startOf(
  log: SliceableLog,
  { source, config, checkpoints }: PreparedReplay,
  first: Event,
): Start {
  for (let back = 1; ; back *= 2) {
    const earlier = log.eventsBefore(first.seq, back);
    const before = earlier.length < back ? undefined : earlier[0];
    if (before === undefined && earlier.length === 0) {
      return { before: undefined, lead: [], step: undefined };
    }
    const lead = before === undefined ? earlier : earlier.slice(1);
    if (before === undefined) return { before, lead, step: undefined };
    const limit = limitAtSeq(log, before.seq)!;
    const step = runReplay(replay(source, config, { limit, checkpoints }));
    if (!cutsAccess(step?.replayer) || back >= MOST_LEAD) return { before, lead, step };
  }
}

/** Events made from the state; undefined where it cannot be told in events. */
function preambleOf(
  log: SliceableLog,
  { config }: PreparedReplay,
  { step, lead }: Start,
  time: bigint,
  ends: Ends,
): readonly Partial<Event>[] | undefined {
  if (step === undefined)
    return [...witnesses(log.kindCounts().keys(), ends.kinds, { time, source: ends.source })];
  if (config.arch !== 'arm64') return undefined;
  const { replayer } = step;
  replayer.advanceTo(time);
  const vcpus = replayer.vcpus.filter((vcpu) => vcpu instanceof Arm64Vcpu);
  const wanted = new Set(
    vcpus
      .flatMap(({ perf }) => [...perf.createdAt, ...perf.placementFailed])
      .filter((seq) => seq > 0),
  );
  const found = new Map<number, Event>();
  for (const chunk of log.chunks({ kinds: new Set([EventKind.eventCreate, EventKind.hwAdd]) })) {
    for (let i = 0; i < chunk.length; i++) {
      if (wanted.has(chunk.seq[i]!)) found.set(chunk.seq[i]!, eventAt(chunk, i));
    }
    if (found.size === wanted.size) break;
  }
  const recorded = (kind: EventKind): boolean => config.recordedKinds.has(kind);
  const fromSeq = lead[0]?.seq ?? ends.first.seq;
  const events: Partial<Event>[] = [];
  for (const vcpu of vcpus) {
    const told = arm64StartEvents(
      vcpu,
      config.vcpus.find(({ slot }) => slot === vcpu.slot)!,
      config.facts.byVcpu.get(vcpu.slot) ?? {},
      {
        time,
        source: ends.source,
        entersRecorded: recorded(EventKind.guestEnter) && recorded(EventKind.guestExit),
        tells: ({ first, second }) => second !== 0 || first < fromSeq || first > ends.last.seq,
        original: (seq) => found.get(seq),
      },
    );
    if (told === undefined) return undefined;
    events.push(...told);
  }
  const standing = standingEvents(log, fromSeq - 1);
  const present = new Set([...ends.kinds, ...[...standing, ...events].map(({ kind }) => kind!)]);
  const first = events.reduce((least, event) => (event.time! < least ? event.time! : least), time);
  // In order of time, what is of one time in the order it was made.
  return [
    ...witnesses(log.kindCounts().keys(), present, { time: first, source: ends.source }),
    ...standing,
    ...events.toSorted((a, b) => (a.time! < b.time! ? -1 : a.time! > b.time! ? 1 : 0)),
  ];
}

/** The guest reads of the slice's body as the whole log predicts them. Goes on from the start's replayer. */
function observationsOf(
  prepared: PreparedReplay,
  { step }: Start,
  body: () => Iterable<EventChunk>,
  lastSeq: number,
): readonly Observation[] {
  const wanted = new Set<number>();
  for (const chunk of body()) {
    for (let i = 0; i < chunk.length; i++) {
      const kind = chunk.kind[i]!;
      if (kind === EventKind.read || kind === EventKind.write) wanted.add(chunk.seq[i]!);
    }
  }
  const seen: Observation[] = [];
  const observe = (observation: Observation): void => {
    if (wanted.has(observation.seq)) seen.push(observation);
  };
  const replayer = step?.replayer ?? createReplayer(prepared.config);
  if (step !== undefined) {
    const { chunk, applied } = step;
    replayer.apply(chunk, applied, chunk.length, observe);
    if (chunk.seq.subarray(applied, chunk.length).includes(lastSeq)) return seen;
  }
  const after = step === undefined ? {} : { after: step.chunk.cursor };
  for (const chunk of prepared.source.chunks(after)) {
    replayer.apply(chunk, 0, chunk.length, observe);
    if (chunk.seq.subarray(0, chunk.length).includes(lastSeq)) break;
  }
  return seen;
}
