/**
 * The closed set of event kinds. A foreign record becomes one event of one of these kinds, or `other` with its name.
 * Numbers are stored in logs: never renumber, only append (below 64: a segment stores a mask of its kinds).
 */
export const EventKind = {
  other: 0,
  read: 1,
  write: 2,
  guestEnter: 3,
  guestExit: 4,
  schedSwitch: 5,
  schedMigrate: 6,
  halt: 7,
  wakeup: 8,
  userspaceExit: 9,
  eventCreate: 10,
  eventEnable: 11,
  eventDisable: 12,
  eventRelease: 13,
  eventRead: 14,
  eventOverflow: 15,
  hwAdd: 16,
  hwDel: 17,
  hwUpdate: 18,
  counterGet: 19,
  counterSet: 20,
  eventTypeSet: 21,
  pmcrHandle: 22,
  maskEnable: 23,
  maskDisable: 24,
  softwareIncrement: 25,
  vcpuReset: 26,
  hostRdmsr: 27,
  hostWrmsr: 28,
  hostRdpmc: 29,
  contextLoad: 30,
  contextPut: 31,
  irqLevel: 32,
  interruptAccept: 33,
  exceptionInject: 34,
  count: 35,
  lost: 36,
  clock: 37,
  marker: 38,
  vmCreate: 39,
  vmMigrate: 40,
  userspaceGet: 41,
  userspaceSet: 42,
  eventPause: 43,
  eventPeriod: 44,
  emulated: 45,
  pmuRefresh: 46,
  apicWrite: 47,
  mmio: 48,
  cpuid: 49,
  countSpread: 50,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** What the columns of one kind hold. A column that is absent here is 0 (or −1 for `counter`) in every event of the kind. */
export interface KindSpec {
  /** The name people type and read: `vpmu events --kind event-read`, and the `kind` member of vpmu-events/1. */
  readonly name: string;
  readonly group:
    | 'register access'
    | 'schedule point'
    | 'host perf event'
    | 'KVM step'
    | 'host register access'
    | 'guest context'
    | 'interrupt'
    | 'counts'
    | 'meta';
  readonly meaning: string;
  /** Meaning of the `code` column. `name` and `attr` are ids of the log's side tables. */
  readonly code?:
    | 'register'
    | 'reason'
    | 'state'
    | 'name'
    | 'attr'
    | 'irq'
    | 'pcpu'
    | 'error'
    | 'task-state'
    | 'vector'
    | 'instruction'
    | 'pmu-flags'
    | 'apic-register'
    | 'cpuid-leaf';
  /** Meaning (with unit) of the four u64 payload columns. */
  readonly object?: string;
  readonly value?: string;
  readonly aux0?: string;
  readonly aux1?: string;
  /** True when `counter` holds a counter index. */
  readonly counter?: true;
}

/** Column meanings by kind: one table for `vpmu events`, vpmu-events/1, the importers and docs/formats.md. */
export const KIND_SPECS: readonly KindSpec[] = [
  { name: 'other', group: 'meta', meaning: 'a record no rule maps; kept by name', code: 'name' },
  {
    name: 'read',
    group: 'register access',
    meaning: 'guest read of a register',
    code: 'register',
    object: 'pc',
    value: 'value',
  },
  {
    name: 'write',
    group: 'register access',
    meaning: 'guest write of a register',
    code: 'register',
    object: 'pc',
    value: 'value',
  },
  {
    name: 'guest-enter',
    group: 'schedule point',
    meaning: 'the vCPU enters guest mode',
    value: 'pc',
  },
  {
    name: 'guest-exit',
    group: 'schedule point',
    meaning: 'the vCPU leaves guest mode',
    code: 'reason',
    value: 'pc',
  },
  {
    name: 'sched-switch',
    group: 'schedule point',
    meaning: 'a CPU switches tasks; `tid` is the previous task',
    code: 'task-state',
    value: 'next-tid',
  },
  {
    name: 'sched-migrate',
    group: 'schedule point',
    meaning: 'task `tid` moves to another CPU',
    code: 'pcpu',
    value: 'from-pcpu',
  },
  {
    name: 'halt',
    group: 'schedule point',
    meaning: 'the guest waits (WFI, WFE, HLT)',
    code: 'instruction',
    value: 'pc',
  },
  { name: 'wakeup', group: 'schedule point', meaning: 'a halted vCPU goes on', value: 'waited-ns' },
  {
    name: 'userspace-exit',
    group: 'schedule point',
    meaning: 'KVM_RUN returns to the VMM',
    code: 'reason',
  },
  {
    name: 'event-create',
    group: 'host perf event',
    meaning: 'a host perf event is created',
    code: 'attr',
    object: 'event',
    value: 'sample-period',
    aux0: 'config',
    counter: true,
  },
  {
    name: 'event-enable',
    group: 'host perf event',
    meaning: 'perf_event_enable is called',
    code: 'state',
    object: 'event',
    value: 'count-before',
  },
  {
    name: 'event-disable',
    group: 'host perf event',
    meaning: 'perf_event_disable is called',
    code: 'state',
    object: 'event',
    value: 'count-before',
  },
  {
    name: 'event-release',
    group: 'host perf event',
    meaning: 'the event is released',
    code: 'state',
    object: 'event',
    value: 'count-before',
  },
  {
    name: 'event-read',
    group: 'host perf event',
    meaning: 'the event is read',
    code: 'state',
    object: 'event',
    value: 'count',
    aux0: 'time-enabled-ns',
    aux1: 'time-running-ns',
  },
  {
    name: 'event-overflow',
    group: 'host perf event',
    meaning: 'the overflow handler of the event is called',
    object: 'event',
    value: 'count',
    aux0: 'sample-period',
    counter: true,
  },
  {
    name: 'hw-add',
    group: 'host perf event',
    meaning: 'the PMU driver places the event on a hardware counter (or fails)',
    code: 'error',
    object: 'event',
    aux0: 'config',
  },
  {
    name: 'hw-del',
    group: 'host perf event',
    meaning: 'the PMU driver takes the event off',
    code: 'pmu-flags',
    object: 'event',
    value: 'count-before',
  },
  {
    name: 'hw-update',
    group: 'host perf event',
    meaning: 'the PMU driver folds the hardware count into the event',
    object: 'event',
    value: 'count',
    aux0: 'config',
    aux1: 'raw',
  },
  {
    name: 'counter-get',
    group: 'KVM step',
    meaning: 'KVM computes a guest counter value',
    value: 'value',
    counter: true,
  },
  {
    name: 'counter-set',
    group: 'KVM step',
    meaning: 'KVM sets a guest counter',
    value: 'value',
    counter: true,
  },
  {
    name: 'event-type-set',
    group: 'KVM step',
    meaning: 'KVM takes a written event type',
    value: 'value',
    counter: true,
  },
  { name: 'pmcr-handle', group: 'KVM step', meaning: 'KVM acts on a written PMCR', value: 'value' },
  { name: 'mask-enable', group: 'KVM step', meaning: 'KVM enables counters', value: 'mask' },
  { name: 'mask-disable', group: 'KVM step', meaning: 'KVM disables counters', value: 'mask' },
  {
    name: 'software-increment',
    group: 'KVM step',
    meaning: 'KVM acts on a written PMSWINC',
    value: 'mask',
  },
  { name: 'vcpu-reset', group: 'KVM step', meaning: 'KVM resets the vPMU of the vCPU' },
  {
    name: 'host-rdmsr',
    group: 'host register access',
    meaning: 'the host reads an MSR',
    code: 'register',
    value: 'value',
  },
  {
    name: 'host-wrmsr',
    group: 'host register access',
    meaning: 'the host writes an MSR',
    code: 'register',
    value: 'value',
  },
  {
    name: 'host-rdpmc',
    group: 'host register access',
    meaning: 'the host executes RDPMC',
    code: 'register',
    value: 'value',
  },
  {
    name: 'context-load',
    group: 'guest context',
    meaning: 'the guest PMU context is loaded (mediated)',
  },
  {
    name: 'context-put',
    group: 'guest context',
    meaning: 'the guest PMU context is put (mediated)',
  },
  {
    name: 'irq-level',
    group: 'interrupt',
    meaning: 'the level of an interrupt line towards the guest changes',
    code: 'irq',
    value: 'level',
  },
  {
    name: 'interrupt-accept',
    group: 'interrupt',
    meaning: 'the guest LAPIC accepts an interrupt',
    code: 'vector',
    value: 'delivery-mode',
  },
  {
    name: 'exception-inject',
    group: 'interrupt',
    meaning: 'KVM injects an exception',
    code: 'vector',
    value: 'error-code',
  },
  {
    name: 'count',
    group: 'counts',
    meaning: 'a perf stat count; `time` is the end of the interval',
    code: 'name',
    object: 'interval-ns',
    value: 'count',
    aux0: 'running-permyriad',
    aux1: 'time-running-ns',
  },
  { name: 'lost', group: 'meta', meaning: 'the recorder lost records', value: 'records' },
  {
    name: 'clock',
    group: 'meta',
    meaning: 'a relation between two clocks',
    code: 'name',
    value: 'here-ns',
    aux0: 'there-ns',
  },
  { name: 'marker', group: 'meta', meaning: 'a mark set by a person', code: 'name' },
  { name: 'vm-create', group: 'meta', meaning: 'a VM is created' },
  { name: 'vm-migrate', group: 'meta', meaning: 'a VM is migrated' },
  {
    name: 'userspace-get',
    group: 'meta',
    meaning: 'the VMM reads a guest register',
    code: 'register',
    value: 'value',
  },
  {
    name: 'userspace-set',
    group: 'meta',
    meaning: 'the VMM writes a guest register',
    code: 'register',
    value: 'value',
  },
  {
    name: 'event-pause',
    group: 'host perf event',
    meaning:
      'perf_event_pause: the event is disabled and read; with reset its count begins at 0 again',
    object: 'event',
    value: 'count',
    aux0: 'reset',
  },
  {
    name: 'event-period',
    group: 'host perf event',
    meaning: 'perf_event_period: the event gets a new sample period',
    code: 'error',
    object: 'event',
    value: 'sample-period',
  },
  {
    name: 'emulated',
    group: 'KVM step',
    meaning: 'KVM emulated an instruction and counts it in software',
    value: 'event-select',
  },
  {
    name: 'pmu-refresh',
    group: 'KVM step',
    meaning: 'KVM gives the vPMU the shape its CPUID says',
  },
  {
    name: 'apic-write',
    group: 'interrupt',
    meaning: 'the guest writes a register of its local APIC',
    code: 'apic-register',
    value: 'value',
  },
  {
    name: 'mmio',
    group: 'schedule point',
    meaning: 'KVM emulates a guest access to a device',
    object: 'address',
    value: 'value',
  },
  {
    name: 'cpuid',
    group: 'register access',
    meaning: 'the guest executes CPUID: what it is shown',
    code: 'cpuid-leaf',
    object: 'eax',
    value: 'ebx',
    aux0: 'ecx',
    aux1: 'edx',
  },
  {
    name: 'count-spread',
    group: 'counts',
    meaning: 'the count before it is a mean of several runs: how far the mean may be off',
    code: 'name',
    value: 'deviation-of-mean-permyriad',
    aux0: 'runs',
  },
];

/** Kind number by its name; undefined for a name that is none. */
export function kindByName(name: string): EventKind | undefined {
  const index = KIND_SPECS.findIndex((spec) => spec.name === name);
  return index < 0 ? undefined : (index as EventKind);
}

/** Bits of the `flags` column. Stored in logs: never renumber. */
export const EventFlag = {
  /** The record was made on entry to the function: what a return delivers (a read's value, a pointer, a count) is not in it. */
  entry: 1 << 0,
  /** A tracepoint that names the access before it is done (kvm_sys_access): neither value nor outcome. */
  trap: 1 << 1,
  /** The access faulted (#GP, UNDEF), or the operation failed. */
  failed: 1 << 2,
  /** `value` was not recorded. */
  noValue: 1 << 3,
  /** Register space of `code`, two bits: see RegisterSpace. */
  spaceLow: 1 << 4,
  spaceHigh: 1 << 5,
  /** `code` of a `state` kind was recorded. */
  stateKnown: 1 << 6,
  /** aux0 and aux1 of an event-read were recorded. */
  timesKnown: 1 << 7,
  /** A count printed with fewer digits than it had. */
  rounded: 1 << 8,
  /** A count that perf scaled by enabled / running. */
  scaled: 1 << 9,
  notCounted: 1 << 10,
  notSupported: 1 << 11,
  /** A count over the whole run, not one interval. */
  total: 1 << 12,
  /** The vCPU of the record is only assumed (the record names an index, several VMs have it). */
  vcpuAmbiguous: 1 << 13,
  /** A preempted task (`R+`). */
  preempted: 1 << 14,
  /** `time` runs back against the record before it; replay uses the running maximum. */
  timeBack: 1 << 15,
} as const;

/** Which name space `code` of a register access belongs to (bits spaceLow, spaceHigh of `flags`). */
export const RegisterSpace = { sysreg: 0, cp15: 1, msr: 2, rdpmc: 3 } as const;
export type RegisterSpace = (typeof RegisterSpace)[keyof typeof RegisterSpace];

/** The register space of an access's flags. */
export function registerSpace(flags: number): RegisterSpace {
  return ((flags >> 4) & 3) as RegisterSpace;
}

/** The flag bits that say `space`. */
export function spaceFlags(space: RegisterSpace): number {
  return space << 4;
}
