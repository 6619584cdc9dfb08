import { perfHardwareName } from '../../arch/perf-generic.ts';
import { exitName, HaltInstruction, TaskState, userspaceExitName } from '../../arch/tracepoints.ts';
import { x86EventName } from '../../arch/x86-events.ts';
import { x86MsrName } from '../../arch/x86-msrs.ts';
import { RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import { hex } from '../../domain/u64.ts';
import {
  arm64EventLabel,
  arm64RegisterName,
  type Event,
  EventFlag,
  EventKind,
  formatTime,
  KIND_SPECS,
  type KindSpec,
  type PerfEventAttr,
} from '../../index.ts';
import type { Machine } from '../pmu-events.ts';
import { printable } from './text.ts';

/** Where the words behind an event's numbers are kept: the log. */
export interface EventWords {
  name(id: number): string;
  attr(id: number): PerfEventAttr | undefined;
  threadName(tid: number): string | undefined;
  /** Whose event numbers they are; absent: arm64's. */
  readonly machine?: Machine;
}

/** Widths of the leading columns, so that the lines of one output line up. */
export interface EventLayout {
  readonly seq: number;
  readonly time: number;
}

const THREAD_WIDTH = 20;
const KIND_WIDTH = Math.max(...KIND_SPECS.map((spec) => spec.name.length));

/** Layout for events up to a sequence number and a time. */
export function eventLayout(lastSeq: number, lastTime: bigint): EventLayout {
  return { seq: `@${lastSeq}`.length, time: formatTime(lastTime).length };
}

/** One event as one line: `@seq time [cpu] vCPU thread kind details`, the times exact to the ns. */
export function eventLine(event: Event, words: EventWords, layout: EventLayout): string {
  return [
    `@${event.seq}`.padStart(layout.seq),
    formatTime(event.time).padStart(layout.time),
    event.pcpu < 0 ? '[---]' : `[${String(event.pcpu).padStart(3, '0')}]`,
    (event.vcpu < 0 ? '-' : `vcpu${event.vcpu}`).padEnd(5),
    threadText(event.tid, words).padEnd(THREAD_WIDTH),
    KIND_SPECS[event.kind]!.name.padEnd(KIND_WIDTH),
    eventDetails(event, words),
  ]
    .join(' ')
    .trimEnd();
}

/** `CPU 0/KVM-281`, `281` for a thread without a name, `-` when no thread was recorded. */
export function threadText(tid: number, words: EventWords): string {
  if (tid < 0) return '-';
  const name = words.threadName(tid);
  return name === undefined || name === '' ? `${tid}` : `${printable(name)}-${tid}`;
}

/** What happened, in the words of the kind's columns: `PMCR_EL0 = 0x30c1 pc=0x4008812c`, `event=0x… state=active …`. */
export function eventDetails(event: Event, words: EventWords): string {
  const spec = KIND_SPECS[event.kind]!;
  const parts: string[] = [];
  if (spec.code === 'register') {
    const known = (event.flags & EventFlag.noValue) === 0;
    const name = registerName(event.code, event.flags);
    parts.push(hasValue(event) ? `${name} = ${known ? hex(event.value) : '?'}` : name);
    if (event.object !== 0n) parts.push(`pc=${hex(event.object)}`);
  } else {
    const code = codeText(event, spec, words);
    if (code !== undefined) parts.push(code);
    if (spec.counter === true && event.counter >= 0) parts.push(`counter=${event.counter}`);
    for (const column of ['object', 'value', 'aux0', 'aux1'] as const) {
      const meaning = spec[column];
      if (meaning === undefined || !isRecorded(event, meaning)) continue;
      parts.push(`${meaning}=${payloadText(event, column, meaning, words)}`);
    }
  }
  const marks = FLAG_MARKS.filter(([bit]) => (event.flags & bit) !== 0).map(([, mark]) => mark);
  if (marks.length > 0) parts.push(`(${marks.join(', ')})`);
  return parts.join(' ');
}

/** A register of an access as the manuals spell it; RDPMC indices and MSRs that are not the PMU's as numbers. */
export function registerName(code: number, flags: number): string {
  switch (registerSpace(flags)) {
    case RegisterSpace.msr:
      return x86MsrName(code) ?? `MSR ${hex(code)}`;
    case RegisterSpace.rdpmc:
      return `RDPMC ${hex(code)}`;
    case RegisterSpace.sysreg:
    case RegisterSpace.cp15:
      return arm64RegisterName(code, registerSpace(flags));
  }
}

/** perf_event states (include/linux/perf_event.h): what `state=-2` means. */
const PERF_STATES: ReadonlyMap<number, string> = new Map([
  [1, 'active'],
  [0, 'inactive'],
  [-1, 'off'],
  [-2, 'error'],
  [-3, 'exit'],
  [-4, 'dead'],
]);

/** The error numbers a perf event placement fails with. */
const ERRNO: ReadonlyMap<number, string> = new Map([
  [0, 'ok'],
  [-1, 'EPERM'],
  [-2, 'ENOENT'],
  [-11, 'EAGAIN'],
  [-12, 'ENOMEM'],
  [-16, 'EBUSY'],
  [-19, 'ENODEV'],
  [-22, 'EINVAL'],
  [-28, 'ENOSPC'],
  [-95, 'EOPNOTSUPP'],
]);

const ATTR_FLAGS: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'disabled'],
  [2n, 'pinned'],
  [4n, 'exclude_user'],
  [5n, 'exclude_kernel'],
  [6n, 'exclude_hv'],
  [19n, 'exclude_host'],
  [20n, 'exclude_guest'],
];

const FLAG_MARKS: readonly (readonly [bit: number, mark: string])[] = [
  [EventFlag.entry, 'entry'],
  [EventFlag.trap, 'trap'],
  [EventFlag.failed, 'failed'],
  [EventFlag.rounded, 'rounded'],
  [EventFlag.scaled, 'scaled'],
  [EventFlag.notCounted, 'not counted'],
  [EventFlag.notSupported, 'not supported'],
  [EventFlag.total, 'total'],
  [EventFlag.vcpuAmbiguous, 'vCPU ambiguous'],
  [EventFlag.preempted, 'preempted'],
  [EventFlag.timeBack, 'time runs back'],
];

/** A trap names the access before it is done: there is no value to show, not even a missing one. */
function hasValue(event: Event): boolean {
  return (event.flags & EventFlag.trap) === 0;
}

/** Whether an event has the payload of this meaning, and it was recorded. */
export function isRecorded(event: Event, meaning: string): boolean {
  if (meaning.startsWith('time-') && event.kind === EventKind.eventRead) {
    return (event.flags & EventFlag.timesKnown) !== 0;
  }
  if ((event.flags & EventFlag.noValue) !== 0 && meaning === KIND_SPECS[event.kind]!.value)
    return false;
  if (event.kind === EventKind.count && meaning === 'count') {
    return (event.flags & (EventFlag.notCounted | EventFlag.notSupported)) === 0;
  }
  return true;
}

/** What the `code` column says: `state=active`; undefined where it says nothing. */
export function codeText(event: Event, spec: KindSpec, words: EventWords): string | undefined {
  const signed = event.code | 0;
  switch (spec.code) {
    case undefined:
    case 'register':
      return undefined;
    case 'name':
      return printable(words.name(event.code));
    case 'attr':
      return attrText(words.attr(event.code));
    case 'state':
      return (event.flags & EventFlag.stateKnown) === 0
        ? undefined
        : `state=${PERF_STATES.get(signed) ?? signed}`;
    case 'error':
      return (event.flags & EventFlag.entry) === 0
        ? `ret=${signed === 0 ? 0 : (ERRNO.get(signed) ?? signed)}`
        : undefined;
    case 'reason':
      return `reason=${event.kind === EventKind.guestExit ? exitName(event.code) : userspaceExitName(event.code)}`;
    case 'apic-register':
    case 'cpuid-leaf':
      return `${spec.code}=${hex(event.code)}`;
    case 'task-state':
      return `state=${taskStateText(event.code)}`;
    case 'instruction':
      return HALTS.get(event.code) ?? `instruction=${event.code}`;
    case 'pcpu':
      return `to-pcpu=${event.code}`;
    default:
      return `${spec.code}=${signed}`;
  }
}

function attrText(attr: PerfEventAttr | undefined): string | undefined {
  if (attr === undefined) return undefined;
  const flags = ATTR_FLAGS.filter(([bit]) => ((attr.attrFlags >> bit) & 1n) === 1n).map(
    ([, name]) => name,
  );
  const parts = [`type=${attr.type}`];
  if (attr.config1 !== 0n) parts.push(`config1=${hex(attr.config1)}`);
  if (attr.cpu >= 0) parts.push(`cpu=${attr.cpu}`);
  if (attr.task >= 0) parts.push(`task=${attr.task}`);
  return [...parts, ...flags].join(' ');
}

const HALTS: ReadonlyMap<number, string> = new Map(
  Object.entries(HaltInstruction).map(([name, code]) => [code, name]),
);

/** A task's state in the letters of sched_switch: `R`, `S`, `D`, `t|X`. */
function taskStateText(state: number): string {
  const letters = Object.entries(TaskState)
    .filter(([name, bit]) => name !== 'preempted' && (state & bit) !== 0)
    .map(([name]) => name);
  return letters.length === 0 ? 'R' : letters.join('|');
}

/**
 * The config of a perf event. Only an event-create record has the type beside it; without the type a number like 0x0
 * can be PMU event 0 or perf's generic "cycles", so that it stays a number.
 */
function configText(event: Event, words: EventWords): string {
  const { aux0: config } = event;
  const type = event.kind === EventKind.eventCreate ? words.attr(event.code)?.type : undefined;
  if (type === undefined || config > 0xffffn) return hex(config);
  const name =
    type === PERF_TYPE_HARDWARE
      ? perfHardwareName(Number(config))
      : pmuEventLabel(Number(config), type, words.machine);
  return name?.replaceAll(' ', ':') ?? hex(config);
}

/** A config's name among the machine's own events; x86 numbers them for PERF_TYPE_RAW only. */
function pmuEventLabel(
  config: number,
  type: number,
  machine: Machine = 'arm64',
): string | undefined {
  if (machine === 'arm64') return arm64EventLabel(config);
  if (machine === 'x86' || type !== PERF_TYPE_RAW) return undefined;
  const name = x86EventName(config, machine);
  return name === undefined ? undefined : `${name}:0x${config.toString(16)}`;
}

const PERF_TYPE_HARDWARE = 0;
const PERF_TYPE_RAW = 4;

/** One payload column as text, by what it means. */
export function payloadText(
  event: Event,
  column: 'object' | 'value' | 'aux0' | 'aux1',
  meaning: string,
  words: EventWords,
): string {
  const value = event[column];
  switch (meaning) {
    case 'pc':
    case 'event':
    case 'value':
    case 'mask':
    case 'raw':
    case 'error-code':
    case 'event-select':
    case 'address':
    case 'eax':
    case 'ebx':
    case 'ecx':
    case 'edx':
      return hex(value);
    case 'config':
      return configText(event, words);
    case 'next-tid':
      return threadText(Number(BigInt.asIntN(32, value)), words);
    case 'running-permyriad':
      return `${Number(value) / 100}%`;
    default:
      return value.toString();
  }
}
