import type { DiscrepancyCase } from './case.ts';
import { ARM_START, repeat } from './draw-parts.ts';

const INTEL = { arch: 'x86', kernelRelease: '6.12.0' } as const;

/** One guest access and the entry after it. */
const access = (line: string): string => `
  +300 v0 exit msr
  +100 v0 ${line}
  +100 v0 enter`;

const intel = (line: string): string => access(line).replace('exit msr', 'exit MSR_WRITE');

/** Section C: registers and event selection. */
export const REGISTER_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'C01',
    title: "Zen's events mapped by the table of older CPUs",
    recording: {
      arch: 'x86',
      kernelRelease: '5.10.0',
      cpuModel: 'AMD EPYC 7543 32-Core Processor',
    },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit msr
      +100 v0 create - e1 config=0x8 type=0 period=0x1000000000000 exclude_kernel # config
      +100 v0 wrmsr 0xc0010200=0x5100d1
      +100 v0 enter
      +96us v0 exit msr
      +100 v0 count e1 31417
      +100 v0 rdmsr 0xc0010201=31417
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'event-remapped', grade: 'proven', amount: null }],
    decisive: null,
    decisiveRecording: { arch: 'x86', kernelRelease: '5.10.0' },
    missing: ['cpu-model'],
  },
  {
    id: 'C03',
    title: 'a selector with Host-Only is refused: the counter goes on',
    recording: { arch: 'x86', kernelRelease: '5.10.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit msr
      +100 v0 create - e1 config=0xd1 period=0x1000000000000
      +100 v0 wrmsr 0xc0010200=0x5100d1
      +100 v0 enter
      500us v0 exit msr
      +100 v0 pause e1 7000 keep
      +100 v0 rdmsr 0xc0010201=7000
      +100 v0 wrmsr! 0xc0010200=0x200001100d1
      +100 v0 enter
      900us v0 exit msr
      +100 v0 count e1 7400
      +100 v0 rdmsr 0xc0010201=7400 # after
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'event-bits-lost', grade: 'proven', amount: 400n }],
    decisive: /# after/,
    missing: ['register-values'],
  },
  {
    id: 'C04',
    title: 'GLOBAL_CTRL is 0 after reset and the guest never writes it',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0xc0 modes=G
      +100 v0 enter
      ${intel('rdmsr 0x38f=0x0 # gate')}
      ${intel('rdmsr 0xc1=0')}
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 enter
      +300 v0 exit EXTERNAL_INTERRUPT
      +100 v0 hread H1 0
      +100 v0 enter
      900us v0 exit EXTERNAL_INTERRUPT
      +100 v0 hread H1 1000000
      +100 v0 enter
      +100 v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=0
      +100 v0 enter
    `,
    counter: 0,
    difference: -1_000_000n,
    unexplained: 0n,
    expected: [{ code: 'global-gate', grade: 'proven', amount: -1_000_000n }],
    decisive: /refresh|# gate/,
    missing: ['register-values'],
  },
  {
    id: 'C06',
    title: 'arm64 needs PMCR.E and PMCNTEN',
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_START}
      +100 v0 host H1 config=0x8 modes=G
      +100 v0 write PMCR_EL0 0x0 # gate
      +100 v0 write PMEVTYPER0_EL0 0x8
      +100 v0 write PMEVCNTR0_EL0 0x0
      +100 v0 write PMCNTENSET_EL0 0x1
      +100 v0 hread H1 0
      +100 v0 enter
      500us v0 exit SYS64
      +100 v0 hread H1 1000
      +100 v0 read PMEVCNTR0_EL0 = 0
      +100 v0 hread H1 1000
      +100 v0 enter
      +100 v0 exit IRQ
    `,
    counter: 0,
    difference: -1000n,
    unexplained: 0n,
    expected: [{ code: 'global-gate', grade: 'proven', amount: -1000n }],
    decisive: /# gate|reset/,
    missing: ['register-values'],
  },
  {
    id: 'C07',
    title: "the VMM's filter denies the event",
    recording: INTEL,
    drawing: `
      0    v0 refresh
      1us  v0 mark pmu-event-filter deny 0xc4 # filter
      +100 v0 host H1 config=0xc4 modes=G
      +100 v0 enter
      ${intel('wrmsr 0x38f=0x3')}
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x187=0x53003c
      +100 v0 create - e2 config=0x3c period=0x1000000000000
      +100 v0 enter
      ${intel('wrmsr 0x186=0x5300c4')}
      +100 v0 exit EXTERNAL_INTERRUPT
      +100 v0 hread H1 0
      +100 v0 enter
      900us v0 exit EXTERNAL_INTERRUPT
      +100 v0 hread H1 1000000
      +100 v0 enter
      +100 v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=0
    `,
    counter: 0,
    difference: -1_000_000n,
    unexplained: 0n,
    expected: [{ code: 'event-filtered', grade: 'proven', amount: -1_000_000n }],
    decisive: /# filter/,
    missing: ['event-filter'],
  },
  {
    id: 'C08',
    title: 'emulated instructions get past the filter',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 mark pmu-event-filter deny 0xc0 # filter
      +100 v0 enter
      ${intel('wrmsr 0x38f=0x1')}
      +300 v0 exit EXTERNAL_INTERRUPT
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 enter
      ${repeat(
        25,
        () => `
      +20us v0 exit CPUID
      +1us v0 enter`,
      )}
      900us v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=25
    `,
    counter: 0,
    expected: [
      { code: 'emulated-leak', grade: 'proven', amount: 25n },
      { code: 'event-filtered', grade: 'proven', amount: null },
    ],
    decisive: /# filter/,
    missing: ['event-filter'],
  },
  {
    id: 'C10',
    title: 'emulated instructions are not counted',
    recording: { arch: 'x86', kernelRelease: '5.16.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${intel('wrmsr 0x38f=0x100000000')}
      ${intel('wrmsr 0x309=0x0')}
      +300 v0 exit EXTERNAL_INTERRUPT
      +100 v0 create - e1 config=0xc0 period=0x1000000000000
      +100 v0 wrmsr 0x38d=0x3
      +100 v0 enter
      ${repeat(
        10,
        () => `
      +20us v0 exit CPUID
      +1us v0 enter`,
      )}
      +50us v0 exit MSR_WRITE
      +100 v0 pause e1 1000 keep
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 enter
      +300 v0 exit MSR_READ
      +100 v0 rdmsr 0x309=1000 # value
      +100 v0 enter
    `,
    counter: 32,
    expected: [{ code: 'emulated-uncounted', grade: 'proven', amount: -10n }],
    decisive: /# value/,
    missing: ['register-values'],
  },
  {
    id: 'C11',
    title: 'the wrap by an emulated instruction is signalled twice',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 lvtpc 0x400
      +100 v0 enter
      ${intel('wrmsr 0x38f=0x1')}
      ${intel('wrmsr 0xc1=0xfffff000')}
      +300 v0 exit MSR_WRITE
      +100 v0 create - e1 config=0xc0 period=0x1000
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 enter
      +99us v0 exit CPUID
      +100 v0 overflow -1 e1 0x1000
      +100 v0 nmi
      +100 v0 nmi
      +100 v0 enter
      +1ms v0 exit EXTERNAL_INTERRUPT
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'emulated-overflow', grade: 'proven', amount: null }],
    undecidable: ['pmi-spurious'],
    decisive: / exit /,
    instead: (line) => line.replace(/ exit .*/, ' exit'),
    missing: ['entries'],
  },
  {
    id: 'C12',
    title: 'a negative 32-bit write is kept wider than the counter',
    recording: { arch: 'x86', kernelRelease: '6.5.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${intel('rdmsr 0x345=0x0')}
      ${intel('wrmsr 0x38f=0x1')}
      ${intel('wrmsr 0xc1=0xffff8000')}
      ${intel('wrmsr 0x186=0x5300c0')}
      ${repeat(
        6,
        (turn) => `
      +10 v0 exit CPUID
      +100 v0 nmi
      +100 v0 enter
      +10 v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=0xffffffff8003
      +100 v0 enter
      +10 v0 exit MSR_WRITE
      +100 v0 wrmsr 0xc1=0xffff8001 # write ${turn}
      +100 v0 enter`,
      )}
      +2us v0 exit CPUID
      +100 v0 nmi
      +100 v0 enter
      +100 v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=0xffffffff8003
    `,
    counter: 0,
    expected: [
      { code: 'observer-cost', grade: 'proven', amount: null },
      { code: 'pmi-storm', grade: 'proven', amount: null },
      { code: 'width-truncation', grade: 'proven', amount: null },
    ],
    own: ['pmi-storm', 'width-truncation'],
    decisive: /# write/,
    missing: ['register-values'],
  },
  {
    id: 'C14',
    title: 'a counter write leaves the sample period as it was',
    recording: { arch: 'x86', kernelRelease: '5.10.0' },
    drawing: `
      0    v0 refresh
      1us  v0 lvtpc 0x400
      +100 v0 enter
      ${access('wrmsr 0xc0010201=0xffffffff0000')}
      +300 v0 exit msr
      +100 v0 create - e1 config=0x76 period=0x10000 # period
      +100 v0 wrmsr 0xc0010200=0x530076
      +100 v0 enter
      100us v0 overflow -1 e1 0x10000
      +100 v0 exit nmi
      +100 v0 nmi
      +100 v0 enter
      +300 v0 exit msr
      +100 v0 count e1 0x10000
      +100 v0 wrmsr 0xc0010201=0xffffffff8000
      +100 v0 enter
      +900us v0 exit msr
      +100 v0 count e1 0x19000
      +100 v0 rdmsr 0xc0010201=0x1000
      +100 v0 enter
    `,
    counter: 0,
    expected: [
      { code: 'pmi-lost', grade: 'proven', amount: null },
      { code: 'stale-period', grade: 'proven', amount: null },
    ],
    decisive: /overflow/,
    missing: ['overflows'],
  },
  {
    id: 'C15',
    title: 'the first sample period stays for good',
    recording: { arch: 'arm64', kernelRelease: '5.3.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMOVSCLR_EL0 0xffffffff
      +100 v0 write PMINTENCLR_EL1 0xffffffff
      +100 v0 write PMCR_EL0 0x41
      +100 v0 write PMCCNTR_EL0 0xffffffffffff0000
      +100 v0 write PMINTENSET_EL1 0x80000000
      +100 v0 entry write PMCNTENSET_EL0 0x80000000
      +100 v0 create 31 e1 config=0x11 period=0x10000
      +100 v0 place e1
      +100 v0 done write PMCNTENSET_EL0 0x80000000
      +100 v0 enter
      ${repeat(
        20,
        (turn) => `
      +50us v0 overflow 31 e1 ${(turn + 1) * 0x10000} # overflow
      +100 v0 exit IRQ
      ${turn === 0 ? '+100 v0 irq 1' : ''}
      +100 v0 enter`,
      )}
      +1us v0 exit SYS64
      +100 v0 count e1 ${21 * 0x10000}
      +100 v0 read PMCCNTR_EL0 = ${20 * 0x10000}
      +100 v0 enter
    `,
    counter: 31,
    expected: [{ code: 'period-not-reset', grade: 'proven', amount: null }],
    decisive: /# overflow/,
    missing: ['overflows'],
  },
  {
    id: 'C18',
    title: 'a chained wrap leaves the flag of the low counter 0',
    recording: { arch: 'arm64', kernelRelease: '5.15.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCR_EL0 0x1
      +100 v0 write PMOVSCLR_EL0 0xffffffff
      +100 v0 write PMEVTYPER0_EL0 0x13
      +100 v0 write PMEVTYPER1_EL0 0x1e
      +100 v0 write PMEVCNTR1_EL0 0x0
      +100 v0 write PMEVCNTR0_EL0 0xf0000000
      +100 v0 entry write PMCNTENSET_EL0 0x3
      +100 v0 create 0 e1 config=0x13 period=0x10 wide
      +100 v0 place e1
      +100 v0 done write PMCNTENSET_EL0 0x3
      +100 v0 enter
      100ms v0 exit SYS64
      +100 v0 read PMEVCNTR0_EL0 = 0x10
      +100 v0 read PMOVSSET_EL0 = 0x0 # flag
      +100 v0 read PMEVCNTR1_EL0 = 0x1
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'chain-semantics', grade: 'proven', amount: null }],
    decisive: /# flag/,
    missing: ['register-values'],
  },
  {
    id: 'C19',
    title: 'PMCR.P zeroes the cycle counter',
    recording: { arch: 'arm64', kernelRelease: '5.10.0' },
    drawing: `
      ${ARM_START}
      +100 v0 host H1 config=0x11 modes=G
      +100 v0 write PMCR_EL0 0x1
      +100 v0 entry write PMCNTENSET_EL0 0x80000000
      +100 v0 create 31 e1 config=0x11 period=0
      +100 v0 place e1
      +100 v0 done write PMCNTENSET_EL0 0x80000000
      +100 v0 enter
      +500us v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 5000
      +50  v0 done read PMCCNTR_EL0 = 5000
      +100 v0 write PMCR_EL0 0x3
      +100 v0 hread H1 5000
      +100 v0 enter
      +2ms v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 5010
      +50  v0 done read PMCCNTR_EL0 = 10 # value
      +100 v0 hread H1 5010
      +100 v0 enter
    `,
    counter: 31,
    difference: -5000n,
    unexplained: 0n,
    expected: [{ code: 'reset-side-effect', grade: 'proven', amount: -5000n }],
    decisive: /# value/,
    missing: ['register-values'],
  },
  {
    id: 'C20',
    title: 'PMSWINC counts with PMCR.E = 0',
    recording: { arch: 'arm64', kernelRelease: '5.4.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCR_EL0 0x0
      +100 v0 write PMEVTYPER0_EL0 0x0
      +100 v0 write PMEVCNTR0_EL0 0x0
      +100 v0 write PMCNTENSET_EL0 0x1
      ${repeat(
        100,
        () => `
      +100 v0 enter
      +1us v0 exit SYS64
      +100 v0 write PMSWINC_EL0 0x1`,
      )}
      +100 v0 enter
      +1us v0 exit SYS64
      +100 v0 read PMEVCNTR0_EL0 = 100 # value
      +100 v0 enter
    `,
    counter: 0,
    expected: [
      { code: 'observer-cost', grade: 'proven', amount: null },
      { code: 'swinc-semantics', grade: 'proven', amount: 100n },
    ],
    own: ['swinc-semantics'],
    decisive: /# value/,
    missing: ['register-values'],
  },
  {
    id: 'C22',
    title: 'PEBS is off for an event on another hardware counter',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${intel('wrmsr 0x3f1=0x1')}
      ${intel('wrmsr 0x38f=0x1')}
      +300 v0 exit MSR_WRITE
      +100 v0 create - e1 config=0xc0 period=0x1000
      +100 v0 hwrmsr 0x188=0x5300c0 # index
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 enter
      ${repeat(
        10,
        (turn) => `
      +50us v0 overflow -1 e1 ${(turn + 1) * 0x1000}
      +100 v0 exit EXCEPTION_NMI
      +100 v0 nmi
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x4c1=0xfffffffff000
      +100 v0 enter`,
      )}
      +40us v0 overflow -1 e1 0xb000
      +100 v0 exit EXCEPTION_NMI
      +100 v0 nmi
      +100 v0 enter
      900us v0 exit EXTERNAL_INTERRUPT
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'pebs-suppressed', grade: 'proven', amount: null }],
    decisive: /# index/,
    missing: ['placements'],
  },
  {
    id: 'C23',
    title: 'adaptive PEBS bits of FIXED_CTR_CTRL are dropped',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${intel('wrmsr 0x3f1=0x100000000')}
      ${intel('wrmsr 0x38f=0x100000000')}
      +300 v0 exit MSR_WRITE
      +100 v0 create - e1 config=0xc0 period=0x1000
      +100 v0 wrmsr 0x38d=0x10000000b
      +100 v0 enter
      +300 v0 exit MSR_READ
      +100 v0 rdmsr 0x38d=0xb # back
      +100 v0 enter
      900us v0 exit MSR_READ
      +100 v0 rdmsr 0x309=0x800
      +100 v0 enter
    `,
    counter: 32,
    expected: [{ code: 'pebs-suppressed', grade: 'proven', amount: null }],
    decisive: /# back/,
    missing: ['register-values'],
  },
  {
    id: 'C24',
    title: 'PEBS of the host stays on in the guest: no count is wrong',
    recording: { arch: 'x86', kernelRelease: '6.6.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0x3c modes=GH cpu=2
      +100 v0 hwrmsr 0x3f1=0x1
      +100 v0 cpu2 enter
      +300 v0 cpu2 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 cpu2 enter
      +300 v0 cpu2 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 create - e1 config=0xc0 period=0x1000000000000
      +100 v0 cpu2 enter
      900us v0 cpu2 exit EPT_VIOLATION
    `,
    counter: 0,
    expected: [],
    decisive: /host H1/,
    missing: [],
    nothingToName:
      'it is a trap for diagnosis: no count is wrong, so no cause may be named or asked for',
  },
  {
    id: 'C25',
    title: 'a counter that starts at 0 never overflows',
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMOVSCLR_EL0 0xffffffff
      +100 v0 write PMINTENCLR_EL1 0xffffffff
      +100 v0 write PMCR_EL0 0x5
      +100 v0 read PMCR_EL0 = 0x3001
      +100 v0 write PMINTENSET_EL1 0x80000000
      +100 v0 entry write PMCNTENSET_EL0 0x80000000
      +100 v0 create 31 e1 config=0x11 period=0 # period
      +100 v0 place e1
      +100 v0 done write PMCNTENSET_EL0 0x80000000
      +100 v0 enter
      2s   v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 0x100000010
      +50  v0 done read PMCCNTR_EL0 = 0x100000010
      +100 v0 read PMOVSSET_EL0 = 0x0
      +100 v0 enter
    `,
    counter: 31,
    expected: [
      { code: 'pmi-lost', grade: 'proven', amount: null },
      { code: 'stale-period', grade: 'proven', amount: null },
    ],
    decisive: /# period/,
    missing: ['overflows'],
  },
];
