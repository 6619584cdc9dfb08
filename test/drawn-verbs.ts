import { exceptionClassByName } from '../src/arch/arm64-exits.ts';
import { parseArm64Register } from '../src/arch/arm64-registers.ts';
import { X86_EXIT_WORDS } from '../src/arch/tracepoints/exit-code.ts';
import { ExitSpace } from '../src/arch/tracepoints.ts';
import type { Event } from '../src/domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../src/domain/event-kind.ts';
import type { PerfEventAttr } from '../src/domain/log-facts.ts';

/** One line of a drawing with where its events go. */
export interface DrawnLine {
  /** The words after the vCPU. */
  readonly words: readonly string[];
  readonly tid: number;
  readonly attrs: PerfEventAttr[];
  readonly names: string[];
  readonly configs: Map<string, bigint>;
  add(event: Partial<Event>): void;
}

/** Sources of a drawing: the trace, and the perf stat of either side. */
export const DRAWN_SOURCE = { trace: 1, guestStat: 2, hostStat: 3 } as const;

/** `e1` is 0xe010, `H1` 0xf010. */
export const pointer = (name: string): bigint =>
  (name.startsWith('H') ? 0xf000n : 0xe000n) + BigInt(name.slice(1)) * 16n;

/** `config=0x3c pinned` as a map; a word without a value is '0'. */
export function optionsOf(words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word): [string, string] => {
      const [key = '', value = '0'] = word.split('=');
      return [key, value];
    }),
  );
}

/** `code` of a guest-exit by its word: `CPUID`, `MSR_WRITE`, `msr`, `hlt`, `IRQ`, `WFx`, `SYS64`. */
export function exitCode(word: string): number {
  if (word === '') return 0;
  const x86 = X86_EXIT_WORDS[word];
  if (x86 !== undefined) return x86;
  if (word === 'IRQ') return ExitSpace.arm64 << 24;
  const ec = exceptionClassByName(word);
  if (ec === undefined) throw new Error(`drawn trace: no exit reason ${word}`);
  return (ExitSpace.arm64 << 24) | (2 << 8) | ec;
}

/** `0xc1=5`, `0xc1 = 5`, `PMCR_EL0=1`: register, its space flags, value (undefined without one). */
function assignment(words: readonly string[]): {
  code: number;
  flags: number;
  value: bigint | undefined;
} {
  const [name = '', value = ''] = words.join('').split('=');
  const msr = /^0x[0-9a-f]+$/i.test(name);
  const code = msr
    ? Number(name)
    : parseArm64Register(name)?.find((r) => r.space === RegisterSpace.sysreg)?.code;
  if (code === undefined) throw new Error(`drawn trace: no register ${name}`);
  return {
    code,
    flags: spaceFlags(msr ? RegisterSpace.msr : RegisterSpace.sysreg),
    value: value === '' ? undefined : BigInt(value),
  };
}

const ATTR = {
  disabled: 1n,
  pinned: 1n << 2n,
  exclude_user: 1n << 4n,
  exclude_kernel: 1n << 5n,
  exclude_hv: 1n << 6n,
  exclude_host: 1n << 19n,
  exclude_guest: 1n << 20n,
} as const;

/** Attr flags of the options that are named like their bits. */
export function attrFlags(options: ReadonlyMap<string, string>): bigint {
  return Object.entries(ATTR).reduce(
    (flags, [name, bit]) => (options.has(name) ? flags | bit : flags),
    0n,
  );
}

function hostEvent({ words, tid, attrs, configs, add }: DrawnLine): void {
  const options = optionsOf(words.slice(2));
  const modes = options.get('modes') ?? 'GH';
  const excluded = modes === 'G' ? ATTR.exclude_host : modes === 'H' ? ATTR.exclude_guest : 0n;
  const cpu = Number(options.get('cpu') ?? -1);
  attrs.push({
    type: Number(options.get('type') ?? 4),
    config1: 0n,
    attrFlags: attrFlags(options) | excluded,
    cpu,
    task: cpu >= 0 ? -1 : tid,
  });
  configs.set(words[1]!, BigInt(options.get('config') ?? 0));
  add({
    kind: EventKind.eventCreate,
    counter: -1,
    object: pointer(words[1]!),
    code: attrs.length - 1,
    value: BigInt(options.get('period') ?? 0),
    aux0: configs.get(words[1]!)!,
    flags: options.has('refused') ? EventFlag.failed : 0,
  });
}

/** A total of perf stat: `NAME COUNT LENGTH [not-supported] [not-counted] [running=PERMYRIAD]`. */
function stat({ words, names, add }: DrawnLine, source: number): void {
  const [, name = '', count = '0', length = '0'] = words;
  const options = optionsOf(words.slice(4));
  names.push(name);
  const running = Number(options.get('running') ?? 10000);
  add({
    kind: EventKind.count,
    source,
    vcpu: -1,
    tid: -1,
    pcpu: -1,
    code: names.length - 1,
    value: BigInt(count),
    object: BigInt(length),
    aux0: BigInt(running),
    flags:
      (options.has('interval') ? 0 : EventFlag.total) |
      (options.has('not-supported') ? EventFlag.notSupported : 0) |
      (options.has('not-counted') ? EventFlag.notCounted : 0) |
      (running < 10000 ? EventFlag.scaled : 0),
  });
}

/** A read of a perf event: `NAME COUNT [ENABLED RUNNING [STATE]]`. */
function eventRead({ words, add }: DrawnLine): void {
  const [, name = '', count = '0', enabled, running, state] = words;
  const times = enabled !== undefined && running !== undefined;
  add({
    kind: EventKind.eventRead,
    object: pointer(name),
    value: BigInt(count),
    aux0: times ? BigInt(enabled) : 0n,
    aux1: times ? BigInt(running) : 0n,
    code: state === undefined ? 0 : Number(state) >>> 0,
    flags: (times ? EventFlag.timesKnown : 0) | (state === undefined ? 0 : EventFlag.stateKnown),
  });
}

function access(line: DrawnLine, kind: EventKind, failed: boolean): void {
  const { code, flags, value } = assignment(line.words.slice(1));
  line.add({
    kind,
    code,
    value: value ?? 0n,
    flags: flags | (failed ? EventFlag.failed : 0) | (value === undefined ? EventFlag.noValue : 0),
  });
}

function rdpmc({ words, add }: DrawnLine, failed: boolean): void {
  const [index = '0', value = ''] = words.slice(1).join('').split('=');
  add({
    kind: EventKind.read,
    code: Number(index) >>> 0,
    value: value === '' ? 0n : BigInt(value),
    flags:
      spaceFlags(RegisterSpace.rdpmc) |
      (value === '' ? EventFlag.noValue : 0) |
      (failed ? EventFlag.failed : 0),
  });
}

const MSR_SMI_COUNT = 0x34;
const APIC_LVTPC = 0x340;
const NMI_VECTOR = 2;
const DELIVERY_NMI = 4n;

/** Draws the verbs of x86, of host events, of perf stat and of the VMM; false for a verb that is none of them. */
export function drawMore(line: DrawnLine): boolean {
  const { words, names, add } = line;
  const [verb = '', a = '', b = '', c = '', d = '', e = ''] = words;
  const u64 = (text: string): bigint => BigInt(text === '' ? 0 : text);
  switch (verb) {
    case 'wrmsr':
    case 'wrmsr!':
      access(line, EventKind.write, verb === 'wrmsr!');
      return true;
    case 'rdmsr':
    case 'rdmsr!':
      access(line, EventKind.read, verb === 'rdmsr!');
      return true;
    case 'rdpmc':
    case 'rdpmc!':
      rdpmc(line, verb === 'rdpmc!');
      return true;
    case 'host':
      hostEvent(line);
      return true;
    case 'hread':
      eventRead(line);
      return true;
    case 'pause':
      add({
        kind: EventKind.eventPause,
        object: pointer(a),
        value: u64(b),
        aux0: c === 'keep' ? 0n : 1n,
      });
      return true;
    case 'period':
      add({ kind: EventKind.eventPeriod, object: pointer(a), value: u64(b) });
      return true;
    case 'emulated':
      add({ kind: EventKind.emulated, value: u64(a) });
      return true;
    case 'nmi':
      add({ kind: EventKind.interruptAccept, code: NMI_VECTOR, value: DELIVERY_NMI });
      return true;
    case 'accept':
      add({ kind: EventKind.interruptAccept, code: Number(a), value: u64(b) });
      return true;
    case 'inject':
      add({ kind: EventKind.exceptionInject, code: Number(a), value: u64(b) });
      return true;
    case 'lvtpc':
      add({ kind: EventKind.apicWrite, code: APIC_LVTPC, value: u64(a) });
      return true;
    case 'smi':
      add({ kind: EventKind.hostRdmsr, code: MSR_SMI_COUNT, value: u64(a) });
      return true;
    case 'hrdmsr':
    case 'hwrmsr': {
      const { code, value } = assignment(words.slice(1));
      const kind = verb === 'hrdmsr' ? EventKind.hostRdmsr : EventKind.hostWrmsr;
      add({ kind, code, value: value ?? 0n });
      return true;
    }
    case 'uget':
      access(line, EventKind.userspaceGet, false);
      return true;
    case 'uset':
      access(line, EventKind.userspaceSet, false);
      return true;
    case 'load':
      add({ kind: EventKind.contextLoad });
      return true;
    case 'put':
      add({ kind: EventKind.contextPut });
      return true;
    case 'halt':
      add({ kind: EventKind.halt });
      return true;
    case 'wakeup':
      add({ kind: EventKind.wakeup, value: u64(a) });
      return true;
    case 'refresh':
      add({ kind: EventKind.pmuRefresh });
      return true;
    case 'cpuid':
      add({
        kind: EventKind.cpuid,
        code: Number(a) >>> 0,
        object: u64(b),
        value: u64(c),
        aux0: u64(d),
        aux1: u64(e),
      });
      return true;
    case 'migrate':
      add({ kind: EventKind.vmMigrate, vcpu: -1, tid: -1 });
      return true;
    case 'other':
      names.push(a);
      add({ kind: EventKind.other, code: names.length - 1 });
      return true;
    case 'mark':
      names.push(words.slice(1).join(' '));
      add({ kind: EventKind.marker, vcpu: -1, tid: -1, code: names.length - 1 });
      return true;
    case 'report':
      stat(line, DRAWN_SOURCE.guestStat);
      return true;
    case 'hoststat':
      stat(line, DRAWN_SOURCE.hostStat);
      return true;
    default:
      return false;
  }
}
