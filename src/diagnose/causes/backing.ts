import type { CauseFacts } from './cause.ts';

const SCHED = 'kernel/events/core.c: order of placement, pinned events (Linux 6.12)';

/** The host perf event behind a guest counter. */
export const BACKING_CAUSES = {
  'counter-contention': {
    group: 'backing',
    title: 'more counters are wanted than the CPU has',
    definition:
      'Events of the host that go first (bound to the CPU and pinned, the NMI watchdog) and those of the guest together need more hardware counters than the pCPU has.',
    direction: 'guest less, often 0',
    size: 'up to all of it',
    scalesWith: 'host events on that pCPU',
    needs: ['host-events', 'placements'],
    necessary: 'the events of the host on that pCPU, or a placement that was refused',
    proof:
      'pinned host events and enabled guest counters together exceed the hardware counters, or the PMU driver refuses the placement (it does so only when no counter is free)',
    ruledOutBy: 'the sum fits, constraint by constraint',
    remedy:
      'Stop the monitoring agent or the watchdog (kernel.nmi_watchdog = 0), count in groups, or use the mediated vPMU.',
    sources: [SCHED, 'iopsystems/rezolus issue 1036'],
  },
  'pinned-error': {
    group: 'backing',
    title: 'the backing event is in ERROR',
    definition:
      'The backing event is pinned and could not be placed: it is in ERROR and counts nothing, without a word to the guest, until something enables it again.',
    direction: 'guest less, often 0',
    size: 'up to all of it',
    scalesWith: 'time until the next enable',
    needs: ['backing-events'],
    necessary:
      "the guest's gates are open, and the count of the backing event stands still while the vCPU runs in guest mode",
    proof:
      'a record of the ERROR state or of a refused placement, or time_running that does not move while the thread runs',
    ruledOutBy: 'time_running advances',
    remedy:
      'Find what took the counter (counter-contention); let the guest stop and start its counter; until then its value is a lower bound.',
    sources: [SCHED, 'iopsystems/rezolus issue 1036'],
  },
  multiplexed: {
    group: 'backing',
    title: 'the event was on the hardware only part of the time',
    definition:
      'A flexible event shared its counter in turns; its count is an estimate, scaled by time enabled over time running.',
    direction: 'an estimate, either way',
    size: 'enabled / running',
    scalesWith: 'events beyond counters',
    needs: ['host-counts'],
    necessary:
      'time running less than time enabled, of the host event or in the report of the guest',
    proof: 'the same',
    ruledOutBy: 'time running equals time enabled',
    remedy:
      'Count fewer events at once. If the part that was not counted is just the guest time, the estimate is invalid, not noisy.',
    sources: [SCHED],
  },
  'create-failed': {
    group: 'backing',
    title: 'host perf refused to create the backing event',
    definition:
      'perf_event_create_kernel_counter failed (EOPNOTSUPP, EINVAL, ENOSPC, ENOENT): there is no event behind the counter.',
    direction: 'guest 0 or constant',
    size: 'all of it',
    scalesWith: 'nothing',
    needs: ['backing-events'],
    necessary: 'a write that enables the counter, and no creation after it',
    proof: 'a recorded creation that failed, or an attribute the host is known to refuse',
    ruledOutBy: 'a creation with the same event that succeeded',
    remedy:
      'Choose another event or a newer host; on x86 the reason is a debug message (dynamic_debug of kvm).',
    sources: ['48bb8730', '5a4f8b3026fc', 'rr issues 1952, 2202'],
  },
  'wrong-pmu': {
    group: 'backing',
    title: "the event belongs to another core type's PMU",
    definition:
      'The backing event is bound to the PMU of one core type while the vCPU runs on another, where it cannot count.',
    direction: 'guest less, or host 0',
    size: 'the share of time on the other cores',
    scalesWith: 'migration between core types',
    needs: ['pmu-types', 'switches'],
    necessary: 'a host with two kinds of cores, and the vCPU on both',
    proof: 'the count advances only on cores of one kind',
    ruledOutBy: 'one kind of core, or a vCPU that stays on one kind',
    remedy:
      'Pin the vCPUs; KVM_ARM_VCPU_PMU_V3_SET_PMU chooses the PMU on arm64. Hybrid x86 has no vPMU by design.',
    sources: ['6ee7fca2a4a0', '583cda1b0e7d', '4d7404e5ee00'],
  },
  'pmu-absent': {
    group: 'backing',
    title: 'the guest has no vPMU',
    definition:
      'The guest has no vPMU or only a part of one: accesses read zero, are ignored or refused, events are not supported.',
    direction: 'guest 0 or not supported',
    size: 'all of it',
    scalesWith: 'nothing',
    needs: ['register-values'],
    necessary:
      'no PMU access reaches KVM, or it is refused, or CPUID 0xA (ID_AA64DFR0_EL1.PMUVer) shows no PMU',
    proof: 'the same, with the message of the driver in the guest',
    ruledOutBy: 'accepted writes that are followed by a creation',
    remedy:
      'Switch it on: -cpu host,pmu=on; an in-kernel interrupt controller; topdown also needs PERF_CAPABILITIES.',
    sources: ['556a7c039a52', '4d7404e5ee00'],
  },
  'mediated-blackout': {
    group: 'backing',
    title: 'the guest owns the PMU',
    definition:
      'With a mediated vPMU host events cannot see the guest: they are taken off, refused, or in ERROR while it runs.',
    direction: 'host stands still or is refused',
    size: 'all of the guest time',
    scalesWith: 'entries',
    needs: ['guest-context', 'host-events'],
    necessary: 'the vPMU of the VM is the mediated one',
    proof:
      'host events stop, or creation is refused, exactly between load and put of the guest context',
    ruledOutBy: 'a perf-backed vPMU',
    remedy:
      'Give system-wide tools exclude_guest (:H); measure the guest inside the guest. KVM between load and put is seen by neither.',
    sources: ['perf: Add generic exclude_guest support (mediated vPMU series)', '4593b4b6e218'],
  },
} as const satisfies Record<string, CauseFacts>;
