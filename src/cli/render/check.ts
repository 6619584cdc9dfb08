import { RegisterSpace, spaceFlags } from '../../domain/event-kind.ts';
import { grouped, hex } from '../../domain/u64.ts';
import {
  type CheckResult,
  type Contradiction,
  type Event,
  formatTime,
  type Observation,
  type SliceFacts,
  type VerdictCounts,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import { eventJson, type Json } from './event-json.ts';
import { type EventWords, eventLayout, eventLine, registerName } from './event-text.ts';
import { reasonText } from './reasons.ts';
import { renderTable } from './table.ts';
import { plural } from './text.ts';

/** How the guest reads came out, why some were not predicted exactly, and the first that cannot be. */
export function printCheck(
  shell: Shell,
  result: CheckResult,
  words: EventWords,
  sliceDifferences?: readonly string[],
): void {
  const { guestReads, counterReads } = result;
  shell.print(
    `${result.ruleSet.name} (${result.ruleSet.reason}) · ${plural(result.events, 'event')}`,
  );
  shell.print();
  const rows: readonly (readonly [string, VerdictCounts])[] = [
    ['counters', counterReads],
    ['other PMU registers', difference(guestReads, counterReads)],
    ['all', guestReads],
  ];
  const table = renderTable(
    [
      { title: 'guest reads' },
      ...['total', 'confirmed', 'bounded', 'unknown', 'contradicted'].map((title) => ({
        title,
        align: 'right' as const,
      })),
    ],
    rows.map(([what, counts]) => [
      what,
      ...[counts.total, counts.confirmed, counts.bounded, counts.unknown, counts.contradicted].map(
        grouped,
      ),
    ]),
    { width: shell.width, indent: 2, heading: (line) => shell.style('heading', line) },
  );
  for (const line of table) shell.print(line);
  shell.print();
  printSideChecks(shell, result);
  if (result.reasons.size > 0) printReasons(shell, result.reasons);
  if (sliceDifferences !== undefined) printSlice(shell, sliceDifferences);
  if (result.firstContradiction !== null) {
    printContradiction(shell, result.firstContradiction, words);
  } else if (guestReads.confirmed + guestReads.bounded > 0) {
    shell.print(shell.style('good', 'No recorded read contradicts the model.'));
  } else {
    shell.print(
      shell.style(
        'warning',
        'Nothing could be checked: no predicted guest read has a recorded value.',
      ),
    );
  }
}

/** How a slice comes out against what its header says. */
function printSlice(shell: Shell, differences: readonly string[]): void {
  if (differences.length === 0) {
    shell.print(shell.style('good', 'The slice comes out as when it was cut.'));
    return;
  }
  shell.print(shell.style('bad', 'The slice comes out otherwise than when it was cut:'));
  for (const line of differences) shell.print(`  ${line}`);
  shell.print();
}

function difference(all: VerdictCounts, part: VerdictCounts): VerdictCounts {
  return {
    total: all.total - part.total,
    confirmed: all.confirmed - part.confirmed,
    bounded: all.bounded - part.bounded,
    unknown: all.unknown - part.unknown,
    contradicted: all.contradicted - part.contradicted,
  };
}

function printSideChecks(shell: Shell, result: CheckResult): void {
  const { interruptLevels: irq, backingEvents: backing } = result;
  const lines: string[] = [];
  if (irq.confirmed + irq.unknown + irq.contradicted > 0) {
    lines.push(
      `PMU interrupt: ${grouped(irq.confirmed)} level changes confirmed, ${grouped(irq.unknown)} unknown, ${grouped(irq.contradicted)} contradicted`,
    );
  }
  if (backing.confirmed + backing.contradicted + backing.deviations > 0) {
    lines.push(
      `backing events: ${grouped(backing.confirmed)} created as predicted, ${grouped(backing.contradicted)} otherwise, ${grouped(backing.deviations)} on one side only`,
    );
  }
  const { samplePeriods: periods } = result;
  if (periods.confirmed + periods.contradicted > 0) {
    lines.push(
      `sample periods of live events: ${grouped(periods.confirmed)} set as predicted, ${grouped(periods.contradicted)} otherwise`,
    );
  }
  if (result.unrecordedReads + result.unrecordedWrites > 0) {
    lines.push(
      `without a recorded value: ${plural(result.unrecordedReads, 'read')}, ${plural(result.unrecordedWrites, 'write')}`,
    );
  }
  for (const line of lines) shell.print(`  ${line}`);
  if (lines.length > 0) shell.print();
}

function printReasons(shell: Shell, reasons: ReadonlyMap<string, number>): void {
  shell.print('Why reads were not predicted exactly:');
  const rows = [...reasons]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, reads]) => [grouped(reads), `${reasonText(reason)} (${reason})`]);
  const table = renderTable(
    [
      { title: 'reads', align: 'right' },
      { title: 'reason', wrapTo: 30 },
    ],
    rows,
    {
      width: shell.width,
      indent: 2,
      heading: (line) => shell.style('heading', line),
    },
  );
  for (const line of table) shell.print(line);
  shell.print();
}

function printContradiction(shell: Shell, first: Contradiction, words: EventWords): void {
  const { observation: o, before } = first;
  shell.print(
    shell.style('bad', 'First contradiction: ') +
      `@${o.seq} at ${formatTime(o.time)}, vcpu${o.vcpu} reads ${registerOf(o)}`,
  );
  shell.print(`  recorded   ${o.recordedUndef ? refused(o) : valueText(o, o.recorded)}`);
  shell.print(`  predicted  ${predictionText(o)}`);
  if (o.evidence > 0) shell.print(`  evidence   @${o.evidence}`);
  if (o.reason !== '')
    shell.print(`  reason     ${reasonText(o.reason)}${o.since > 0 ? ` since @${o.since}` : ''}`);
  if (before.length === 0) return;
  shell.print();
  shell.print(`The ${plural(before.length, 'event')} before it:`);
  const last = before.at(-1)!;
  const layout = eventLayout(Math.max(...before.map((event: Event) => event.seq)), last.time);
  for (const event of before) shell.print(`  ${eventLine(event, words, layout)}`);
}

/** The register of an observation by name. */
export function registerOf(o: Observation): string {
  return registerName(o.code, spaceFlags(o.space ?? RegisterSpace.sysreg));
}

function valueText(o: Observation, value: bigint): string {
  return o.counter >= 0 ? `${hex(value)} (${grouped(value)})` : hex(value);
}

function predictionText(o: Observation): string {
  if (o.predictedUndef) return refused(o);
  if (o.span > 0n)
    return `${valueText(o, o.low)} … ${valueText(o, BigInt.asUintN(64, o.low + o.span))}`;
  return o.unknownBits === 0n
    ? valueText(o, o.low)
    : `${valueText(o, o.low)}, bits ${hex(o.unknownBits)} unknown`;
}

/** A check for programs. */
export function checkJson(result: CheckResult, words: EventWords, slice: SliceFacts | null): Json {
  const { firstContradiction: first } = result;
  return {
    ruleSet: { ...result.ruleSet },
    events: result.events,
    guestReads: { ...result.guestReads },
    counterReads: { ...result.counterReads },
    unrecordedReads: result.unrecordedReads,
    unrecordedWrites: result.unrecordedWrites,
    interruptLevels: { ...result.interruptLevels },
    backingEvents: { ...result.backingEvents },
    samplePeriods: { ...result.samplePeriods },
    reasons: [...result.reasons].map(([reason, reads]) => ({ reason, reads })),
    firstContradiction:
      first === null
        ? null
        : {
            ...observationJson(first.observation),
            before: first.before.map((event) => eventJson(event, words)),
          },
    contradictions: result.contradictions.map(observationJson),
    slice:
      slice === null
        ? null
        : {
            ...slice,
            guestReads: { ...slice.guestReads },
            counterReads: { ...slice.counterReads },
          },
  };
}

function observationJson(o: Observation): { readonly [member: string]: Json } {
  return {
    seq: o.seq,
    time: o.time,
    vcpu: o.vcpu,
    register: registerOf(o),
    counter: o.counter < 0 ? null : o.counter,
    verdict: o.verdict,
    recorded: o.recordedUndef ? null : o.recorded,
    recordedUndefined: o.recordedUndef,
    predictedUndefined: o.predictedUndef,
    predictedLow: o.predictedUndef ? null : o.low,
    predictedHigh: o.predictedUndef ? null : BigInt.asUintN(64, o.low + o.span),
    unknownBits: o.unknownBits,
    evidence: o.evidence === 0 ? null : o.evidence,
    reason: o.reason === '' ? null : o.reason,
    since: o.since === 0 ? null : o.since,
  };
}

/** How an access of this architecture is refused. */
function refused(o: Observation): string {
  const x86 = o.space === RegisterSpace.msr || o.space === RegisterSpace.rdpmc;
  return x86 ? '#GP (the access faults)' : 'UNDEFINED (the access is refused)';
}
