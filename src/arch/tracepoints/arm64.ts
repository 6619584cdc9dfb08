import { HaltInstruction, type TracepointRule } from './rule.ts';

const TRACE_H = 'arch/arm64/kvm/trace_arm.h, trace_handle_exit.h, vgic/trace.h (semantics G)';
const PROBES = 'the vPMU probes of docs/recording';

/** Registers by their encoding; `Op0` and `op0` spellings. */
const SYS_ACCESS = { Op0: 'op0', Op1: 'op1', CRn: 'crn', CRm: 'crm', Op2: 'op2' } as const;
const PARAMS = {
  op0: 'op0',
  op1: 'op1',
  crn: 'crn',
  crm: 'crm',
  op2: 'op2',
  wr: 'select',
} as const;
const PARAM_NAMES = Object.keys(PARAMS);
const COUNTER = { vcpu: 'vcpu', idx: 'counter' } as const;
const EVENT_STATE = { event: 'event', state: 'state', count: 'value' } as const;
const MASK = { vcpu: 'vcpu', val: 'value' } as const;
const ATTR = {
  type: 'attr.type',
  config: 'aux0',
  period: 'value',
  flags: 'attr.flags',
  config1: 'attr.config1',
  cpu: 'attr.cpu',
  task: 'attr.task',
  idx: 'counter',
} as const;

/** Stock arm64 KVM tracepoints. None of them carries a register value. */
const STOCK: readonly TracepointRule[] = [
  {
    name: 'kvm_sys_access',
    kind: ['read', 'write'],
    arch: 'arm64',
    space: 'sysreg',
    flags: ['trap'],
    vcpuLoaded: true,
    fields: { vcpu_pc: 'object', is_write: 'select', ...SYS_ACCESS },
    required: ['is_write', ...Object.keys(SYS_ACCESS)],
    text: ['PC: {vcpu_pc:x} {*}({Op0},{Op1},{CRn},{CRm},{Op2}) {is_write:w}'],
    words: { is_write: { read: 0, write: 1 } },
    source: TRACE_H,
  },
  {
    name: 'kvm_wfx_arm64',
    kind: 'halt',
    arch: 'arm64',
    vcpuLoaded: true,
    fields: { vcpu_pc: 'value', is_wfe: 'code' },
    required: ['is_wfe'],
    text: [
      // libtraceevent cannot print %c and loses the arguments from there on.
      'guest executed wf{is_wfe:w}c<',
      'guest executed {is_wfe:w} at: {vcpu_pc:x}',
    ],
    words: {
      is_wfe: {
        wfi: HaltInstruction.wfi,
        wfe: HaltInstruction.wfe,
        '>': HaltInstruction.unknown,
      },
    },
    source: TRACE_H,
  },
  {
    name: 'vgic_update_irq_pending',
    kind: 'irq-level',
    arch: 'arm64',
    fields: { vcpu_id: 'vcpu', irq: 'code', level: 'value' },
    required: ['irq', 'level'],
    text: ['VCPU: {vcpu_id}, IRQ {irq}, level: {level}'],
    source: TRACE_H,
  },
];

/** Probes on the register handlers and the vPMU functions of KVM: the values. */
const STEPS: readonly TracepointRule[] = [
  {
    name: 'sysreg_in',
    kind: ['read', 'write'],
    space: 'sysreg',
    flags: ['entry'],
    fields: { vcpu: 'vcpu', ...PARAMS, val: 'value' },
    required: PARAM_NAMES,
    entryOf: 'sysreg',
    notJoined: ['val'],
    onVcpuThread: true,
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'sysreg',
    kind: ['read', 'write'],
    space: 'sysreg',
    fields: { vcpu: 'vcpu', ...PARAMS, val: 'value', ok: 'ok' },
    required: [...PARAM_NAMES, 'val'],
    onVcpuThread: true,
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'get_counter_in',
    kind: 'counter-get',
    flags: ['entry'],
    fields: COUNTER,
    required: ['idx'],
    entryOf: 'get_counter',
    source: PROBES,
  },
  {
    name: 'get_counter',
    kind: 'counter-get',
    fields: { ...COUNTER, val: 'value' },
    required: ['val'],
    source: PROBES,
  },
  {
    name: 'set_counter',
    kind: 'counter-set',
    fields: { ...COUNTER, val: 'value' },
    required: ['idx', 'val'],
    source: PROBES,
  },
  {
    name: 'set_evtype',
    kind: 'event-type-set',
    fields: { ...COUNTER, data: 'value' },
    required: ['idx', 'data'],
    vcpuLoaded: true,
    source: PROBES,
  },
  { name: 'handle_pmcr', kind: 'pmcr-handle', fields: MASK, required: ['val'], source: PROBES },
  {
    name: 'enable_mask',
    kind: 'mask-enable',
    fields: MASK,
    required: ['val'],
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'disable_mask',
    kind: 'mask-disable',
    fields: MASK,
    required: ['val'],
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'swinc',
    kind: 'software-increment',
    fields: MASK,
    required: ['val'],
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'vcpu_reset',
    kind: 'vcpu-reset',
    fields: { vcpu: 'vcpu' },
    required: ['vcpu'],
    source: PROBES,
  },
];

/** Probes on the host perf events that back guest counters, and on the PMU driver. */
const EVENTS: readonly TracepointRule[] = [
  {
    name: 'overflow',
    kind: 'event-overflow',
    fields: { event: 'event', idx: 'counter', count: 'value', period: 'aux0' },
    required: ['event'],
    vcpuLoaded: true,
    source: PROBES,
  },
  {
    name: 'ev_create_in',
    kind: 'event-create',
    flags: ['entry'],
    fields: ATTR,
    required: ['config'],
    entryOf: 'ev_create',
    source: PROBES,
  },
  {
    name: 'ev_create',
    kind: 'event-create',
    fields: { event: 'event', ...ATTR },
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'ev_enable',
    kind: 'event-enable',
    fields: EVENT_STATE,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'ev_disable',
    kind: 'event-disable',
    fields: EVENT_STATE,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'ev_release',
    kind: 'event-release',
    fields: EVENT_STATE,
    required: ['event'],
    source: PROBES,
  },
  {
    name: 'ev_read_in',
    kind: 'event-read',
    flags: ['entry'],
    fields: { event: 'event', state: 'state' },
    required: ['event'],
    entryOf: 'ev_read',
    source: PROBES,
  },
  {
    name: 'ev_read',
    kind: 'event-read',
    fields: { event: 'event', state: 'state', val: 'value', enabled: 'aux0', running: 'aux1' },
    required: ['val'],
    source: PROBES,
  },
  {
    name: 'hw_update_in',
    kind: 'hw-update',
    flags: ['entry'],
    fields: { event: 'event', count: 'value', config: 'aux0' },
    required: ['event'],
    entryOf: 'hw_update',
    notJoined: ['count'],
    source: PROBES,
  },
  {
    name: 'hw_update',
    kind: 'hw-update',
    fields: { event: 'event', raw: 'aux1', count: 'value', config: 'aux0' },
    required: ['raw'],
    source: PROBES,
  },
  {
    name: 'hw_add_in',
    kind: 'hw-add',
    flags: ['entry'],
    fields: { event: 'event', config: 'aux0' },
    required: ['event'],
    entryOf: 'hw_add',
    source: PROBES,
  },
  {
    name: 'hw_add',
    kind: 'hw-add',
    fields: { event: 'event', ret: 'error', config: 'aux0' },
    required: ['ret'],
    source: PROBES,
  },
  {
    name: 'hw_del',
    kind: 'hw-del',
    fields: { event: 'event', flags: 'code', count: 'value' },
    required: ['event'],
    source: PROBES,
  },
];

export const ARM64_RULES: readonly TracepointRule[] = [
  ...STOCK,
  ...[...STEPS, ...EVENTS].map((rule): TracepointRule => ({ ...rule, arch: 'arm64' })),
];
