import { grouped, hex } from '../../domain/u64.ts';
import {
  type BackingState,
  type CounterState,
  formatTime,
  type RegisterState,
  type ReplayState,
  type VcpuFact,
  type VcpuState,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import type { Json } from './event-json.ts';
import { printTable } from './print-table.ts';
import { reasonText } from './reasons.ts';
import { registerMeaning } from './registers.ts';
import type { Column } from './table.ts';

/** Counts from here on are easier to read in hex: they are bit patterns (a reset value, minus a period) more often than counts. */
const HEX_FROM = 1n << 40n;

/** Every counter and register of each vCPU at an instant; of several VMs also which one it is a vCPU of. */
export function printReplay(shell: Shell, state: ReplayState, facts: readonly VcpuFact[]): void {
  if (state.vcpus.length === 0) {
    shell.print('No vCPU is known: no record tells which thread runs one.');
    return;
  }
  state.vcpus.forEach((vcpu, i) => {
    if (i > 0) shell.print();
    const several = new Set(facts.map(({ pid }) => pid)).size > 1;
    const fact = several ? facts.find(({ slot }) => slot === vcpu.slot) : undefined;
    printVcpu(shell, state, vcpu, fact);
  });
}

function printVcpu(
  shell: Shell,
  { time, seq, ruleSet }: ReplayState,
  vcpu: VcpuState,
  fact: VcpuFact | undefined,
): void {
  const mode = {
    guest: vcpu.enteredAt > 0 ? `in guest since @${vcpu.enteredAt}` : 'in guest',
    host: 'in host',
    unknown: 'in guest or host',
  }[vcpu.mode];
  const parts = [
    `vcpu${vcpu.slot} at ${formatTime(time)} (${seq === 0 ? 'before the first event' : `@${seq}`})`,
    `${ruleSet.name} (${ruleSet.reason})`,
    mode,
  ];
  if (fact !== undefined) {
    parts.splice(
      1,
      0,
      `vCPU ${fact.index} of ${fact.pid < 0 ? 'no known process' : `process ${fact.pid}`}`,
    );
  }
  if (vcpu.pcpu >= 0) parts.push(`pCPU ${vcpu.pcpu}`);
  shell.print(shell.style('heading', parts.join(' · ')));
  printTable(shell, COUNTER_COLUMNS, [...vcpu.counters].sort(cyclesFirst).map(counterRow));
  shell.print();
  printTable(shell, REGISTER_COLUMNS, vcpu.registers.map(registerRow));
}

const COUNTER_COLUMNS: readonly Column[] = [
  { title: 'counter', align: 'right' },
  { title: 'event', wrapTo: 8 },
  { title: 'value', align: 'right' },
  { title: 'certainty', wrapTo: 14 },
  { title: 'state', wrapTo: 20 },
  { title: 'backing event', wrapTo: 26, expendable: 1 },
];

const REGISTER_COLUMNS: readonly Column[] = [
  { title: 'register' },
  { title: 'value', align: 'right' },
  { title: 'meaning', wrapTo: 20 },
];

function cyclesFirst(a: CounterState, b: CounterState): number {
  return Number(b.counter === 31) - Number(a.counter === 31) || a.counter - b.counter;
}

function counterRow(counter: CounterState): readonly string[] {
  return [
    counter.name,
    counter.eventName,
    valueText(counter),
    certaintyText(counter),
    counter.counting ? 'counting' : `not counting: ${counter.gates.join(', ')}`,
    counter.backing === undefined ? '' : backingText(counter.backing),
  ];
}

/** A counter value: large ones in hex. */
export function number(value: bigint): string {
  return value < HEX_FROM ? grouped(value) : hex(value);
}

function valueText({ certainty, low, estimate }: CounterState): string {
  if (certainty === 'exact') return number(low);
  return certainty === 'bounded' && estimate !== undefined ? `~${number(estimate)}` : '?';
}

function certaintyText({
  certainty,
  low,
  high,
  evidence,
  boundedBy,
  reason,
  since,
}: CounterState): string {
  const why =
    reason === undefined
      ? ''
      : `: ${reason}${since !== undefined && since > 0 ? ` since @${since}` : ''}`;
  const rests = [evidence, boundedBy ?? 0].filter((seq) => seq > 0).map((seq) => `@${seq}`);
  switch (certainty) {
    case 'exact':
      return rests.length === 0 ? 'exact' : `exact ${rests[0]}`;
    case 'bounded':
      return `${number(low)} … ${number(high)}${rests.length === 0 ? '' : ` (${rests.join(' to ')})`}${why}`;
    case 'unknown':
      return `unknown${why}`;
  }
}

function backingText({ pointer, state, createdAt }: BackingState): string {
  const name = pointer === 0n ? 'not named' : hex(pointer);
  return `${name} ${state === 'unknown' ? '(state not known)' : state}${createdAt > 0 ? ` (created @${createdAt})` : ''}`;
}

function registerRow({
  name,
  value,
  unknownBits,
  reason,
  since,
}: RegisterState): readonly string[] {
  if (unknownBits === 0n) return [name, hex(value), registerMeaning(name, value)];
  const why = `${reasonText(reason ?? 'not recorded')}${since !== undefined && since > 0 ? ` since @${since}` : ''}`;
  return value === 0n
    ? [name, '?', `unknown: ${why}`]
    : [name, hex(value), `bits ${hex(unknownBits)} unknown: ${why}`];
}

/** The state for programs. */
export function replayJson(state: ReplayState): Json {
  return {
    time: state.time,
    seq: state.seq,
    ruleSet: { ...state.ruleSet },
    vcpus: state.vcpus.map((vcpu) => ({
      vcpu: vcpu.slot,
      index: vcpu.vcpu,
      tid: vcpu.tid,
      pcpu: vcpu.pcpu < 0 ? null : vcpu.pcpu,
      mode: vcpu.mode,
      enteredAt: vcpu.enteredAt === 0 ? null : vcpu.enteredAt,
      counters: vcpu.counters.map((counter) => ({
        counter: counter.counter,
        event: counter.event ?? null,
        eventName: counter.eventName,
        width: counter.width,
        certainty: counter.certainty,
        value: counter.certainty === 'exact' ? counter.low : null,
        low: counter.certainty === 'unknown' ? null : counter.low,
        high: counter.certainty === 'unknown' ? null : counter.high,
        estimate: counter.estimate ?? null,
        reason: counter.reason ?? null,
        since: counter.since === undefined || counter.since === 0 ? null : counter.since,
        evidence: counter.evidence === 0 ? null : counter.evidence,
        boundedBy: counter.boundedBy ?? null,
        counting: counter.counting,
        gates: counter.gates,
        backing: counter.backing === undefined ? null : backingJson(counter.backing),
      })),
      registers: vcpu.registers.map((register) => ({
        name: register.name,
        certainty: register.certainty,
        value: register.value,
        unknownBits: register.unknownBits,
        reason: register.reason ?? null,
        since: register.since === undefined || register.since === 0 ? null : register.since,
      })),
    })),
  };
}

function backingJson(backing: BackingState): Json {
  return {
    event: backing.pointer === 0n ? null : backing.pointer,
    state: backing.state,
    createdAt: backing.createdAt === 0 ? null : backing.createdAt,
    placementFailedAt: backing.placementFailedAt === 0 ? null : backing.placementFailedAt,
  };
}
