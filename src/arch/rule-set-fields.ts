import { ARM64_RULE_SETS } from './arm64-rules.ts';
import type { Arch } from './rule-sets.ts';
import { X86_RULE_SETS } from './x86-rules.ts';

/** What one field of a rule set decides, for people. */
export interface RuleField {
  /** Member of Arm64RuleSet or X86RuleSet. */
  readonly field: string;
  /** What it is about, as a phrase that a value follows. */
  readonly meaning: string;
  /** What its values say, where the value itself does not. */
  readonly values?: Readonly<Record<string, string>>;
  /** How numbers are read; default hexadecimal. */
  readonly numbers?: 'decimal';
  /** Section of docs/semantics-arm64.md ("A.…", "early …") or docs/semantics-x86.md ("B.…" to "E.…"). */
  readonly source: string;
}

const yesNo = (yes: string, no: string): Readonly<Record<string, string>> => ({
  true: yes,
  false: no,
});

/** The fields of the arm64 rule sets, in the order people want to read them. */
export const ARM64_RULE_FIELDS: readonly RuleField[] = [
  {
    field: 'checked',
    meaning: 'how the rules were checked',
    values: { run: 'vectors or recordings', read: 'reading only' },
    source: 'A.3',
  },
  {
    field: 'recreate',
    meaning: 'a type write makes the host event anew',
    values: { always: 'always', 'event-changed': 'if the event number changed' },
    source: 'A.3',
  },
  {
    field: 'enableCreates',
    meaning: 'enabling a counter without host event',
    values: yesNo('creates one', 'does nothing'),
    source: 'A.6',
  },
  {
    field: 'created',
    meaning: 'a new host event starts',
    values: { gated: 'enabled if E and CNTEN are set', enabled: 'enabled always' },
    source: 'A.4',
  },
  {
    field: 'counterWrite',
    meaning: 'a counter write',
    values: {
      'release-assign': 'releases the event, assigns, creates',
      'adjust-fold': 'adds the difference, folds, creates',
      'adjust-keep': 'adds the difference, keeps the event',
    },
    source: 'A.6',
  },
  {
    field: 'stopFolds',
    meaning: 'ending an event',
    values: yesNo('adds its count to the counter', 'loses its count'),
    source: 'A.4',
  },
  {
    field: 'hostEvent',
    meaning: 'the event asked of the host',
    values: { raw: 'its PMUv3 number', 'generic-maps': "perf's generic event, else the number" },
    source: 'A.3',
  },
  {
    field: 'longHostCounter',
    meaning: 'a 64-bit counter is asked of the host for a wide one',
    source: 'A.4',
  },
  {
    field: 'cycleEvent',
    meaning: 'the cycle counter counts',
    values: { 'cpu-cycles': 'CPU_CYCLES always', 'as-typed': 'the number in PMCCFILTR' },
    source: 'A.4',
  },
  {
    field: 'swIncrUnbacked',
    meaning: 'event 0 (SW_INCR)',
    values: yesNo('gets no host event', 'is asked of the host'),
    source: 'A.4',
  },
  {
    field: 'chainBySoftware',
    meaning: 'CHAIN counters',
    values: yesNo('are ticked by KVM', 'are asked of the host as event 0x1e'),
    source: 'A.3',
  },
  {
    field: 'swincNeedsE',
    meaning: 'PMSWINC needs PMCR.E',
    source: 'A.7',
  },
  {
    field: 'wideEventCounters',
    meaning: 'event counters are 64 bits wide',
    values: { 'guest-pmuver-3.5': 'for a PMUv3p5 guest', never: 'never' },
    source: 'A.3',
  },
  {
    field: 'cycleWidth',
    meaning: 'bits of the cycle counter',
    values: { '64-once-lc': '32, and 64 once PMCR.LC was written 1' },
    numbers: 'decimal',
    source: 'A.3',
  },
  {
    field: 'lpMovesOverflow',
    meaning: 'PMCR.LP moves the overflow to 64 bits',
    source: 'A.7',
  },
  {
    field: 'lpDroppedBelow35',
    meaning: 'PMCR.LP is dropped below PMUv3p5',
    source: 'A.6',
  },
  {
    field: 'widePeriodMasked',
    meaning: '32-bit period of a wide counter',
    values: yesNo('reduced mod 2^32', 'near 2^64: no overflow for ages'),
    source: 'A.7',
  },
  {
    field: 'rearm',
    meaning: 'after an overflow the sample period is',
    values: { recomputed: 'computed anew', fixed: 'the first one, for good' },
    source: 'A.3',
  },
  {
    field: 'levelNeedsEnable',
    meaning: 'the interrupt also needs the PMCNTEN bit',
    source: 'A.3',
  },
  {
    field: 'eventBitsBy',
    meaning: 'bits of the event number',
    values: {
      'guest-pmuver': "by the guest's PMUVer",
      'host-pmuver': "by the host's PMUVer",
    },
    numbers: 'decimal',
    source: 'A.3',
  },
  { field: 'typeBits', meaning: 'filter bits kept in PMEVTYPER', source: 'A.4' },
  {
    field: 'typeResetMask',
    meaning: 'mask on the reset value of PMEVTYPER',
    values: { 'as-written': 'that of writes' },
    source: 'A.2',
  },
  {
    field: 'unusedEvent',
    meaning: 'number that stands for "never programmed"',
    values: { null: 'none' },
    source: 'A.3',
  },
  {
    field: 'excludeBy',
    meaning: 'exclude_user and exclude_kernel follow',
    values: { 'U,P': 'U and P', 'U^NSU,P^NSK': 'U xor NSU, P xor NSK' },
    source: 'A.4',
  },
  {
    field: 'excludeHv',
    meaning: 'exclude_hv is set',
    values: { always: 'always', 'unless-nsh': 'unless NSH' },
    source: 'A.4',
  },
  { field: 'eventFilter', meaning: 'the VMM can filter events', source: 'A.8' },
  {
    field: 'aarch32KeepsUpper',
    meaning: 'an AArch32 counter write keeps bits 63:32',
    source: 'A.6',
  },
  { field: 'pmcrResetLow', meaning: 'low byte of PMCR after reset', source: 'A.2' },
  { field: 'pmcrWritable', meaning: 'bits of PMCR a write reaches', source: 'A.2' },
  {
    field: 'pmcrIdentity',
    meaning: 'PMCR bits 31:16 show',
    values: { host: "the host's identity", zero: 'zero' },
    source: 'A.2',
  },
  {
    field: 'lcFixedWithoutAarch32',
    meaning: 'PMCR.LC is 1 for a guest without AArch32 EL0',
    source: 'A.6',
  },
  {
    field: 'pmcrDisables',
    meaning: 'PMCR.E = 0 disables',
    values: { enabled: 'counters in PMCNTEN', valid: 'every valid counter' },
    source: 'A.6',
  },
  {
    field: 'userspacePmcr',
    meaning: 'the VMM may set PMCR.N',
    values: { 'n-limited': "before the first run, to the host's at most", stored: 'to anything' },
    source: 'A.3',
  },
  { field: 'reloadAtFirstRun', meaning: 'the first run acts on PMCR', source: 'A.6' },
  { field: 'trimAtFirstRun', meaning: '… and trims the enable and overflow sets', source: 'A.6' },
  {
    field: 'resetReaches',
    meaning: 'PMCR.P and reset reach',
    values: { valid: 'valid counters', all: 'those at and above N too' },
    source: 'A.6',
  },
  {
    field: 'resetOrder',
    meaning: 'a vCPU reset ends the host events',
    values: {
      'events-first': 'first',
      'registers-first': 'last: counts end up in the reset values',
    },
    source: 'A.6',
  },
  {
    field: 'overflowReset',
    meaning: 'PMOVS after reset',
    values: { poison: 'the UNKNOWN pattern', zero: '0' },
    source: 'A.2',
  },
  {
    field: 'counterReset',
    meaning: 'counters after reset',
    values: { poison: 'the UNKNOWN pattern', kept: 'as they were' },
    source: 'A.2',
  },
  {
    field: 'setsCut',
    meaning: 'PMCNTEN, PMINTEN, PMOVS are cut to valid counters',
    values: { 'at-reset': 'at reset', 'at-use': 'when used' },
    source: 'A.2',
  },
  { field: 'ceidShowsChain', meaning: 'PMCEID0 always shows CHAIN', source: 'A.2' },
  { field: 'ceid1Hidden', meaning: 'bits of PMCEID1 never shown', source: 'A.2' },
  { field: 'aarch32CeidHigh', meaning: 'AArch32 can read the upper PMCEID halves', source: 'A.2' },
  {
    field: 'mmir',
    meaning: 'PMMIR_EL1',
    values: { 'raz-wi': 'reads 0', undef: 'is UNDEFINED' },
    source: 'A.2',
  },
  {
    field: 'warnsOnDirection',
    meaning: 'a PMCEID write or PMSWINC read also warns in the host log',
    source: 'A.2',
  },
  {
    field: 'withoutPmu',
    meaning: 'accesses of a vCPU without PMU',
    values: { undef: 'UNDEFINED', 'raz-wi': 'read 0, ignore writes' },
    source: 'A.2',
  },
];

/** The fields of the x86 rule sets. */
export const X86_RULE_FIELDS: readonly RuleField[] = [
  {
    field: 'ownership',
    meaning: 'hardware counters belong, in guest mode, to',
    values: { perf: 'host perf', mediated: 'the guest' },
    source: 'E.1',
  },
  {
    field: 'mediation',
    meaning: 'form of the mediated vPMU',
    values: { 'rfc-2024': 'the RFC of 2024', 'merged-7.0': 'as merged for 7.0', undefined: 'none' },
    source: 'E.1',
  },
  {
    field: 'reprogram',
    meaning: 'events are reprogrammed',
    values: { immediate: 'inside the WRMSR', deferred: 'before the next entry' },
    source: 'B.5',
  },
  {
    field: 'reuse',
    meaning: 'an event is kept',
    values: {
      never: 'never: released, created anew',
      'enable-bit': 'if only EN changed',
      'same-config': 'if the config is the last created one',
    },
    source: 'C',
  },
  { field: 'retriesCreate', meaning: 'a refused creation is tried again later', source: 'B.5' },
  {
    field: 'lazyRelease',
    meaning: 'events of disabled counters not written in a time slice are released',
    source: 'B.5',
  },
  {
    field: 'periodOfZero',
    meaning: 'sample period of a counter at 0',
    values: { full: '2^W', none: '0: never overflows' },
    source: 'B.6',
  },
  {
    field: 'writeSetsPeriod',
    meaning: 'a counter write sets the period of a live event',
    source: 'B.5',
  },
  {
    field: 'periodOnlyIfSampling',
    meaning: 'the period of an event made without one is left alone',
    source: 'B.6',
  },
  {
    field: 'attrType',
    meaning: 'events are asked for as',
    values: { raw: 'RAW', 'hardware-or-raw': 'HARDWARE where one fits, else RAW' },
    source: 'C',
  },
  {
    field: 'unavailableEvents',
    meaning: 'an event that leaf 0xA calls unavailable',
    values: { counted: 'counts', refused: 'never counts', raw: 'is asked for as RAW' },
    source: 'B.2',
  },
  {
    field: 'pendingCleared',
    meaning: 'a pending reprogramming is forgotten',
    values: { 'when-handled': 'when it is taken up', 'when-programmed': 'when the event counts' },
    source: 'B.5',
  },
  {
    field: 'softCount',
    meaning: 'emulated instructions and branches',
    values: {
      none: 'are not counted',
      'in-base': 'are added to the counter at once',
      apart: 'are added when it is reprogrammed',
    },
    source: 'B.8',
  },
  {
    field: 'filterStopsSoftCount',
    meaning: 'the event filter stops those too',
    source: 'B.10',
  },
  {
    field: 'filter',
    meaning: 'event filter',
    values: { none: 'none', exact: 'by event and unit mask', masked: 'with masks too' },
    source: 'B.10',
  },
  { field: 'filterReprograms', meaning: 'a new filter acts at once', source: 'B.10' },
  {
    field: 'globalCtrlAtRefresh',
    meaning: 'GLOBAL_CTRL after CPUID is set',
    values: { zero: '0', gp: 'all general counters', 'gp+fixed': 'all counters' },
    source: 'B.4',
  },
  {
    field: 'version1Gate',
    meaning: 'counters of a version-1 guest are globally',
    values: { on: 'on', 'global-ctrl': 'gated by a hidden GLOBAL_CTRL' },
    source: 'B.4',
  },
  {
    field: 'vcpuReset',
    meaning: 'a vCPU RESET',
    values: {
      untouched: 'leaves the PMU alone',
      cleared: 'clears it',
      'cleared-but-fixed': 'clears it but fixed counters',
    },
    source: 'B.4',
  },
  { field: 'refreshResets', meaning: 'setting CPUID before the first run resets', source: 'B.4' },
  { field: 'fullWidthWrites', meaning: 'full-width counter MSRs 0x4c1…', source: 'B.1' },
  {
    field: 'fixedSignExtended',
    meaning: 'fixed counter writes are sign-extended from 32 bits',
    source: 'B.1',
  },
  {
    field: 'ovfCtrlReads',
    meaning: 'GLOBAL_OVF_CTRL reads',
    values: { zero: '0', 'last-written': 'the value written last' },
    source: 'B.1',
  },
  {
    field: 'fixedCtrlReserved',
    meaning: 'reserved bits of FIXED_CTR_CTRL',
    values: { 'by-count': 'by the number of fixed counters', 'three-counters': 'for three' },
    source: 'B.3',
  },
  {
    field: 'hostStatusChecked',
    meaning: 'the VMM may not set reserved GLOBAL_STATUS bits',
    source: 'B.1',
  },
  {
    field: 'hostAbsentAllowed',
    meaning: 'the VMM may read and zero PMU MSRs the vCPU lacks',
    source: 'B.1',
  },
  {
    field: 'amdReserved',
    meaning: 'reserved selector bits on AMD',
    values: { dropped: 'are dropped', fault: '#GP' },
    source: 'B.3',
  },
  { field: 'amdCoreExtension', meaning: 'six AMD counters (PERFCTR_CORE)', source: 'B.1' },
  { field: 'amdPerfMonV2', meaning: 'AMD PerfMonV2', source: 'B.1' },
  { field: 'pebs', meaning: 'PEBS', source: 'B.11' },
  {
    field: 'inTx',
    meaning: 'IN_TX and IN_TXCP selector bits',
    values: {
      never: 'reserved',
      'txcp-on-2': 'writable with TSX, IN_TXCP on counter 2 only',
      'txcp-on-all': 'writable with TSX on every counter',
    },
    source: 'B.3',
  },
  { field: 'topdown', meaning: 'SLOTS and PERF_METRICS as one group', source: 'D.2' },
  { field: 'maxFixed', meaning: 'fixed counters at most', numbers: 'decimal', source: 'B.2' },
  {
    field: 'rdpmcIndex',
    meaning: 'RDPMC index',
    values: { strict: 'type bits are checked', stripped: 'bits 31:30 are stripped' },
    source: 'B.9',
  },
  { field: 'rdpmcChecksCpl', meaning: 'KVM itself checks CPL for RDPMC', source: 'B.9' },
  {
    field: 'rdpmcAmdEarly',
    meaning: 'an AMD RDPMC index out of range faults without an exit',
    source: 'B.9',
  },
  { field: 'rdpmcVmware', meaning: 'VMware backdoor RDPMC indices', source: 'B.9' },
  { field: 'lvtpcMasked', meaning: 'LVTPC is masked after a PMI', source: 'B.7' },
];

/** Members that say what a rule set is, not what it does. */
const IDENTITY = new Set(['name', 'kernels', 'summary', 'sources', 'selectable', 'missing']);

/** One field of a rule set with its value in words. */
export interface RuleValue {
  readonly field: string;
  readonly meaning: string;
  readonly value: string;
  readonly source: string;
}

/** A value as people read it. */
function words(value: unknown, row: RuleField | undefined): string {
  const said = row?.values?.[`${value as string}`];
  if (said !== undefined) return said;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') {
    return row?.numbers === 'decimal' ? `${value}` : `0x${(value >>> 0).toString(16)}`;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, part]) => `${name} ${words(part, undefined)}`)
      .join(', ');
  }
  return `${value as string}`;
}

/** `softCount` as `soft count`: for a field that nobody described. */
function plainName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Every field of a rule set in words, in the order of the tables; undefined for a name there is none of. */
export function ruleValues(name: string): readonly RuleValue[] | undefined {
  const arm64 = ARM64_RULE_SETS.find((rules) => rules.name === name);
  const rules: object | undefined = arm64 ?? X86_RULE_SETS.find((set) => set.name === name);
  if (rules === undefined) return undefined;
  const table = arm64 === undefined ? X86_RULE_FIELDS : ARM64_RULE_FIELDS;
  const fields = Object.entries(rules).filter(([field]) => !IDENTITY.has(field));
  const place = (field: string): number => {
    const at = table.findIndex((row) => row.field === field);
    return at < 0 ? table.length : at;
  };
  return fields
    .sort(([a], [b]) => place(a) - place(b))
    .map(([field, value]) => {
      const row = table.find((known) => known.field === field);
      return {
        field,
        meaning: row?.meaning ?? plainName(field),
        value: words(value, row),
        source: row?.source ?? '',
      };
    });
}

/** A field in which two rule sets differ. */
export interface RuleDifference {
  readonly field: string;
  readonly meaning: string;
  readonly a: string;
  readonly b: string;
  readonly source: string;
}

/** The fields in which two rule sets of one architecture differ; a field that only one has is an empty text in the other. */
export function ruleDifferences(a: string, b: string): readonly RuleDifference[] {
  const first = ruleValues(a) ?? [];
  const second = ruleValues(b) ?? [];
  const all = [...first, ...second.filter(({ field }) => !first.some((v) => v.field === field))];
  return all.flatMap(({ field, meaning, source }) => {
    const inA = first.find((value) => value.field === field)?.value ?? '';
    const inB = second.find((value) => value.field === field)?.value ?? '';
    return inA === inB ? [] : [{ field, meaning, a: inA, b: inB, source }];
  });
}

/** The architecture of a rule set; undefined for a name there is none of. */
export function archOfRules(name: string): Arch | undefined {
  if (ARM64_RULE_SETS.some((rules) => rules.name === name)) return 'arm64';
  return X86_RULE_SETS.some((rules) => rules.name === name) ? 'x86' : undefined;
}
