import type { DiscrepancyCase } from './case.ts';
import { ARM_START, repeat } from './draw-parts.ts';

/** One guest access of an AMD guest and the entry after it. */
const access = (line: string): string => `
  +300 v0 exit msr
  +100 v0 ${line}
  +100 v0 enter`;

/** Section D: overflow and delivery of the interrupt. */
export const DELIVERY_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'D01',
    title: 'two NMIs for one overflow',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 lvtpc 0x400
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0xc1=0xfffff000
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 create - e1 config=0x3c period=0x1000
      +100 v0 wrmsr 0x186=0x53003c
      +100 v0 enter
      +99us v0 overflow -1 e1 0x1000
      +100 v0 exit CPUID
      +100 v0 nmi
      +100 v0 nmi # second
      +100 v0 enter
      +300 v0 exit MSR_READ
      +100 v0 rdmsr 0x38e=0x1
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x390=0x1
      +100 v0 enter
      +300 v0 exit MSR_READ
      +100 v0 rdmsr 0x38e=0x0 # empty
      +100 v0 enter
      +1ms v0 exit EXTERNAL_INTERRUPT
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'pmi-spurious', grade: 'proven', amount: null }],
    decisive: /# empty/,
    missing: ['register-values'],
  },
  {
    id: 'D02',
    title: 'LVTPC stays masked on AMD',
    recording: { arch: 'x86', kernelRelease: '6.8.0' },
    drawing: `
      0    v0 refresh
      1us  v0 lvtpc 0x400 # unmasked
      +100 v0 enter
      ${access('wrmsr 0xc0010201=0xfffffffff000')}
      ${access('wrmsr 0xc0010200=0x530076').replace('+100 v0 enter', '+100 v0 create - e1 config=0x76 period=0x1000\n+100 v0 enter')}
      +50us v0 overflow -1 e1 0x1000
      +100 v0 exit nmi
      +100 v0 nmi
      +100 v0 enter
      ${repeat(
        18,
        () => `
      ${access('wrmsr 0xc0010201=0xfffffffff000').replace('+100 v0 enter', '+100 v0 pause e1 0x1000\n+100 v0 enter')}
      +50us v0 overflow -1 e1 0x1000
      +100 v0 exit nmi
      +100 v0 enter`,
      )}
      +1ms v0 exit interrupt
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'pmi-lost', grade: 'proven', amount: null }],
    decisive: /# unmasked/,
    missing: ['lvtpc'],
  },
  {
    id: 'D04',
    title: 'the interrupt controller is in the VMM',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 mark irqchip user # irqchip
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0xc1=0xfffff000
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 create - e1 config=0xc0 period=0x1000
      +100 v0 enter
      ${[0x1000, 0x3000, 0x4800]
        .map(
          (count) => `
      +50us v0 overflow -1 e1 ${count}
      +100 v0 exit EXCEPTION_NMI
      +100 v0 enter`,
        )
        .join('\n')}
      +1ms v0 exit EXTERNAL_INTERRUPT
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'pmi-lost', grade: 'proven', amount: null }],
    decisive: /# irqchip/,
    missing: ['interrupts'],
  },
  {
    id: 'D06',
    title: 'an overflow of a counter that is off',
    recording: { arch: 'arm64', kernelRelease: '6.8.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMOVSCLR_EL0 0xffffffff
      +100 v0 write PMINTENCLR_EL1 0xffffffff
      +100 v0 write PMCR_EL0 0x1
      +100 v0 write PMEVTYPER0_EL0 0x8
      +100 v0 write PMEVCNTR0_EL0 0x0
      +100 v0 irq 0 # line
      +100 v0 enter
      +1us v0 exit SYS64
      +100 v0 write PMINTENSET_EL1 0x1
      +100 v0 enter
      +1us v0 exit SYS64
      +100 v0 write PMOVSSET_EL0 0x1
      +100 v0 enter
      +1ms v0 exit IRQ
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'pmi-lost', grade: 'proven', amount: null }],
    decisive: /# line/,
    missing: ['interrupts'],
  },
  {
    id: 'D07',
    title: 'each interrupt adds a branch',
    recording: { arch: 'x86', kernelRelease: '4.14.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0xc4 modes=G
      +100 v0 lvtpc 0x400
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 wrmsr 0xc1=0xfffffe0d
      +100 v0 create - e1 config=0xc4 period=499
      +100 v0 wrmsr 0x186=0x5300c4
      +100 v0 hread H1 0
      +100 v0 enter
      ${repeat(
        5,
        (turn) => `
      +20us v0 overflow -1 e1 ${499 * (turn + 1)}
      +100 v0 exit EXCEPTION_NMI
      +100 v0 nmi
      +100 v0 enter`,
      )}
      +100us v0 exit MSR_READ
      +100 v0 count e1 2505
      +100 v0 rdmsr 0xc1=2006
      +100 v0 hread H1 2500
      +100 v0 enter
    `,
    counter: 0,
    difference: 5n,
    unexplained: 0n,
    expected: [{ code: 'pmi-overcount', grade: 'proven', amount: 5n }],
    decisive: / nmi/,
    missing: ['interrupts'],
  },
  {
    id: 'D08',
    title: 'the interrupt comes 30,000 events late',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0xd1 modes=G
      +100 v0 lvtpc 0x400
      +100 v0 enter
      ${access('wrmsr 0xc0010201=0xffffffffd8f0')}
      ${access('wrmsr 0xc0010200=0x5100d1').replace('+100 v0 enter', '+100 v0 create - e1 config=0xd1 period=10000\n+100 v0 hread H1 0\n+100 v0 enter')}
      +50us v0 overflow -1 e1 39990
      +100 v0 exit nmi
      +100 v0 nmi
      +100 v0 pause e1 40000
      +100 v0 hread H1 40000 # host
      +100 v0 enter
      +10  v0 exit msr
      +100 v0 rdmsr 0xc0010201=30000
      +100 v0 enter
      +1ms v0 exit interrupt
    `,
    counter: 0,
    expected: [{ code: 'pmi-skid', grade: 'proven', amount: null }],
    decisive: /# host/,
    missing: ['host-counts'],
  },
  {
    id: 'D09',
    title: "the guest's debugger writes a live counter back",
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCNTENSET_EL0 0x80000000
      +100 v0 write PMCCNTR_EL0 0x3e8
      +100 v0 entry write PMCR_EL0 0x1
      +100 v0 create 31 e1 config=0x11 period=0
      +100 v0 place e1
      +100 v0 done write PMCR_EL0 0x1
      +100 v0 enter
      +500us v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 500
      +50  v0 done read PMCCNTR_EL0 = 1500
      +100 v0 uget PMCCNTR_EL0=1500
      +100 v0 uset PMCCNTR_EL0=1500 # set
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 500
      +50  v0 done read PMCCNTR_EL0 = 2000
      +100 v0 enter
      +1ms v0 exit IRQ
    `,
    counter: 31,
    expected: [
      { code: 'migration-stale', grade: 'proven', amount: null },
      { code: 'write-while-running', grade: 'proven', amount: 500n },
    ],
    decisive: /# set/,
    missing: ['vmm-marks'],
  },
];
