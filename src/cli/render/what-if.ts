import { spaceFlags } from '../../domain/event-kind.ts';
import { grouped, hex } from '../../domain/u64.ts';
import {
  type AccessCost,
  formatTime,
  type Parting,
  type Shown,
  type WhatIfCounter,
  type WhatIfResult,
  type WhatIfValue,
  type WhatIfVcpu,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import type { Json } from './event-json.ts';
import { registerName } from './event-text.ts';
import { printTable } from './print-table.ts';
import { number } from './replay.ts';
import { wrapText } from './table.ts';
import { formatDuration, plural } from './text.ts';

const TEXT_WIDTH = 100;

/** Values, first partings and operations of one recording under several rule sets. */
export function printWhatIf(shell: Shell, result: WhatIfResult): void {
  const { recorded, accesses, events } = result;
  paragraph(
    shell,
    `Recorded under ${recorded.name} (${recorded.reason}) · ${plural(events, 'event')}, ${plural(accesses, 'access', 'accesses')} to PMU registers`,
  );
  if (result.vcpus.length === 0) {
    shell.print('No vCPU is known: no record tells which thread runs one.');
    return;
  }
  if (accesses === 0) {
    shell.print(
      shell.style('warning', 'No access to a PMU register was recorded: there is nothing to play.'),
    );
    return;
  }
  for (const vcpu of result.vcpus) printVcpu(shell, result, vcpu);
  printComparisons(shell, result);
  const same = result.comparisons.every(({ open }) => open === 0);
  shell.print();
  if (result.parts) {
    paragraph(
      shell,
      'The accesses are taken as recorded: after the first that differs, the guest might have gone on otherwise.',
    );
  } else if (same) {
    shell.print(shell.style('good', 'All rule sets show the guest the same.'));
  } else {
    paragraph(
      shell,
      'No access surely differs; where what is recorded does not tell (open), one may.',
    );
  }
}

function paragraph(shell: Shell, text: string): void {
  for (const line of wrapText(text, Math.min(shell.width, TEXT_WIDTH))) shell.print(line);
}

function printVcpu(shell: Shell, result: WhatIfResult, vcpu: WhatIfVcpu): void {
  shell.print();
  const when = result.seq === 0 ? 'before the first event' : `@${result.seq}`;
  shell.print(shell.style('heading', `vcpu${vcpu.slot} at ${formatTime(result.time)} (${when})`));
  printTable(
    shell,
    [
      { title: 'counter', align: 'right' },
      { title: 'event', wrapTo: 8 },
      { title: 'rule sets', wrapTo: 16 },
      { title: 'value', align: 'right' },
      { title: 'certainty', wrapTo: 12 },
      { title: 'part at', align: 'right' },
    ],
    [...vcpu.counters].sort(cyclesFirst).flatMap((counter) => counterRows(counter)),
  );
  shell.print();
  printTable(
    shell,
    [
      { title: 'asked of perf by' },
      ...['created', 'failed', 'reused', 'released', 'periods set'].map((title) => ({
        title,
        align: 'right' as const,
      })),
    ],
    vcpu.operations.map(({ ruleSet, creates, failedCreates, reuses, releases, periods }) => [
      ruleSet,
      ...[creates, failedCreates, reuses, releases, periods].map(grouped),
    ]),
  );
  for (const { ruleSet, hardware } of vcpu.operations) {
    if (hardware === undefined) continue;
    const { contextLoads } = hardware;
    const times =
      contextLoads === undefined
        ? 'as often as it enters the guest, which is not recorded'
        : `at most ${plural(contextLoads, 'time')} (at guest entries)`;
    paragraph(
      shell,
      `${ruleSet} asks nothing of perf: it loads the guest's counters into the hardware and saves them again, ${times}.`,
    );
  }
  if (vcpu.costs.length > 0) printCosts(shell, result, vcpu.costs);
}

const CYCLES = 31;

function cyclesFirst(a: WhatIfCounter, b: WhatIfCounter): number {
  return Number(b.counter === CYCLES) - Number(a.counter === CYCLES) || a.counter - b.counter;
}

/** One row per value; rule sets that agree share one. */
function counterRows({
  counter,
  eventName,
  values,
  partsAt,
}: WhatIfCounter): readonly (readonly string[])[] {
  const rows = new Map<string, { value: WhatIfValue; names: string[] }>();
  for (const value of values) {
    const key = `${valueText(value)} ${certaintyText(value)}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { value, names: [value.ruleSet] });
    else row.names.push(value.ruleSet);
  }
  return [...rows.values()].map(({ value, names }, i) => [
    i === 0 ? `${counter}` : '',
    i === 0 ? eventName : '',
    names.length === values.length ? 'all' : names.join(', '),
    valueText(value),
    certaintyText(value),
    i === 0 && partsAt > 0 ? `@${partsAt}` : '',
  ]);
}

function valueText({ certainty, low }: WhatIfValue): string {
  return certainty === 'exact' ? number(low) : '?';
}

function certaintyText({ certainty, low, high, reason, since }: WhatIfValue): string {
  if (certainty === 'exact') return 'exact';
  const why =
    reason === undefined
      ? ''
      : `: ${reason}${since !== undefined && since > 0 ? ` since @${since}` : ''}`;
  return certainty === 'unknown' ? `unknown${why}` : `${number(low)} … ${number(high)}${why}`;
}

const ASKED: Readonly<Record<AccessCost['asked'], string>> = {
  created: 'created an event',
  released: 'released an event',
  reused: 'enabled one or set its period',
  nothing: 'asked perf for nothing',
};

function printCosts(shell: Shell, { recorded }: WhatIfResult, costs: readonly AccessCost[]): void {
  const time = (ns: number): string => formatDuration(BigInt(ns));
  shell.print();
  shell.print(`  Cost of a guest access, exit to entry, as recorded under ${recorded.name}:`);
  printTable(
    shell,
    [
      { title: 'KVM then', wrapTo: 16 },
      { title: 'accesses', align: 'right' },
      { title: 'min', align: 'right' },
      { title: 'median', align: 'right' },
      { title: 'max', align: 'right' },
    ],
    costs.map(({ asked, accesses, min, median, max }) => [
      ASKED[asked],
      grouped(accesses),
      time(min),
      time(median),
      time(max),
    ]),
  );
}

function printComparisons(shell: Shell, { ruleSets, comparisons }: WhatIfResult): void {
  shell.print();
  shell.print(`Answers to the guest, against ${ruleSets[0]}:`);
  printTable(
    shell,
    [
      { title: 'rule set' },
      { title: 'same', align: 'right' },
      { title: 'differ', align: 'right' },
      { title: 'open', align: 'right' },
      { title: 'first that differs', wrapTo: 20 },
    ],
    comparisons.map(({ ruleSet, same, apart, open, parting }) => [
      ruleSet,
      grouped(same),
      grouped(apart),
      grouped(open),
      parting === undefined ? '' : `@${parting.seq} ${accessText(parting)}`,
    ]),
  );
  for (const { parting } of comparisons) {
    if (parting === undefined) continue;
    shell.print();
    shell.print(
      `${shell.style('bad', `${parting.ruleSet} parts`)} at @${parting.seq} (${formatTime(parting.time)}), vcpu${parting.vcpu} ${accessText(parting)}:`,
    );
    const width = Math.max(ruleSets[0]!.length, parting.ruleSet.length);
    const line = (name: string, shown: Shown): void => {
      shell.print(`    ${name.padEnd(width)}  ${shownText(parting, shown)}`);
    };
    line(ruleSets[0]!, parting.reference);
    line(parting.ruleSet, parting.shown);
  }
}

function accessText({ access }: Parting): string {
  const { code, space, write } = access;
  return `${write ? 'writes' : 'reads'} ${registerName(code, spaceFlags(space))}`;
}

function shownText({ access }: Parting, shown: Shown): string {
  if (shown.refused) return 'refused';
  if (access.write) return 'done';
  const value = (v: bigint): string => (access.counter >= 0 ? `${hex(v)} (${grouped(v)})` : hex(v));
  if (shown.unknownBits !== 0n)
    return `${value(shown.low)}, bits ${hex(shown.unknownBits)} unknown`;
  return shown.span === 0n
    ? value(shown.low)
    : `${value(shown.low)} … ${value(BigInt.asUintN(64, shown.low + shown.span))}`;
}

/** The comparison for programs. */
export function whatIfJson(result: WhatIfResult): Json {
  return {
    time: result.time,
    seq: result.seq,
    recordedUnder: { ...result.recorded },
    ruleSets: result.ruleSets,
    events: result.events,
    accesses: result.accesses,
    parts: result.parts,
    vcpus: result.vcpus.map((vcpu) => ({
      vcpu: vcpu.slot,
      counters: vcpu.counters.map((counter) => ({
        counter: counter.counter,
        event: counter.event ?? null,
        eventName: counter.eventName,
        partsAt: counter.partsAt === 0 ? null : counter.partsAt,
        values: counter.values.map((value) => ({
          ruleSet: value.ruleSet,
          certainty: value.certainty,
          width: value.width,
          value: value.certainty === 'exact' ? value.low : null,
          low: value.certainty === 'unknown' ? null : value.low,
          high: value.certainty === 'unknown' ? null : value.high,
          reason: value.reason ?? null,
          since: value.since === undefined || value.since === 0 ? null : value.since,
        })),
      })),
      operations: vcpu.operations.map(({ hardware, ...asked }) => ({
        ...asked,
        hardware:
          hardware === undefined
            ? null
            : {
                contextLoads: hardware.contextLoads ?? null,
                contextPuts: hardware.contextPuts ?? null,
              },
      })),
      costs: vcpu.costs.map((cost) => ({ ...cost })),
    })),
    comparisons: result.comparisons.map(({ ruleSet, same, apart, open, parting }) => ({
      ruleSet,
      same,
      differ: apart,
      open,
      firstDifference: parting === undefined ? null : partingJson(parting),
    })),
  };
}

function partingJson(parting: Parting): Json {
  const { access } = parting;
  return {
    seq: parting.seq,
    time: parting.time,
    vcpu: parting.vcpu,
    register: registerName(access.code, spaceFlags(access.space)),
    write: access.write,
    counter: access.counter < 0 ? null : access.counter,
    reference: shownJson(access.write, parting.reference),
    shown: shownJson(access.write, parting.shown),
  };
}

function shownJson(write: boolean, { refused, low, span, unknownBits }: Shown): Json {
  const value = !refused && !write;
  return {
    refused,
    low: value ? low : null,
    high: value ? BigInt.asUintN(64, low + span) : null,
    unknownBits: value ? unknownBits : null,
  };
}
