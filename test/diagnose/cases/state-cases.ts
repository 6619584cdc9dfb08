import type { DiscrepancyCase } from './case.ts';
import { ARM_START, repeat } from './draw-parts.ts';

const CYCLES_ON = `
  ${ARM_START}
  +100 v0 write PMOVSCLR_EL0 0xffffffff
  +100 v0 write PMINTENCLR_EL1 0xffffffff
  +100 v0 write PMCNTENSET_EL0 0x80000000
`;

/** Section E: state that is moved, reset, reused, and what measuring costs. */
export const STATE_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'E02',
    title: 'reset bits of a restored PMCR act again',
    recording: { arch: 'arm64', kernelRelease: '6.1.0' },
    drawing: `
      ${CYCLES_ON}
      +100 v0 entry write PMCR_EL0 0x7
      +100 v0 create 31 e1 config=0x11 period=0
      +100 v0 place e1
      +100 v0 done write PMCR_EL0 0x7
      +100 v0 enter
      +500us v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 5000
      +50  v0 done read PMCCNTR_EL0 = 5000
      +100 v0 migrate
      +100 v0 uset PMCR_EL0=0x7 # restore
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 5000
      +50  v0 done read PMCCNTR_EL0 = 0
      +100 v0 enter
      +1ms v0 exit IRQ
    `,
    counter: 31,
    expected: [{ code: 'migration-reset', grade: 'proven', amount: -5000n }],
    decisive: /# restore/,
    missing: ['vmm-marks'],
  },
  {
    id: 'E03',
    title: 'user mode is not counted until the next load',
    recording: { arch: 'arm64', kernelRelease: '6.1.0' },
    drawing: `
      ${CYCLES_ON}
      +100 v0 host H1 config=0x11 modes=G
      +100 v0 host H2 config=0x11 modes=G exclude_kernel
      +100 v0 uset PMCCNTR_EL0=0x0 # restore
      +100 v0 entry write PMCR_EL0 0x1
      +100 v0 create 31 e1 config=0x11 period=0
      +100 v0 place e1
      +100 v0 done write PMCR_EL0 0x1
      +100 v0 hread H1 0
      +100 v0 hread H2 0
      +100 v0 enter
      +10us v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 hread e1 500 9000 9000 1
      +50  v0 done read PMCCNTR_EL0 = 500
      +100 v0 hread H1 10500
      +100 v0 hread H2 10000 # user
      +100 v0 out
      +1us v0 in
      +100 v0 enter
      +1ms v0 exit IRQ
    `,
    counter: 31,
    difference: -10_000n,
    unexplained: 0n,
    expected: [{ code: 'migration-gap', grade: 'proven', amount: -10_000n }],
    decisive: /# user/,
    missing: ['host-counts'],
  },
  {
    id: 'E04',
    title: 'a reset of the VM leaves the PMU on',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit msr
      +100 v0 wrmsr 0xc0010200=0x530076
      +100 v0 create - e1 config=0x76 period=0x1000000000000
      +100 v0 enter
      100us v0 exit interrupt
      +100 v0 mark vm-reset
      +100 v0 enter
      200us v0 exit msr
      +100 v0 rdmsr 0xc0010200=0x530076 # after
      +100 v0 enter
      900us v0 exit interrupt
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'reset-leftover', grade: 'proven', amount: null }],
    decisive: /# after/,
    missing: ['register-values'],
  },
  {
    id: 'E05',
    title: 'each toggle makes the same event anew',
    recording: { arch: 'x86', kernelRelease: '4.14.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 wrmsr 0x186=0x53003c
      +100 v0 enter
      ${repeat(
        100,
        (turn) => `
      +10us v0 exit MSR_WRITE
      +1us v0 create - e${turn + 1} config=0x0 type=0 period=0
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 enter
      +10us v0 exit MSR_WRITE
      +1us v0 release e${turn + 1}
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 enter`,
      )}
      +1us v0 exit EXTERNAL_INTERRUPT
    `,
    counter: 0,
    expected: [
      { code: 'event-churn', grade: 'proven', amount: null },
      { code: 'observer-cost', grade: 'proven', amount: null },
    ],
    decisive: / create /,
    own: ['event-churn'],
    missing: ['backing-events'],
  },
  {
    id: 'E06',
    title: 'perf record in the guest: seven PMU accesses a sample',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x53003c
      +100 v0 enter
      ${repeat(
        100,
        () => `
      +110us v0 exit MSR_WRITE
      +8us v0 wrmsr 0x38f=0x0 # access
      +10  v0 enter
      +10  v0 exit MSR_READ
      +8us v0 rdmsr 0x38e=0x0 # access
      +10  v0 enter
      +10  v0 exit MSR_WRITE
      +8us v0 wrmsr 0x390=0x0 # access
      +10  v0 enter
      +10  v0 exit MSR_WRITE
      +8us v0 wrmsr 0x38f=0x1 # access
      +10  v0 enter`,
      )}
      +1us v0 exit EXTERNAL_INTERRUPT
    `,
    counter: 0,
    expected: [{ code: 'observer-cost', grade: 'proven', amount: null }],
    decisive: /# access/,
    // The exit is there, what it was for is not.
    instead: (line) => line.replace(/v0 .*/, 'v0 other kvm_fpu'),
    missing: ['register-values'],
  },
  {
    id: 'E07',
    title: 'each exit puts and loads the guest PMU context',
    recording: { arch: 'x86', kernelRelease: '7.0.0' },
    rules: 'x86-mediated-7.0',
    drawing: `
      0    v0 refresh
      1us  v0 load
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 wrmsr 0x186=0x53003c
      +100 v0 enter
      ${repeat(
        100,
        () => `
      +2us v0 exit CPUID
      +400 v0 put # context
      +400 v0 load # context
      +800 v0 enter`,
      )}
      +1us v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=0x90000
      +100 v0 enter
    `,
    counter: 0,
    // Consistent at most: how much of an exit goes into the context is not recorded by any tracepoint.
    expected: [{ code: 'observer-cost', grade: 'consistent', amount: null }],
    own: ['observer-cost'],
    decisive: /# context/,
    instead: (line) => line.replace(/v0 .*/, 'v0 other kvm_fpu'),
    missing: ['guest-context'],
  },
];
