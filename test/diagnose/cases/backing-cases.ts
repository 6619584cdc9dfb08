import type { DiscrepancyCase } from './case.ts';
import { ARM_CYCLES, ARM_START, repeat } from './draw-parts.ts';

const AMD = { arch: 'x86', kernelRelease: '6.12.0' } as const;

/** Section B: the backing event is not counting. */
export const BACKING_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'B01',
    title: 'a monitoring agent on the host pins every counter',
    recording: AMD,
    drawing: `
      0    v0 refresh
      ${repeat(6, (i) => `+1us v0 cpu3 host H${i + 1} config=0xc0 modes=GH pinned cpu=3`)}
      100us v0 cpu3 enter
      +300 v0 cpu3 exit msr
      +100 v0 cpu3 wrmsr 0xc0010200=0x5300c0
      +100 v0 cpu3 create - e20 config=0xc0 period=0x1000000000000
      +100 v0 cpu3 hread e20 0 1 0 -2 # state
      ${repeat(
        394,
        () => `
      +100 v0 cpu3 enter
      +2us v0 cpu3 exit cpuid`,
      )}
      +100 v0 cpu3 enter
      +300us v0 cpu3 exit msr
      +100 v0 cpu3 hread e20 0 1 0 -2 # state
      +100 v0 cpu3 rdmsr 0xc0010201=395
      +100 v0 cpu3 enter
      +1us v0 report instructions 395 1000000
    `,
    counter: 0,
    expected: [
      { code: 'counter-contention', grade: 'proven', amount: null },
      { code: 'pinned-error', grade: 'proven', amount: null },
    ],
    decisive: /# state/,
    missing: ['backing-events', 'placements', 'host-events'],
  },
  {
    id: 'B04',
    title: "KVM's events displace the host's perf stat",
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_CYCLES}
      +100 v0 cpu2 host H31 config=0x11 modes=GH cpu=2
      +100 v0 cpu2 hread H31 0 0 0 1
      10us v0 cpu2 in
      +100 v0 cpu2 enter
      990us v0 cpu2 exit IRQ
      +100 v0 cpu2 hread H31 0 980000 0 0 # inactive
      +100 v0 cpu2 count e1 1900000
      1000us v0 cpu2 out S
      2000us v0 cpu2 hread H31 500 2000000 1010000 1 # times
      +100 v0 cpu2 in
      +100 v0 cpu2 enter
    `,
    counter: 31,
    expected: [{ code: 'multiplexed', grade: 'proven', amount: null }],
    decisive: /# times|hread H31 0 0/,
    missing: ['host-counts'],
  },
  {
    id: 'B06',
    title: 'a checkpointed event is refused',
    recording: { arch: 'x86', kernelRelease: '4.14.0' },
    drawing: `
      0    v0 enter
      1us  v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 wrmsr 0xc3=0x0
      +100 v0 wrmsr 0x188=0x2005101c4
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 create - e3 config=0x2000101c4 period=0x1000000000000 failed # refused
      +100 v0 wrmsr 0x38f=0x4
      +100 v0 enter
      +90us v0 exit MSR_READ
      +100 v0 rdmsr 0xc3=0
      +100 v0 enter
    `,
    counter: 2,
    expected: [{ code: 'create-failed', grade: 'proven', amount: null }],
    decisive: /# refused/,
    missing: ['backing-events'],
  },
  {
    id: 'B07',
    title: "AMD event bits taken for Intel's IN_TXCP",
    recording: { arch: 'x86', kernelRelease: '5.15.0' },
    drawing: `
      0    v0 refresh
      1us  v0 lvtpc 0x400
      +100 v0 enter
      +300 v0 exit msr
      +100 v0 wrmsr 0xc0010201=0xffffffff0000
      +100 v0 enter
      +300 v0 exit msr
      +100 v0 create - e1 config=0x200000076 period=0x0 # period
      +100 v0 wrmsr 0xc0010200=0x200530076
      +100 v0 enter
      900us v0 exit msr
      +100 v0 count e1 0x30000
      +100 v0 rdmsr 0xc0010201=0x20000
      +100 v0 enter
    `,
    counter: 0,
    expected: [
      { code: 'event-bits-lost', grade: 'proven', amount: null },
      // What the lost bits lead to: an event without a period, and so no interrupt.
      { code: 'stale-period', grade: 'proven', amount: null },
      { code: 'pmi-lost', grade: 'proven', amount: null },
    ],
    decisive: /# period/,
    missing: ['overflows'],
  },
  {
    id: 'B08',
    title: "the event is bound to the little cores' PMU",
    recording: { arch: 'arm64', kernelRelease: '5.15.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCNTENSET_EL0 0x80000000
      +100 v0 entry write PMCR_EL0 0x1
      +100 v0 create 31 e1 config=0x11 period=0 type=9
      +100 v0 done write PMCR_EL0 0x1
      10us v0 in
      +100 v0 enter
      900us v0 exit IRQ
      +100 v0 hread e1 1000000 890000 890000 1
      +100 v0 read PMCCNTR_EL0 = 1000000
      905us v0 out S
      1000us v0 cpu4 in
      +100 v0 cpu4 enter
      1890us v0 cpu4 exit SYS64
      +100 v0 cpu4 hread e1 1000000 1780000 890000 0 # inactive
      +100 v0 cpu4 read PMCCNTR_EL0 = 1000000
      +100 v0 cpu4 enter
    `,
    counter: 31,
    expected: [{ code: 'wrong-pmu', grade: 'proven', amount: null }],
    decisive: /# inactive/,
    missing: ['pmu-types', 'backing-events'],
  },
  {
    id: 'B09',
    title: 'a hybrid x86 host gives no vPMU',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 enter
      10us v0 exit MSR_WRITE
      +100 v0 wrmsr! 0x186=0x5300c0 # refused
      +100 v0 enter
      +50us v0 exit MSR_WRITE
      +100 v0 wrmsr! 0x38d=0xb0 # refused
      +100 v0 enter
      1ms  v0 report cycles 0 1000000 not-supported
      +1us v0 exit EXTERNAL_INTERRUPT
    `,
    expected: [{ code: 'pmu-absent', grade: 'proven', amount: null }],
    decisive: /# refused/,
    missing: ['register-values'],
  },
  {
    id: 'B11',
    title: 'a fixed counter that nobody explained',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 wrmsr 0x38d=0x333
      ${repeat(
        4,
        (i) => `
      +100 v0 wrmsr 0x18${6 + i}=0x4300c${i}`,
      )}
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x70000000f
      +100 v0 enter
      +900us v0 exit MSR_READ
      +100 v0 rdmsr 0x30a=0x0
      +100 v0 enter
      +900us v0 exit MSR_READ
      +100 v0 rdmsr 0x30a=0x0 # again
      +100 v0 enter
    `,
    counter: 33,
    expected: [],
    undecidable: ['counter-contention', 'pinned-error', 'create-failed'],
    own: ['counter-contention', 'pinned-error'],
    decisive: /# again/,
    missing: ['host-events', 'placements', 'backing-events'],
  },
  {
    id: 'B13',
    title: 'topdown events without topdown metrics',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      2us  v0 enter
      3us  v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 wrmsr 0x186=0x43003c # taken
      +100 v0 create - e1 config=0x3c period=0x1000000000000
      +100 v0 wrmsr 0x38f=0x1 # taken
      +100 v0 enter
      +900us v0 exit MSR_READ
      +100 v0 count e1 1800000
      +100 v0 rdmsr 0xc1=1800000 # taken
      +100 v0 enter
      2ms  v0 report slots 0 1000000 not-supported
      +1   v0 report cycles 1800000 1000000 # cycles
      +1us v0 exit EXTERNAL_INTERRUPT
    `,
    expected: [{ code: 'pmu-absent', grade: 'proven', amount: null }],
    decisive: /# cycles/,
    missing: ['guest-counts'],
  },
  {
    id: 'B14',
    title: 'with a mediated vPMU the host goes dark',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    rules: 'x86-mediated-2024',
    drawing: `
      0    v0 cpu2 host H1 config=0x3c modes=GH cpu=2 exclude_kernel
      +1us v0 cpu2 hread H1 0 0 0 1
      10us v0 cpu2 load
      +100 v0 cpu2 enter
      20us v0 cpu2 exit EXTERNAL_INTERRUPT
      +100 v0 cpu2 put
      +100 v0 cpu2 hread H1 100 10000 10000 -2
      +10us v0 cpu2 load
      +100 v0 cpu2 enter
      +10us v0 cpu2 exit EXTERNAL_INTERRUPT
      +100 v0 cpu2 put
      +100 v0 cpu2 hread H1 100 10000 10000 -2
      +100 v0 cpu2 host H2 config=0x3c modes=GH cpu=2 refused
      +100 v0 cpu2 load
      +100 v0 cpu2 enter
    `,
    expected: [{ code: 'mediated-blackout', grade: 'proven', amount: null }],
    excluded: [],
    decisive: / (load|put)$/,
    missing: ['guest-context'],
  },
];
