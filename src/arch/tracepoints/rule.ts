/**
 * Where the value of a record's field goes. The first word of each line names it in the tables and in map files.
 * `noValue`, `failed` and the register space of the access follow from these and need no field of their own.
 */
export const TARGETS = {
  value: 'the value column',
  object: 'the object column (an address: a pc, a perf_event)',
  aux0: 'the aux0 column',
  aux1: 'the aux1 column',
  counter: 'guest counter index',
  code: 'the code column as it is (an MSR number, an RDPMC index, an irq, a vector, flags)',
  event: 'object column; an error pointer (the last 4095 addresses) means the call failed',
  state: 'code column: perf_event state (s32)',
  error: 'code column: error number (s32); not 0 means failed',
  ok: '0 means the access was refused (flag failed)',
  failed: 'not 0 means the access faulted or the call failed',
  'failed-call':
    'not 0 means the call failed (flag failed) and what the code column would get says nothing',
  'value-given': '0 means what the value column would get says nothing',
  select: 'not 0 chooses the second of the two kinds of the rule',
  vcpu: 'vcpu_id: names the vCPU of the event',
  tid: 'thread the event is about, when it is not the one that made the record',
  op0: 'system register Op0; 0 means AArch32 (cp15)',
  op1: 'system register Op1 (opc1)',
  crn: 'system register CRn',
  crm: 'system register CRm',
  op2: 'system register Op2 (opc2)',
  'exit-reason': 'x86 exit reason number',
  'exit-isa': 'x86 instruction set of the exit: 1 VMX, 2 SVM',
  'exit-type': 'arm64 exit: 0 IRQ, 1 SERROR, 2 TRAP, 3 IL',
  'exit-class': 'arm64 exit: exception class (ESR_EL2.EC)',
  'task-state': 'state a task is left in: bits as in TaskState; 0x100 and above means preempted',
  'delivery-mode': 'value column: bits 10:8, the APIC delivery mode (4 = NMI)',
  'attr.type': 'perf_event_attr.type',
  'attr.config1': 'perf_event_attr.config1',
  'attr.flags': 'the flag word of the attr (byte 40)',
  'attr.disabled': 'one bit of that word',
  'attr.pinned': 'one bit of that word',
  'attr.exclude_user': 'one bit of that word',
  'attr.exclude_kernel': 'one bit of that word',
  'attr.exclude_hv': 'one bit of that word',
  'attr.exclude_host': 'one bit of that word',
  'attr.exclude_guest': 'one bit of that word',
  'attr.cpu': 'CPU the event is bound to, −1 any',
  'attr.task': 'thread the event is bound to',
} as const;

export type ColumnTarget = keyof typeof TARGETS;

/** A column, or the name of the task whose thread id is in another field of the record. */
export type Target = ColumnTarget | `name-of ${string}`;

/**
 * How one tracepoint or probe becomes an event. Keyed by `name` alone: which group a probe was put into does not
 * matter. Fields are named as in the tracepoint's format file, so text and binary recordings use the same rule.
 */
export interface TracepointRule {
  /** Tracepoint or probe name without its group. */
  readonly name: string;
  /** Name of the event kind (KIND_SPECS); of two, field `select` chooses. `other` keeps the record by name. */
  readonly kind: string | readonly [string, string];
  /** What becomes of the fields. Fields that are not listed are not needed. */
  readonly fields?: Readonly<Record<string, Target>>;
  /** Fields without which the record says nothing: it is then kept as `other` and reported. After joining. */
  readonly required?: readonly string[];
  /**
   * Payloads that are not `field=value …`, tried in order, as the tools print them:
   * `{f}` a number (decimal, 0x…, negative), `{f:x}` hex with or without 0x, `{f:w}` one of `words`, `{f:s}` task
   * state letters of the kernel, `{f:t}` those of libtraceevent, `{f:c}` a task name, `{*}` anything, `{f?text}` 1 if
   * `text` follows, else 0. A space stands for one or more; text after the end of the pattern does not matter.
   */
  readonly text?: readonly string[];
  /** What the words of `{f:w}` stand for. */
  readonly words?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Event flags that hold for every record. */
  readonly flags?: readonly ('entry' | 'trap')[];
  /** Register space of a register access. */
  readonly space?: 'sysreg' | 'msr' | 'rdpmc';
  readonly arch?: 'arm64' | 'x86';
  /** This record is the entry half of that one: the next record of that name on the thread takes over what it lacks. */
  readonly entryOf?: string;
  /** Fields of an entry half that the other half does not take over: they mean something else there. */
  readonly notJoined?: readonly string[];
  /** Only the thread of the vCPU itself can make this record: its `vcpu` field tells which thread that is. */
  readonly onVcpuThread?: true;
  /** Made only while a vCPU is loaded: perf marks such samples as guest samples on arm64. */
  readonly vcpuLoaded?: true;
  /** The payload as a whole is the name that `code` points to. */
  readonly payloadIsName?: true;
  /** Where the rule was taken from. */
  readonly source: string;
}

/** TASK_* bits of sched_switch's prev_state as the kernel prints them since 4.14; R is 0. */
export const TaskState = {
  S: 1,
  D: 2,
  T: 4,
  t: 8,
  X: 16,
  Z: 32,
  P: 64,
  I: 128,
  preempted: 256,
} as const;

/**
 * Letters libtraceevent's sched_switch plugin prints, bit 0 first: its own older list, in which X, P and I look
 * like Z, x and W. A preempted task is printed as R: the plugin loses that.
 */
export const PLUGIN_TASK_STATES = 'SDTtZXxW';

/** `code` of a halt event. */
export const HaltInstruction = { wfi: 0, wfe: 1, hlt: 2, unknown: 3 } as const;
