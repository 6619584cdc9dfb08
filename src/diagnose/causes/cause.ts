/** The stages a diagnosis goes through, in this order: a later one is not proven while an earlier one is undecided. */
export const CAUSE_GROUPS = [
  { key: 'method', title: 'the recording itself' },
  { key: 'scope', title: 'do the two numbers measure the same thing' },
  { key: 'backing', title: 'the host event behind the counter' },
  { key: 'registers', title: 'registers and event selection' },
  { key: 'delivery', title: 'overflow and interrupt delivery' },
  { key: 'state', title: 'state moved, reset, paid for' },
  { key: 'hardware', title: 'hardware and measurement effects' },
] as const;

/** Stable word of a stage. */
export type CauseGroup = (typeof CAUSE_GROUPS)[number]['key'];

/** Kinds of records a cause can need. What is missing is named by these texts, with how to record it. */
export const RECORDINGS = {
  entries: {
    text: 'guest entries and exits',
    how: 'record kvm:kvm_entry and kvm:kvm_exit',
  },
  switches: {
    text: 'the scheduling of the vCPU thread',
    how: 'record sched:sched_switch',
  },
  halts: {
    text: 'halts of the vCPU',
    how: 'record kvm:kvm_wfx_arm64 (arm64), kvm:kvm_vcpu_wakeup and kvm:kvm_halt_poll_ns',
  },
  'register-values': {
    text: 'values of guest register accesses',
    how: 'record kvm:kvm_msr (x86) or the sysreg probe (arm64): stock arm64 tracepoints carry no values',
  },
  'rdpmc-values': {
    text: 'values of guest RDPMC reads',
    how: 'record the kvm_pmu_rdpmc probe: no stock tracepoint carries them',
  },
  'backing-events': {
    text: 'what the backing perf events did',
    how: 'record the perf event probes (creation, enable, read, release)',
  },
  placements: {
    text: 'placements of perf events on the hardware',
    how: 'record the driver probes (hw_add, hw_del) or x86 msr:write_msr',
  },
  'host-events': {
    text: 'the host events on the pCPU of the vCPU',
    how: 'list them: perf event probes for all threads, or the perf command lines that ran',
  },
  'host-counts': {
    text: 'host counts over the same span',
    how: 'run perf stat -e EVENT:G,EVENT:H -t TID of the vCPU thread while recording',
  },
  'host-attr': {
    text: 'the exclude bits of the host event',
    how: 'record with perf.data (its attrs), or count with explicit :G and :H',
  },
  'guest-counts': {
    text: 'what the guest itself reported',
    how: "import the guest's perf stat output as guest:FILE",
  },
  interrupts: {
    text: 'PMU interrupts delivered to the guest',
    how: 'record kvm:kvm_apic_accept_irq (x86) or kvm:vgic_update_irq_pending (arm64)',
  },
  lvtpc: {
    text: 'guest writes of LVTPC, the PMU entry of the local APIC',
    how: 'record kvm:kvm_apic',
  },
  overflows: {
    text: 'overflows of the backing events',
    how: 'record the overflow probe (kvm_perf_overflow, kvm_pmu_perf_overflow)',
  },
  'event-filter': {
    text: "the VMM's PMU event filter",
    how: "write what the VMM set into the recording: echo 'pmu-event-filter deny 0xc0' > /sys/kernel/tracing/trace_marker",
  },
  'smi-count': {
    text: 'samples of MSR_SMI_COUNT (0x34)',
    how: 'record msr:read_msr while turbostat or rdmsr 0x34 runs on the host',
  },
  'host-kernel': {
    text: 'the kernel of the host',
    how: 'tell it: --kernel RELEASE, or record with perf --header',
  },
  vhe: { text: 'whether the host runs with VHE', how: 'tell it: dmesg | grep VHE on the host' },
  'cpu-model': {
    text: 'vendor, family and model of the CPU',
    how: 'record with perf.data (CPUDESC), or tell it',
  },
  'pmu-types': {
    text: 'which PMU the backing event is bound to, and which cores have it',
    how: 'record the creation probe with attr.type and keep /sys/bus/event_source/devices',
  },
  'vmm-marks': {
    text: 'saves, restores and resets by the VMM',
    how: "record the VMM's register accesses, or echo vm-reset > /sys/kernel/tracing/trace_marker",
  },
  'guest-context': {
    text: 'loads and puts of the guest PMU context',
    how: 'record the kvm_mediated_pmu_load and kvm_mediated_pmu_put probes',
  },
  nested: { text: 'entries of a nested guest', how: 'record kvm:kvm_nested_vmenter' },
  lossless: {
    text: 'a span without lost records',
    how: 'record again with larger buffers (perf record -m, trace-cmd record -b) or fewer events',
  },
  emulations: {
    text: 'the instructions KVM emulated and counted',
    how: 'record the kvm_pmu_trigger_event probe',
  },
  'context-times': {
    text: 'how long each load and put of the guest PMU context took',
    how: 'record the return probes of kvm_mediated_pmu_load and kvm_mediated_pmu_put too',
  },
  repeats: {
    text: 'more runs of the same program',
    how: 'measure it again: perf stat -r 10 in the guest',
  },
  'bare-metal': { text: 'the same run on bare metal', how: 'run the same program without a VM' },
  'two-clocks': {
    text: 'a relation of the two clocks',
    how: 'record both with one clock (perf record -k mono, trace-cmd record -C mono)',
  },
} as const;

/** Stable word of a kind of records. */
export type RecordingNeed = keyof typeof RECORDINGS;

/** One row of the catalogue: what a cause is and what it takes to say so. */
export interface CauseFacts {
  readonly group: CauseGroup;
  /** The mechanism in a few words. */
  readonly title: string;
  readonly definition: string;
  /** How the guest's number stands to the host's count of guest mode. */
  readonly direction: string;
  /** Typical size of the effect, and what it grows with. */
  readonly size: string;
  readonly scalesWith: string;
  /** Records without which the cause is undecidable. */
  readonly needs: readonly RecordingNeed[];
  /** What must be seen before the cause may be named at all. */
  readonly necessary: string;
  /** What proves it. */
  readonly proof: string;
  readonly ruledOutBy: string;
  readonly remedy: string;
  /** Fixes, reports and texts it was taken from; hashes are commits of the Linux kernel unless said otherwise. */
  readonly sources: readonly string[];
}
