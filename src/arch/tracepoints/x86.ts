import { X86_EXIT_WORDS } from './exit-code.ts';
import type { TracepointRule } from './rule.ts';

const TRACE_H = 'arch/x86/kvm/trace.h (semantics G)';
const MSR_TRACE_H = 'arch/x86/include/asm/msr-trace.h (semantics G)';
const PROBES = 'function probes of KVM and perf (dynamic_events of the x86 recordings)';

/** kvm_entry and kvm_exit are one tracepoint name with different fields on x86 and arm64. */
const RESIDENCY: readonly TracepointRule[] = [
  {
    name: 'kvm_entry',
    kind: 'guest-enter',
    onVcpuThread: true,
    vcpuLoaded: true,
    fields: { vcpu_id: 'vcpu', rip: 'value', vcpu_pc: 'value' },
    text: ['vcpu {vcpu_id}, rip {rip:x}', 'vcpu {vcpu_id} rip {rip:x}', '{*}PC: {vcpu_pc:x}'],
    source: TRACE_H,
  },
  {
    name: 'kvm_exit',
    kind: 'guest-exit',
    onVcpuThread: true,
    vcpuLoaded: true,
    fields: {
      vcpu_id: 'vcpu',
      exit_reason: 'exit-reason',
      isa: 'exit-isa',
      guest_rip: 'value',
      ret: 'exit-type',
      esr_ec: 'exit-class',
      vcpu_pc: 'value',
    },
    text: [
      'vcpu {vcpu_id} reason {exit_reason:w} rip {guest_rip:x}',
      'reason {exit_reason:w} rip {guest_rip:x}',
      // libtraceevent's plugin for the x86 tracepoint complains first.
      '<CANT FIND FIELD exit_reason>{ret:w}: HSR_EC: {esr_ec:x} ({*}), PC: {vcpu_pc:x}',
      '{ret:w}: HSR_EC: {esr_ec:x} ({*}), PC: {vcpu_pc:x}',
    ],
    words: {
      exit_reason: X86_EXIT_WORDS,
      ret: { IRQ: 0, SERROR: 1, TRAP: 2, IL: 3, HYP_GONE: 0x11 },
    },
    source: `${TRACE_H}; arch/arm64/kvm/trace_arm.h`,
  },
];

const EXCEPTIONS: Readonly<Record<string, number>> = {
  ...{ DE: 0, DB: 1, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13 },
  ...{ PF: 14, MF: 16, AC: 17, MC: 18 },
};

/** Offsets of the local APIC's registers by the names kvm_apic prints (arch/x86/include/asm/apicdef.h). */
const APIC_REGISTERS: Readonly<Record<string, number>> = {
  ...{ APIC_ID: 0x20, APIC_LVR: 0x30, APIC_TASKPRI: 0x80, APIC_ARBPRI: 0x90, APIC_PROCPRI: 0xa0 },
  ...{ APIC_EOI: 0xb0, APIC_RRR: 0xc0, APIC_LDR: 0xd0, APIC_DFR: 0xe0, APIC_SPIV: 0xf0 },
  ...{ APIC_ISR: 0x100, APIC_TMR: 0x180, APIC_IRR: 0x200, APIC_ESR: 0x280, APIC_ICR: 0x300 },
  ...{ APIC_ICR2: 0x310, APIC_LVTT: 0x320, APIC_LVTTHMR: 0x330, APIC_LVTPC: 0x340 },
  ...{ APIC_LVT0: 0x350, APIC_LVT1: 0x360, APIC_LVTERR: 0x370, APIC_TMICT: 0x380 },
  ...{ APIC_TMCCT: 0x390, APIC_TDCR: 0x3e0, APIC_SELF_IPI: 0x3f0, APIC_EFEAT: 0x400 },
  APIC_ECTRL: 0x410,
};

const STOCK: readonly TracepointRule[] = [
  {
    name: 'kvm_msr',
    kind: ['read', 'write'],
    space: 'msr',
    fields: { write: 'select', ecx: 'code', data: 'value', exception: 'failed' },
    required: ['write', 'ecx', 'data'],
    text: ['msr_{write:w} {ecx:x} = {data:x}{exception? (#GP)}'],
    words: { write: { read: 0, write: 1 } },
    source: TRACE_H,
  },
  {
    name: 'kvm_apic_accept_irq',
    kind: 'interrupt-accept',
    fields: { apicid: 'vcpu', dm: 'delivery-mode', vec: 'code' },
    required: ['vec'],
    text: ['apicid {apicid:x} vec {vec} ({dm:w}|'],
    words: {
      dm: {
        ...{ Fixed: 0, LowPrio: 0x100, SMI: 0x200, Res3: 0x300, NMI: 0x400, INIT: 0x500 },
        ...{ SIPI: 0x600, ExtINT: 0x700 },
      },
    },
    source: TRACE_H,
  },
  {
    // One that is injected again is no second fault: kept by name.
    name: 'kvm_inj_exception',
    kind: ['exception-inject', 'other'],
    fields: {
      exception: 'code',
      error_code: 'value',
      has_error: 'value-given',
      reinjected: 'select',
    },
    required: ['exception'],
    text: [
      '#{exception:w} ({error_code}){reinjected? [reinjected]}',
      '#{exception:w}{reinjected? [reinjected]}',
    ],
    words: { exception: EXCEPTIONS },
    source: TRACE_H,
  },
  {
    name: 'kvm_apic',
    kind: ['other', 'apic-write'],
    fields: { rw: 'select', reg: 'code', val: 'value' },
    required: ['rw', 'reg', 'val'],
    text: ['apic_{rw:w} {reg:w} = {val:x}'],
    words: { rw: { read: 0, write: 1 }, reg: APIC_REGISTERS },
    source: TRACE_H,
  },
  {
    name: 'kvm_mmio',
    kind: 'mmio',
    fields: { gpa: 'object', val: 'value' },
    required: ['gpa'],
    text: ['mmio {*} gpa {gpa:x} val {val:x}'],
    source: 'include/trace/events/kvm.h',
  },
  {
    name: 'kvm_cpuid',
    kind: 'cpuid',
    fields: { function: 'code', rax: 'object', rbx: 'value', rcx: 'aux0', rdx: 'aux1' },
    required: ['function', 'rax', 'rbx', 'rcx', 'rdx'],
    text: [
      'func {function:x} idx {*} rax {rax:x} rbx {rbx:x} rcx {rcx:x} rdx {rdx:x}',
      'func {function:x} rax {rax:x} rbx {rbx:x} rcx {rcx:x} rdx {rdx:x}',
    ],
    source: TRACE_H,
  },
];

const HOST: readonly TracepointRule[] = (
  [
    ['read_msr', 'host-rdmsr', 'msr'],
    ['write_msr', 'host-wrmsr', 'msr'],
    ['rdpmc', 'host-rdpmc', 'rdpmc'],
  ] as const
).map(([name, kind, space]) => ({
  name,
  kind,
  space,
  fields: { msr: 'code', val: 'value', failed: 'failed' },
  required: ['msr', 'val'],
  text: ['{msr:x}, value {val:x}{failed? #GP}'],
  source: MSR_TRACE_H,
}));

/** `kvm_msr` has what a guest access wrote or read; these have what the VMM did. */
function pmuMsr(vendor: string): TracepointRule[] {
  const fields = { vcpu_id: 'vcpu', msr: 'code', data: 'value', host: 'select' } as const;
  const required = ['msr', 'data'];
  return [
    {
      name: `${vendor}_pmu_set_msr`,
      kind: ['write', 'userspace-set'],
      space: 'msr',
      flags: ['entry'],
      fields,
      required,
      source: PROBES,
    },
    {
      name: `${vendor}_pmu_get_msr`,
      kind: ['other', 'userspace-get'],
      space: 'msr',
      fields,
      required,
      source: PROBES,
    },
  ];
}

const EVENT = { event: 'event' } as const;
const ATTR = {
  type: 'attr.type',
  config: 'aux0',
  sample_period: 'value',
  pinned: 'attr.pinned',
  exclude_user: 'attr.exclude_user',
  exclude_kernel: 'attr.exclude_kernel',
  exclude_host: 'attr.exclude_host',
  exclude_guest: 'attr.exclude_guest',
  cpu: 'attr.cpu',
  pid: 'attr.task',
} as const;

const PROBE_RULES: readonly TracepointRule[] = [
  {
    name: 'kvm_pmu_rdpmc',
    kind: 'read',
    space: 'rdpmc',
    fields: { vcpu_id: 'vcpu', idx: 'code', val: 'value', ret: 'failed' },
    required: ['idx', 'val'],
    source: PROBES,
  },
  ...pmuMsr('amd'),
  ...pmuMsr('intel'),
  {
    name: 'pmc_write_counter',
    kind: 'counter-set',
    fields: { idx: 'counter', val: 'value' },
    required: ['idx', 'val'],
    source: PROBES,
  },
  { name: 'kvm_pmu_reset', kind: 'vcpu-reset', fields: { vcpu_id: 'vcpu' }, source: PROBES },
  {
    name: 'kvm_perf_overflow',
    kind: 'event-overflow',
    fields: EVENT,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'perf_event_create',
    kind: 'event-create',
    flags: ['entry'],
    fields: ATTR,
    required: ['config'],
    entryOf: 'perf_event_create_ret',
    source: PROBES,
  },
  {
    name: 'perf_event_create_ret',
    kind: 'event-create',
    fields: { ret: 'event', ...ATTR },
    required: ['ret'],
    source: PROBES,
  },
  {
    name: 'perf_event_enable',
    kind: 'event-enable',
    fields: EVENT,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'perf_event_disable',
    kind: 'event-disable',
    fields: EVENT,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'perf_event_release',
    kind: 'event-release',
    fields: EVENT,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'perf_event_read_value',
    kind: 'event-read',
    fields: { event: 'event', count: 'value', enabled: 'aux0', running: 'aux1' },
    required: ['event', 'count'],
    source: PROBES,
  },
  {
    name: 'perf_event_pause',
    kind: 'event-pause',
    fields: { event: 'event', reset: 'aux0', count: 'value' },
    required: ['event', 'reset', 'count'],
    source: PROBES,
  },
  {
    name: 'perf_event_period',
    kind: 'event-period',
    fields: { event: 'event', value: 'value', ret: 'error' },
    required: ['event', 'value', 'ret'],
    source: PROBES,
  },
  {
    name: 'kvm_pmu_trigger_event',
    kind: 'emulated',
    fields: { vcpu_id: 'vcpu', eventsel: 'value' },
    required: ['eventsel'],
    source: PROBES,
  },
  { name: 'kvm_pmu_refresh', kind: 'pmu-refresh', fields: { vcpu_id: 'vcpu' }, source: PROBES },
  { name: 'kvm_mediated_pmu_load', kind: 'context-load', source: PROBES },
  { name: 'kvm_mediated_pmu_put', kind: 'context-put', source: PROBES },
];

/** Probes of the x86 recipes that carry nothing a replay uses. */
export const X86_KEPT_BY_NAME: readonly string[] = [
  ...['pmc_reprogram_counter', 'kvm_pmu_handle_event', 'kvm_pmu_deliver_pmi', 'kvm_pmu_cleanup'],
];

export const X86_RULES: readonly TracepointRule[] = [
  ...RESIDENCY,
  ...[...STOCK, ...HOST, ...PROBE_RULES].map((rule): TracepointRule => ({ ...rule, arch: 'x86' })),
];
