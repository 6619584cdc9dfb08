import type { CauseCode } from '../../src/diagnose/causes/catalogue.ts';
import type { RecordingFacts } from '../../src/domain/log-facts.ts';

/** A trace without a fault, and the causes that are nevertheless at work in it: costs and edges that are really there. */
export interface CleanTrace {
  readonly drawing: string;
  readonly recording: Partial<RecordingFacts>;
  readonly real: ReadonlySet<CauseCode>;
}

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Host =
  | 'arm64'
  | 'arm64 instructions'
  | 'amd'
  | 'amd instructions'
  | 'intel'
  | 'intel instructions';

/** Hosts a trace may be of: release, and CPU where the recording tells. */
const KERNELS: Readonly<Record<'arm64' | 'x86', readonly string[]>> = {
  arm64: ['6.12.0', '6.6.0', '6.12.43'],
  x86: ['6.12.0', '6.1.0', '6.6.0', '6.8.0'],
};
const MODELS: Readonly<Record<'arm64' | 'amd' | 'intel', readonly (string | undefined)[]>> = {
  arm64: [undefined, 'Neoverse-N1', 'ThunderX2'],
  amd: [undefined, 'AMD EPYC 7543 32-Core Processor', 'AMD Ryzen 9 7950X'],
  intel: [undefined, 'Intel(R) Xeon(R) Gold 6430'],
};

/** What a host's guest does to count `event` on its counter, read it and set it to 0; and how the kernel names its exits. */
interface Flavour {
  readonly arch: 'arm64' | 'x86';
  readonly vendor: 'arm64' | 'amd' | 'intel';
  readonly event: string;
  readonly start: readonly string[];
  readonly created: string;
  readonly enabled: readonly string[];
  readonly read: (value: number) => string;
  readonly access: string;
  readonly halt: string;
  readonly other: readonly string[];
}

const CYCLES: Readonly<Record<'arm64' | 'amd' | 'intel', Flavour>> = {
  arm64: {
    arch: 'arm64',
    vendor: 'arm64',
    event: '0x11',
    start: [
      'write PMCNTENCLR_EL0 0xffffffff',
      'write PMCCFILTR_EL0 0x0',
      'write PMCCNTR_EL0 0x0',
      'write PMCNTENSET_EL0 0x80000000',
      'entry write PMCR_EL0 0x1',
    ],
    created: 'create 31 e1 config=0x11 period=0',
    enabled: ['place e1', 'done write PMCR_EL0 0x1'],
    read: (value) => `read PMCCNTR_EL0 = ${value}`,
    access: 'SYS64',
    halt: 'WFx',
    other: ['IRQ', 'DABT_LOW', 'HVC64'],
  },
  amd: {
    arch: 'x86',
    vendor: 'amd',
    event: '0x76',
    start: ['wrmsr 0xc0010200=0x430076'],
    created: 'create - e1 config=0x76 period=0x1000000000000',
    enabled: [],
    read: (value) => `rdmsr 0xc0010201=${value}`,
    access: 'msr',
    halt: 'hlt',
    other: ['interrupt', 'npf', 'cpuid', 'vintr'],
  },
  intel: {
    arch: 'x86',
    vendor: 'intel',
    event: '0x3c',
    start: ['wrmsr 0x38f=0x0', 'wrmsr 0x186=0x43003c', 'wrmsr 0x38f=0x1'],
    created: 'create - e1 config=0x3c period=0x1000000000000',
    enabled: [],
    read: (value) => `rdmsr 0xc1=${value}`,
    access: 'MSR_READ',
    halt: 'HLT',
    other: ['EXTERNAL_INTERRUPT', 'EPT_VIOLATION', 'CPUID', 'PREEMPTION_TIMER'],
  },
};

const FLAVOURS: Readonly<Record<Host, Flavour>> = {
  ...CYCLES,
  'arm64 instructions': {
    ...CYCLES.arm64,
    event: '0x8',
    start: [
      'write PMCNTENCLR_EL0 0xffffffff',
      'write PMEVTYPER0_EL0 0x8',
      'write PMEVCNTR0_EL0 0x0',
      'write PMCNTENSET_EL0 0x1',
      'entry write PMCR_EL0 0x1',
    ],
    created: 'create 0 e1 config=0x8 period=0x100000000',
    read: (value) => `read PMEVCNTR0_EL0 = ${value}`,
  },
  'amd instructions': {
    ...CYCLES.amd,
    event: '0xc0',
    start: ['wrmsr 0xc0010200=0x4300c0'],
    created: 'create - e1 config=0xc0 period=0x1000000000000',
  },
  'intel instructions': {
    ...CYCLES.intel,
    event: '0xc0',
    start: ['wrmsr 0x38f=0x0', 'wrmsr 0x186=0x4300c0', 'wrmsr 0x38f=0x1'],
    created: 'create - e1 config=0xc0 period=0x1000000000000',
  },
};

const HOSTS = Object.keys(FLAVOURS) as readonly Host[];
/** Exits whose instruction KVM emulates, and counts where the event is instructions. */
const EMULATED: ReadonlySet<string> = new Set([
  'msr',
  'hlt',
  'cpuid',
  'MSR_READ',
  'MSR_WRITE',
  'HLT',
  'CPUID',
]);

/**
 * One random trace of a healthy host: a guest counter counts cycles while the vCPU enters and leaves, is preempted, goes to
 * sleep, is moved to another CPU, halts; host events of several modes are read at exits, and their counts are exact.
 */
export function cleanTrace(seed: number): CleanTrace {
  const random = randomOf(seed);
  const kind = HOSTS[random(HOSTS.length)]!;
  const flavour = FLAVOURS[kind];
  const { arch, vendor } = flavour;
  const kernels = KERNELS[arch].filter(
    (release) => flavour.event !== '0xc0' || release !== '6.1.0',
  );
  const kernelRelease = kernels[random(kernels.length)]!;
  const cpuModel = MODELS[vendor][random(MODELS[vendor].length)];
  const recording = { arch, kernelRelease, ...(cpuModel === undefined ? {} : { cpuModel }) };
  /** KVM adds what it emulates, and takes its event's count over whenever it does (as 6.6 and later do). */
  const adds = arch === 'x86' && flavour.event === '0xc0';
  const real = new Set<CauseCode>(['hv-excluded', 'observer-cost']);
  const lines: string[] = [];
  let time = 0;
  let cpu = random(4);
  const line = (text: string, ns = 50 + random(100)): void => {
    time += ns;
    lines.push(`${time} v0 cpu${cpu} ${text}`);
  };
  const modes = [['G'], ['G', 'H'], ['GH', 'H'], ['GH'], []][random(5)]!;
  // With both modes of the same exit cost throughout, or with varying.
  const even = random(2) === 0;
  const perNs = 1 + random(3);
  let guest = 0;
  let host = 0;
  /** Instructions KVM emulated and added, and what its event had counted when it last did. */
  let added = 0;
  let taken = 0;

  line(arch === 'x86' ? 'refresh' : 'reset', 0);
  modes.forEach((mode, i) => {
    line(`host H${i + 1} config=${flavour.event} modes=${mode}`);
  });
  line('enter');
  line(`exit ${flavour.access === 'MSR_READ' ? 'MSR_WRITE' : flavour.access}`, 1000);
  for (const text of flavour.start) line(text);
  line(flavour.created);
  for (const text of flavour.enabled) line(text);
  const hostReads = (): void => {
    modes.forEach((mode, i) => {
      const count = mode === 'G' ? guest : mode === 'H' ? host : guest + host;
      line(`hread H${i + 1} ${count} ${time} ${time}`);
    });
  };
  hostReads();
  const steps = 20 + random(150);
  for (let step = 0; step < steps; step++) {
    line('enter');
    const ns = 2_000 + random(200_000);
    guest += ns * perNs;
    const kind = random(10);
    let emulated = false;
    const reason = kind < 2 ? flavour.access : kind === 2 ? flavour.halt : flavour.other;
    const word = typeof reason === 'string' ? reason : reason[random(reason.length)]!;
    emulated = adds && EMULATED.has(word);
    line(`exit ${word}`, ns);
    const work = even ? 3_000 : 500 + random(20_000);
    host += work;
    line(`${emulated ? 'pause' : 'count'} e1 ${guest - taken}`, work);
    if (kind < 2) line(flavour.read(guest + added));
    if (emulated) {
      added++;
      taken = guest;
      real.add('emulated-counted');
    }
    if (kind === 2 && random(2) === 0) {
      const polled = random(100_000);
      if (polled > 0) real.add('halt-poll');
      host += polled;
      time += polled;
    } else if (kind === 2) {
      line('out S');
      line('in', 10_000 + random(2_000_000));
    }
    if (kind === 3) {
      real.add('host-steal');
      line('out');
      if (flavour.access === 'SYS64') {
        line('take e1');
        line(`update e1 ${guest}`);
      }
      if (random(2) === 0) cpu = random(4);
      line('in', 5_000 + random(3_000_000));
      if (flavour.access === 'SYS64') line('place e1');
    }
    if (random(4) === 0) hostReads();
  }
  hostReads();
  line('enter');
  return { drawing: lines.join('\n'), recording, real };
}
