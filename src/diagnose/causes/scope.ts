import type { CauseFacts } from './cause.ts';

const EVENT_INIT = 'tools/perf/util/util.c event_attr_init (Linux 6.12)';

/** Whether the two numbers measure the same thing at all. */
export const SCOPE_CAUSES = {
  'different-run': {
    group: 'scope',
    title: 'two different runs',
    definition:
      'The two numbers come from different executions, programs, kernels or spans of time, so their difference says nothing about the vPMU.',
    direction: 'any',
    size: 'any',
    scalesWith: 'nothing',
    needs: ['guest-counts', 'host-counts'],
    necessary: 'the two measurement spans do not overlap, or program or kernel differ',
    proof: 'the same, and no host record on the vCPU thread lies in the span of the guest count',
    ruledOutBy: 'a host event on the vCPU thread over the span of the guest count',
    remedy:
      'Measure once, both sides at the same time: EVENT:G and EVENT:H on the vCPU thread while the guest counts. Do not subtract the two numbers.',
    sources: ['arm64 guest PMU series v13, cover letter (2016)'],
  },
  'host-only-scope': {
    group: 'scope',
    title: 'the host event leaves guest mode out',
    definition:
      'The host event excludes guest mode (exclude_guest, the default of perf up to 6.12, or :H), or the guest number is compared with an event that counts both modes.',
    direction: 'host counts less than the guest',
    size: 'all of the guest-mode part',
    scalesWith: 'guest time',
    needs: ['host-attr'],
    necessary: 'the exclude bits of the host event',
    proof:
      'exclude_guest is set, and the host count is of the size of the work between exits and entries, or host count and guest-mode part add up to a count of all modes',
    ruledOutBy: 'neither exclude_guest nor exclude_host is set',
    remedy: 'Name the modes: perf stat -e EVENT:G,EVENT:H; or perf kvm --host --guest stat.',
    sources: [EVENT_INIT, 'perf-list, event modifiers'],
  },
  'hv-excluded': {
    group: 'scope',
    title: 'work of the hypervisor is in the total, not in the guest',
    definition:
      "What the host does for the vCPU between an exit and the next entry is, by design, not in the guest's counter, but it is in the total of the thread and in elapsed time.",
    direction: 'guest less than the total of the thread',
    size: '10^3 to 10^4 cycles an exit',
    scalesWith: 'exits',
    needs: ['entries'],
    necessary: 'exits and entries in the span; the backing event leaves the host out',
    proof:
      'the host :H count on the thread equals the gap, or the gap per exit is the same in all windows',
    ruledOutBy: 'no exits, too few of them for the gap, or a gap that does not grow with them',
    remedy: 'Nothing is wrong: it is the cost of exits. Reduce exits to reduce it.',
    sources: [
      'arch/x86/kvm/pmu.c, arch/arm64/kvm/pmu-emul.c: exclude_host of backing events (Linux 6.12)',
    ],
  },
  'el-filter-overlap': {
    group: 'scope',
    title: 'host EL1 and guest EL1 cannot be told apart',
    definition:
      'On an arm64 host without VHE and before 5.2, exclude_host had no effect: the guest counter includes what the vCPU thread did in the host at EL1 (and EL0).',
    direction: 'guest more than guest mode',
    size: 'the EL1 work of the host per exit',
    scalesWith: 'exits',
    needs: ['vhe', 'host-kernel', 'register-values'],
    necessary: 'arm64 without VHE, a kernel before 5.2, a counter that counts EL1 (or EL0)',
    proof:
      'between two reads more is counted than the guest time between them holds, on such a host',
    ruledOutBy: 'VHE, a kernel from 5.2 on, or a counter that leaves EL1 and EL0 out',
    remedy: 'Use a newer host kernel, or compare counts of user mode only.',
    sources: ['d1947bc4bc63', 'Documentation/arch/arm64/perf.rst'],
  },
  'edge-window': {
    group: 'scope',
    title: 'counts lost or gained at the guest boundary',
    definition:
      'Counters are switched at a point that is not exactly the boundary of the guest (nVHE, the fast path of the mediated vPMU, skid): a few events leak at each entry. A host perf stat placed by a start somebody typed has edges that are no sharper than that time.',
    direction: 'either',
    size: 'tens of cycles an entry',
    scalesWith: 'entries',
    needs: ['entries', 'host-counts'],
    necessary: 'many entries in the window',
    proof:
      'the gap is the same small number for each entry in every part of the window, whatever the guest does between them',
    ruledOutBy: 'a gap that does not grow with the entries',
    remedy:
      'State the constant; make the guest run longer per entry; neither side is right below it.',
    sources: ['Documentation/arch/arm64/perf.rst'],
  },
  'vmentry-overcount': {
    group: 'scope',
    title: 'hardware counts the VM entry itself',
    definition:
      'The CPU retires VM entries into the count of the guest: AMD counts VMRUN as a branch, some small cores count an instruction.',
    direction: 'guest more than its own work',
    size: '1 an entry',
    scalesWith: 'entries',
    needs: ['entries', 'cpu-model', 'lossless'],
    necessary: 'a CPU on the list; the event is instructions or branches',
    proof:
      'the excess equals the number of entries while the counter was enabled: reads around the same work move by the entries plus always the same number',
    ruledOutBy: 'other CPUs, other events, or an excess that is no multiple of the entries',
    remedy: 'Subtract the entries; do not ask this CPU for exact counts in a VM.',
    sources: ['kvm-unit-tests 89126fa4, 3ffdf39c'],
  },
  'nested-scope': {
    group: 'scope',
    title: 'a nested guest is counted too',
    definition:
      "The counter of an L1 hypervisor also counts while its own guest runs, because KVM did not honour the Host-Only and Guest-Only bits; or the host's :G mixes L1 and L2.",
    direction: 'guest (L1) more',
    size: 'all of L2',
    scalesWith: 'L2 time',
    needs: ['nested', 'entries'],
    necessary: 'nested entries in the window',
    proof: 'the excess equals the count during the spans of L2',
    ruledOutBy: 'no nested entry in the window',
    remedy: 'Take the number as L1 + L2, or use a kernel whose vPMU honours the bits.',
    sources: ['2ed72677a5c1', 'a02a25a65246'],
  },
  'halt-poll': {
    group: 'scope',
    title: 'the host polls for a halted vCPU',
    definition:
      'After a halt the vCPU thread stays in the host and polls: host-mode counts without host work.',
    direction: 'host much more than guest',
    size: 'up to all of a pCPU',
    scalesWith: 'idle time of the guest',
    needs: ['entries', 'switches'],
    necessary:
      'exits for HLT or WFx that are followed by an entry without the thread being switched out',
    proof: 'those gaps, at the frequency of the CPU, amount to the host-mode count',
    ruledOutBy: 'halt_poll_ns is 0, or the thread is switched out in these gaps',
    remedy: 'Set halt_poll_ns to 0 (module parameter of kvm) and measure again.',
    sources: ['AmpereComputing/ampere-lts-kernel issues 54, 63'],
  },
  'host-steal': {
    group: 'scope',
    title: 'the vCPU was not running',
    definition:
      'While the vCPU thread could run and is off its CPU the counters stand still, the clocks do not. A thread that sleeps (an idle guest) is not meant.',
    direction: 'clock runs ahead of the count',
    size: 'the time the thread was off the CPU',
    scalesWith: 'preemption of the vCPU thread',
    needs: ['switches'],
    necessary: 'the vCPU thread was switched out inside the window while it could run',
    proof: 'the missing clock time equals the sum of those spans (and of the exits)',
    ruledOutBy: 'the thread was switched out only to sleep, or not at all',
    remedy:
      'Give the vCPU a CPU of its own; compare cycles, not time; read steal time in the guest.',
    sources: ['Broadcom KB 344161 (freezeMode)'],
  },
  'smm-pollution': {
    group: 'scope',
    title: 'firmware in SMM was counted',
    definition: 'System management mode ran while the counter counted.',
    direction: 'guest more than its own work',
    size: 'any, up to 10^8 events',
    scalesWith: 'SMIs',
    needs: ['smi-count'],
    necessary: 'samples of MSR_SMI_COUNT around the excess',
    proof: 'there is an excess only where MSR_SMI_COUNT moved, and none with freeze_on_smi = 1',
    ruledOutBy: 'MSR_SMI_COUNT did not move',
    remedy:
      'Set /sys/devices/cpu/freeze_on_smi to 1; for guests that needs a host kernel from 6.17 on (or a backport).',
    sources: ['6b1dd26544d0', 'rr issue 3045, pull request 3063'],
  },
  'clock-mismatch': {
    group: 'scope',
    title: 'the two clocks are not on one axis',
    definition:
      'Guest and host times cannot be placed on one axis, so spans of the two do not correspond.',
    direction: 'any',
    size: 'the skew times the rate',
    scalesWith: 'time',
    needs: ['two-clocks'],
    necessary: 'both sides have times',
    proof:
      'no constant offset and drift fits the paired records, or guest records fall between exit and entry',
    ruledOutBy: 'paired records agree within 1 us',
    remedy: 'Record both sides with one clock; do not compare windows before that.',
    sources: ['Documentation/virt/kvm/x86/timekeeping.rst'],
  },
} as const satisfies Record<string, CauseFacts>;
