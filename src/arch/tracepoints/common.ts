import type { TracepointRule } from './rule.ts';

const SCHED = 'include/trace/events/sched.h (semantics G)';

/** Tracepoints that look alike on every architecture: scheduler, KVM's generic ones, marks. */
export const COMMON_RULES: readonly TracepointRule[] = [
  {
    name: 'sched_switch',
    kind: 'sched-switch',
    fields: {
      prev_comm: 'name-of prev_pid',
      prev_pid: 'tid',
      prev_state: 'task-state',
      next_comm: 'name-of next_pid',
      next_pid: 'value',
    },
    required: ['prev_pid', 'next_pid'],
    text: [
      'prev_comm={prev_comm:c} prev_pid={prev_pid} prev_prio={prev_prio} prev_state={prev_state:s} ==> next_comm={next_comm:c} next_pid={next_pid} next_prio=',
      'prev_comm={prev_comm:c} prev_pid={prev_pid} prev_prio={prev_prio} prev_state={prev_state} next_comm={next_comm:c} next_pid={next_pid} next_prio=',
      '{prev_comm:c}:{prev_pid} [{prev_prio}] {prev_state:t} ==> {next_comm:c}:{next_pid} [',
    ],
    source: SCHED,
  },
  {
    name: 'sched_migrate_task',
    kind: 'sched-migrate',
    fields: { comm: 'name-of pid', pid: 'tid', dest_cpu: 'code', orig_cpu: 'value' },
    required: ['pid', 'dest_cpu', 'orig_cpu'],
    text: ['comm={comm:c} pid={pid} prio={prio} orig_cpu={orig_cpu} dest_cpu={dest_cpu}'],
    source: SCHED,
  },
  {
    name: 'kvm_vcpu_wakeup',
    kind: 'wakeup',
    fields: { ns: 'value' },
    required: ['ns'],
    text: ['wait time {ns} ns', 'poll time {ns} ns'],
    source: 'include/trace/events/kvm.h (semantics G)',
  },
  {
    name: 'kvm_userspace_exit',
    kind: 'userspace-exit',
    // After an error the reason is that of the exit before: the kernel does not print it then.
    fields: { reason: 'code', errno: 'failed-call' },
    text: ['reason KVM_EXIT_{*} ({reason})', 'reason {*} ({errno})'],
    source: 'include/trace/events/kvm.h (semantics G)',
  },
  {
    name: 'tracing_mark_write',
    kind: 'marker',
    payloadIsName: true,
    source: 'trace_marker, tracefs text',
  },
  {
    name: 'print',
    kind: 'marker',
    payloadIsName: true,
    source: 'trace_marker, trace-cmd and perf',
  },
];

/**
 * Tracepoints the recipes record that say nothing a replay needs: they are kept by name and are not reported as
 * unknown.
 */
export const KEPT_BY_NAME: readonly string[] = [
  ...[
    'sched_process_fork',
    'sched_process_exec',
    'sched_process_exit',
    'sched_wakeup',
    'sched_waking',
  ],
  ...['irq_handler_entry', 'irq_handler_exit', 'nmi_handler'],
  ...[
    'local_timer_entry',
    'local_timer_exit',
    'irq_work_entry',
    'irq_work_exit',
    'reschedule_entry',
  ],
  ...['reschedule_exit', 'call_function_entry', 'call_function_exit'],
  ...['kvm_irq_line', 'kvm_timer_update_irq', 'kvm_timer_emulate', 'kvm_timer_restore_state'],
  ...['kvm_timer_save_state', 'kvm_timer_hrtimer_expire', 'kvm_get_timer_map', 'kvm_guest_fault'],
  ...[
    'kvm_handle_sys_reg',
    'kvm_hvc_arm64',
    'kvm_mmio_emulate',
    'kvm_mmio_nisv',
    'kvm_unmap_hva_range',
  ],
  ...['kvm_access_fault', 'kvm_arm_setup_debug', 'kvm_arm_clear_debug', 'kvm_set_way_flush'],
  ...[
    'kvm_toggle_cache',
    'kvm_set_guest_debug',
    'kvm_forward_sysreg_trap',
    'kvm_inject_nested_exception',
  ],
  ...['kvm_halt_poll_ns', 'kvm_ack_irq', 'kvm_set_irq', 'kvm_fpu', 'kvm_age_hva'],
  ...['kvm_emulate_insn', 'kvm_inj_virq', 'kvm_apic_ipi', 'kvm_cr', 'kvm_eoi'],
  ...[
    'kvm_hypercall',
    'kvm_msi_set_irq',
    'kvm_ioapic_set_irq',
    'kvm_pic_set_irq',
    'kvm_page_fault',
  ],
  ...[
    'kvm_pio',
    'kvm_pv_eoi',
    'kvm_write_tsc_offset',
    'kvm_update_master_clock',
    'kvm_ple_window_update',
  ],
];
