import { grouped } from '../../domain/u64.ts';
import type { CauseCode } from '../causes/catalogue.ts';
import type { RecordingNeed } from '../causes/cause.ts';
import { SIGMA_LIMIT, type StatRow } from './compare.ts';
import type { StatSide } from './samples.ts';

/** Something the two outputs support, or something they cannot. */
export interface Statement {
  /** Stable word for programs. */
  readonly code: string;
  readonly supported: boolean;
  readonly text: string;
  /** Counts it rests on. */
  readonly evidence: readonly number[];
}

/** A cause the numbers leave open, and what would decide it. */
export interface OpenCause {
  readonly code: CauseCode;
  readonly missing: readonly RecordingNeed[];
}

const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`;
const factor = (ratio: number): string => `×${ratio.toFixed(3)}`;
const evidenceOf = (rows: readonly StatRow[]): number[] =>
  rows.flatMap(({ host, guest }) => [host.seq, guest.seq]);

function find(rows: readonly StatRow[], event: string): StatRow | undefined {
  const row = rows.find((candidate) => candidate.event.replace(/:\w+$/, '') === event);
  return row !== undefined && row.difference !== null ? row : undefined;
}

/** Metrics that grow with what the CPU executes, and those that grow with what was asked of the system. */
const EXECUTED = ['cycles', 'instructions', 'task-clock', 'branches', 'branch-misses', 'cpu-clock'];
const ASKED = ['page-faults', 'context-switches', 'cpu-migrations', 'minor-faults', 'major-faults'];

type Rule = (rows: readonly StatRow[], host: StatSide, guest: StatSide) => Statement[];

/** Whether run-to-run variation can be all there is. */
const noise: Rule = (rows) => {
  const apart = rows.filter(({ apart }) => apart === 'beyond-noise');
  const within = rows.filter(({ apart }) => apart === 'within-noise');
  const single = rows.filter(({ apart }) => apart === 'one-sample');
  const said: Statement[] = [];
  if (apart.length > 0) {
    const sigmas = apart.flatMap(({ sigma }) => (sigma === null ? [] : [sigma]));
    const range =
      sigmas.length === 0
        ? ''
        : ` (${Math.min(...sigmas).toFixed(1)} to ${Math.max(...sigmas).toFixed(1)} standard deviations of the two means)`;
    said.push({
      code: 'beyond-noise',
      supported: true,
      text: `${apart.map(({ event }) => event).join(', ')}: the two means differ by more than their runs vary${range}.`,
      evidence: evidenceOf(apart),
    });
  }
  if (within.length > 0) {
    said.push({
      code: 'within-noise',
      supported: true,
      text: `${within.map(({ event }) => event).join(', ')}: less than ${SIGMA_LIMIT} standard deviations apart, no difference shown.`,
      evidence: evidenceOf(within),
    });
  }
  for (const row of single) {
    const share =
      row.ratio === null
        ? ''
        : ` (${row.ratio < 1 ? '-' : '+'}${percent(Math.abs(row.ratio - 1))})`;
    said.push({
      code: 'one-sample',
      supported: true,
      text: `${row.event}: ${row.difference! > 0n ? '+' : ''}${row.difference}${share} with one sample on a side and no spread: no discrepancy shown. Repeat it (perf stat -r).`,
      evidence: evidenceOf([row]),
    });
  }
  return said;
};

/** All that is executed moves together and what was asked for does not: more work, not a wrong counter. */
const pattern: Rule = (rows) => {
  const moved = rows.filter(
    ({ event, apart }) => EXECUTED.includes(event) && apart === 'beyond-noise',
  );
  const ratios = moved.flatMap(({ ratio }) => (ratio === null ? [] : [ratio]));
  if (ratios.length < 3) return [];
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  const oneWay = least > 1 || most < 1;
  if (!oneWay) return [];
  const same = rows.filter(({ event, apart }) => ASKED.includes(event) && apart === 'equal');
  const work =
    same.length === 0
      ? ''
      : ` while the work the system sees is equal (${same.map(({ event, host }) => `${event} ${host.value}`).join(', ')})`;
  const common = most / least < 1.02;
  return [
    {
      code: common ? 'common-factor' : 'more-executed',
      supported: true,
      text: common
        ? `All metrics differ by one factor (${factor(least)} to ${factor(most)})${work}: that is a scale, of time or of several counters alike.`
        : `All metrics of execution move together, by no common factor (${factor(least)} to ${factor(most)})${work}: more was executed, or more is attributed to the task. A fault of one counter (width, multiplexing, another event) would hit one metric, or all by one factor.`,
      evidence: evidenceOf([...moved, ...same]),
    },
  ];
};

/** What the extra work alone looks like. */
const extraWork: Rule = (rows) => {
  const cycles = find(rows, 'cycles');
  const instructions = find(rows, 'instructions');
  if (cycles === undefined || instructions === undefined) return [];
  if (cycles.apart !== 'beyond-noise' || instructions.apart !== 'beyond-noise') return [];
  const ipc = (n: bigint, c: bigint): string =>
    c === 0n ? '-' : (Number(n) / Number(c)).toFixed(3);
  return [
    {
      code: 'ipc',
      supported: true,
      text: `Instructions per cycle: host ${ipc(instructions.host.value, cycles.host.value)}, guest ${ipc(instructions.guest.value, cycles.guest.value)}, the difference alone ${ipc(instructions.difference!, cycles.difference!)}.`,
      evidence: evidenceOf([cycles, instructions]),
    },
  ];
};

/** Cycles per clock time: time that ran without counted cycles. */
const frequency: Rule = (rows) => {
  const cycles = find(rows, 'cycles');
  const clock = find(rows, 'task-clock') ?? find(rows, 'cpu-clock');
  if (cycles === undefined || clock === undefined) return [];
  if (clock.host.value === 0n || clock.guest.value === 0n) return [];
  const host = Number(cycles.host.value) / Number(clock.host.value);
  const guest = Number(cycles.guest.value) / Number(clock.guest.value);
  if (guest === host) return [];
  const expected = Number(clock.guest.value) * host;
  const missing = Math.round((expected - Number(cycles.guest.value)) / 100) * 100;
  const us = Math.abs(missing) / host / 1000;
  const sign =
    missing > 0
      ? `about ${grouped(missing)} cycles (${us.toFixed(0)} us) of clock time have no counted cycle, the sign of hv-excluded or host-steal (time runs, the counter does not)`
      : `about ${grouped(Math.abs(missing))} cycles more are counted than its clock time holds`;
  return [
    {
      code: 'frequency',
      supported: true,
      text: `Cycles per clock time: host ${host.toFixed(4)} GHz, guest ${guest.toFixed(4)} GHz (${percent(guest / host - 1)}). At one frequency ${sign}. The two numbers are correlated, so no error can be computed: take ${percent(Math.abs(guest / host - 1))} as compatible with zero.`,
      evidence: evidenceOf([cycles, clock]),
    },
  ];
};

/** Events a side does not offer. */
const offered: Rule = (rows) => {
  const both = rows.filter(
    ({ host, guest }) => host.state === 'not-supported' && guest.state === 'not-supported',
  );
  const one = rows.filter(
    ({ host, guest }) => (host.state === 'not-supported') !== (guest.state === 'not-supported'),
  );
  const said: Statement[] = [];
  if (both.length > 0) {
    said.push({
      code: 'not-supported-both',
      supported: true,
      text: `${both.map(({ event }) => event).join(', ')}: not supported on either side, so the guest sees the event list of the host for these; nothing more follows.`,
      evidence: evidenceOf(both),
    });
  }
  for (const row of one) {
    const side = row.host.state === 'not-supported' ? 'host' : 'guest';
    said.push({
      code: 'not-supported-one',
      supported: true,
      text: `${row.event}: not supported on the ${side} only: the two sides do not offer the same events (pmu-absent or event-filtered, if it is the guest).`,
      evidence: evidenceOf([row]),
    });
  }
  return said;
};

/** Scaled numbers are estimates. */
const scaled: Rule = (rows) =>
  rows
    .filter(
      ({ host, guest, difference }) =>
        difference !== null && (host.running < 10_000 || guest.running < 10_000),
    )
    .map((row) => ({
      code: 'scaled',
      supported: true,
      text: `${row.event}: scaled from ${percent(row.host.running / 10_000)} (host) and ${percent(row.guest.running / 10_000)} (guest) of the time: an estimate, not a count. That the guest's is 100 % says nothing of the host event behind it.`,
      evidence: evidenceOf([row]),
    }));

/** A count between two reads of a counter is smaller than any trap. */
const smallerThanTrap: Rule = (rows) =>
  rows
    .filter(
      ({ event, guest, difference }) =>
        difference !== null && /cycles/.test(event) && guest.value > 0n && guest.value < 1000n,
    )
    .map((row) => ({
      code: 'smaller-than-trap',
      supported: true,
      text: `${row.event}: if the guest's reads trap (they do with a perf-backed vPMU on arm64), a trap costs the host thousands of cycles, and ${row.guest.value} shows that they are not in the count as this counter was set up. It does not show which exclude bit keeps them out.`,
      evidence: evidenceOf([row]),
    }));

const RULES: readonly Rule[] = [
  noise,
  pattern,
  extraWork,
  frequency,
  scaled,
  offered,
  smallerThanTrap,
];

/** What the two outputs support. */
export function supportedBy(
  rows: readonly StatRow[],
  host: StatSide,
  guest: StatSide,
): readonly Statement[] {
  return RULES.flatMap((rule) => rule(rows, host, guest));
}

/** Causes two outputs without a trace never decide, each with what would. */
export const LEFT_OPEN: readonly OpenCause[] = [
  { code: 'hv-excluded', missing: ['entries', 'host-counts'] },
  { code: 'el-filter-overlap', missing: ['vhe', 'host-kernel', 'register-values'] },
  { code: 'pinned-error', missing: ['backing-events'] },
  { code: 'observer-cost', missing: ['entries', 'register-values'] },
  { code: 'host-steal', missing: ['switches'] },
];
