import { EventKind } from '../domain/event-kind.ts';
import { grouped } from '../domain/u64.ts';
import { eventCeilingPerNs } from '../replay/event-ceiling.ts';
import type { GuestWindow } from './guest-windows/guest-window.ts';
import { isCycles } from './rules/facts.ts';
import { evidenceOf, type RunFacts } from './rules/rule.ts';

/** A recorded value no counter can have, found before anything is compared. */
export interface Impossible {
  readonly code: /** More events than the CPU can make in the guest time of the window. */
    | 'too-fast'
    /** Bits above the width of the counter. */
    | 'too-wide'
    /** An event ran longer than it was enabled. */
    | 'runs-longer'
    /** The counter went back without a write, a reset or a wrap. */
    | 'backwards'
    /** The four topdown metrics do not add up to the whole. */
    | 'metric-sum';
  /** What is wrong, one sentence. */
  readonly text: string;
  readonly evidence: readonly number[];
}

/** Slack of recorded times at both ends of a window, ns: records have steps of up to 1 us. */
const SLACK_NS = 2000;
/** The number under which the ceilings know cycles. */
const ARM64_CYCLES = 0x11;
const METRICS = 4n;
const WHOLE = 255n;

/** The most the window's event can count in its guest time. */
function ceiling(window: GuestWindow, run: RunFacts): bigint {
  const number = isCycles(window, run)
    ? ARM64_CYCLES
    : run.arch === 'arm64'
      ? window.event
      : undefined;
  return BigInt(Math.ceil((window.totals.guestNs + SLACK_NS) * eventCeilingPerNs(number)));
}

function tooFast(window: GuestWindow, run: RunFacts): Impossible[] {
  const { guest, startValue, endValue, firstRead, lastRead, toSeq } = window;
  if (guest === null || !run.kinds.has(EventKind.guestEnter)) return [];
  const most = ceiling(window, run);
  if (guest.low <= most) return [];
  // Below the start without a wrap that anything shows: it went back.
  const back =
    window.records.wraps === 0 &&
    startValue !== null &&
    endValue !== null &&
    endValue.high < startValue.low;
  if (back) {
    return [
      {
        code: 'backwards',
        text: `The counter went from ${grouped(startValue.low)} back to ${grouped(endValue.high)} without a write or a wrap.`,
        evidence: [window.fromSeq, lastRead > 0 ? lastRead : toSeq],
      },
    ];
  }
  return [
    {
      code: 'too-fast',
      text: `The counter moved by ${grouped(guest.low)} in ${grouped(BigInt(Math.round(window.totals.guestNs)))} ns of guest time; no CPU makes more than ${grouped(most)}.`,
      evidence: firstRead > 0 ? [firstRead, lastRead] : [window.fromSeq, toSeq],
    },
  ];
}

function backwards({ guest, records, fromSeq }: GuestWindow): Impossible[] {
  const first = records.contradicted[0];
  if (guest === null || guest.high >= 0n || first === undefined) return [];
  return [
    {
      code: 'backwards',
      text: `The counter went back by ${grouped(-guest.high)} without a write or a wrap.`,
      evidence: [fromSeq, first.seq],
    },
  ];
}

function tooWide({ records, width }: GuestWindow): Impossible[] {
  const { tooWide: read } = records;
  if (read === null) return [];
  return [
    {
      code: 'too-wide',
      text: `A read gave 0x${read.value.toString(16)}: more than the ${width} bits of the counter.`,
      evidence: [read.seq],
    },
  ];
}

function runsLonger({ hosts, records }: GuestWindow): Impossible[] {
  const spans = hosts.filter(
    ({ enabledNs, runningNs }) => enabledNs !== null && runningNs !== null && runningNs > enabledNs,
  );
  const evidence = [
    ...evidenceOf(records.runsLonger),
    ...spans.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]),
  ];
  if (evidence.length === 0) return [];
  return [{ code: 'runs-longer', text: 'An event ran longer than it was enabled.', evidence }];
}

/** PERF_METRICS level 1: four bytes, each rounded, that share 255. */
function metricSum({ records }: GuestWindow): Impossible[] {
  const { metrics } = records;
  if (metrics === null) return [];
  let sum = 0n;
  for (let i = 0n; i < METRICS; i++) sum += (metrics.value >> (8n * i)) & 0xffn;
  if (sum === 0n || (sum >= WHOLE - METRICS && sum <= WHOLE + METRICS)) return [];
  return [
    {
      code: 'metric-sum',
      text: `The four topdown metrics add up to ${sum} of ${WHOLE}.`,
      evidence: [metrics.seq],
    },
  ];
}

/** Values of a window that cannot be; empty for a sound one. */
export function impossibleValues(window: GuestWindow, run: RunFacts): readonly Impossible[] {
  return [
    ...tooFast(window, run),
    ...backwards(window),
    ...tooWide(window),
    ...runsLonger(window),
    ...metricSum(window),
  ];
}
