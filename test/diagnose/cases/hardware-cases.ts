import type { DiscrepancyCase } from './case.ts';
import { ARM_START, repeat } from './draw-parts.ts';

/** Core cycles of the same loop on counters 0 to 7, as published (kvm-unit-tests f2a56148). */
const COLD = [
  55_109_398, 18_279_571, 12_238_092, 7_981_727, 6_984_711, 6_773_673, 6_697_842, 6_747_947,
];

const intel = (line: string): string => `
  +300 v0 exit MSR_WRITE
  +100 v0 ${line}
  +100 v0 enter`;

/** Section F: effects of hardware and method. */
export const HARDWARE_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'F01',
    title: 'speculation after a lock is counted on Zen',
    recording: { arch: 'x86', kernelRelease: '6.12.0', cpuModel: 'AMD Ryzen 9 7950X' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${[100_037, 100_021]
        .map(
          (value, i) => `
      +300 v0 exit msr
      +100 v0 wrmsr 0xc0010201=0x0 # run
      +100 v0 enter
      +300 v0 exit msr
      +100 v0 wrmsr 0xc0010200=0x5100d1
      ${i === 0 ? '+100 v0 create - e1 config=0xd1 period=0x1000000000000' : ''}
      +100 v0 enter
      +100us v0 exit msr
      +100 v0 pause e1 ${value}
      +100 v0 wrmsr 0xc0010200=0x1100d1
      +100 v0 enter
      +300 v0 exit msr
      +100 v0 rdmsr 0xc0010201=${value} # value
      +100 v0 enter`,
        )
        .join('\n')}
    `,
    counter: 0,
    // The same on bare metal would prove it: a recording of a VM alone never does.
    expected: [{ code: 'hw-overcount', grade: 'consistent', amount: null }],
    decisive: null,
    decisiveRecording: { arch: 'x86', kernelRelease: '6.12.0' },
    own: ['hw-overcount'],
    missing: ['cpu-model', 'bare-metal'],
  },
  {
    id: 'F02',
    title: 'the first of eight measurements is cold',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${COLD.map(
        (value, i) => `
      ${intel('wrmsr 0x38f=0x0')}
      ${intel(`wrmsr 0x${(0x4c1 + i).toString(16)}=0x0`)}
      ${intel(`wrmsr 0x${(0x186 + i).toString(16)}=0x43003c`)}
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x${(1 << i).toString(16)}
      +100 v0 create - e${i + 1} config=0x3c period=0x1000000000000
      +100 v0 enter
      +${Math.round(value / 3)} v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 pause e${i + 1} ${value}
      +100 v0 enter
      +300 v0 exit MSR_READ
      +100 v0 rdmsr 0x${(0x4c1 + i).toString(16)}=${value} # ${i === 0 ? 'first' : 'later'}
      +100 v0 enter`,
      ).join('\n')}
      +300 v0 exit EXTERNAL_INTERRUPT
    `,
    counter: 0,
    expected: [{ code: 'cold-start', grade: 'proven', amount: null }],
    decisive: /c[4-8]=.*# later/,
    missing: ['repeats'],
  },
  {
    id: 'F03',
    title: 'MEM_ACCESS varies on ThunderX2',
    recording: { arch: 'arm64', kernelRelease: '6.12.0', cpuModel: 'ThunderX2' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCR_EL0 0x0
      +100 v0 write PMEVTYPER0_EL0 0x13
      +100 v0 write PMCNTENSET_EL0 0x1
      ${repeat(
        20,
        (turn) => `
      +100 v0 write PMEVCNTR0_EL0 0x0
      +100 v0 entry write PMCR_EL0 0x1
      +100 v0 create 0 e${turn + 1} config=0x13 period=0x100000000
      +100 v0 place e${turn + 1}
      +100 v0 done write PMCR_EL0 0x1
      +100 v0 enter
      +${turn === 0 ? 900 : 200}us v0 exit SYS64
      +100 v0 write PMCR_EL0 0x0
      +100 v0 entry read PMEVCNTR0_EL0
      +50  v0 count e${turn + 1} ${21 + ((turn * 7) % 21)}
      +50  v0 done read PMEVCNTR0_EL0 = ${21 + ((turn * 7) % 21)} # value
      +100 v0 enter
      +1us v0 exit SYS64`,
      )}
    `,
    counter: 0,
    // As F01: bare metal alone would prove it.
    expected: [{ code: 'hw-variance', grade: 'consistent', amount: null }],
    decisive: null,
    decisiveRecording: { arch: 'arm64', kernelRelease: '6.12.0' },
    own: ['hw-variance'],
    lostBefore: /read PMEVCNTR0_EL0/,
    missing: ['cpu-model', 'bare-metal'],
  },
  {
    id: 'F04',
    title: 'a count that is cut at 32 bits',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0x3c modes=GH
      +100 v0 enter
      ${intel('wrmsr 0x38f=0x0')}
      ${intel('wrmsr 0x186=0x43003c')}
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 create - e1 config=0x3c period=0x1000000000000
      +100 v0 enter
      +10us v0 exit MSR_READ
      +100 v0 hread e1 20000 10000 10000 1
      +100 v0 rdmsr 0xc1=20000
      +100 v0 hread H1 20000
      +100 v0 enter
      +2s v0 exit MSR_READ
      +100 v0 hread e1 0x100004e20 2000010000 2000010000 1
      +100 v0 rdmsr 0xc1=20000
      +100 v0 hread H1 0x100004e20 # host
      +100 v0 enter
    `,
    counter: 0,
    difference: -(1n << 32n),
    unexplained: 0n,
    // No cost of exits either, though the host's event counts both modes.
    expected: [{ code: 'width-truncation', grade: 'consistent', amount: -(1n << 32n) }],
    excluded: ['hv-excluded'],
    own: ['width-truncation'],
    decisive: /# host|hread e1 0x1/,
    missing: [],
    nothingToName: 'without a count of the host or of its event nothing shows that bits are gone',
  },
  {
    id: 'F05',
    title: 'fast RDPMC returns 32 bits',
    recording: { arch: 'x86', kernelRelease: '6.1.0' },
    drawing: `
      0    v0 refresh
      1us  v0 enter
      ${intel('wrmsr 0x38f=0x1')}
      ${intel('wrmsr 0x4c1=0x123456789')}
      +300 v0 exit MSR_WRITE
      +100 v0 create - e1 config=0x3c period=0x1000000000000
      +100 v0 wrmsr 0x186=0x430000
      +100 v0 enter
      +300us v0 exit RDPMC
      +100 v0 rdpmc 0x80000000=0x23456789 # fast
      +100 v0 enter
      +300 v0 exit RDPMC
      +100 v0 rdpmc 0x0=0x123456789
      +100 v0 enter
    `,
    counter: 0,
    expected: [{ code: 'width-truncation', grade: 'proven', amount: null }],
    decisive: /# fast/,
    instead: (line) => line.replace(/=.*/, ''),
    missing: ['rdpmc-values'],
  },
  {
    id: 'F06',
    title: 'a topdown metric is eight bits of the slots',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    rules: 'x86-topdown-2023',
    drawing: `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit CPUID
      +100 v0 cpuid 0xa 0x07300802 0 0 0x604
      +100 v0 enter
      ${intel('wrmsr 0x38f=0x800000000')}
      ${intel('wrmsr 0x30c=0x0')}
      ${intel('wrmsr 0x329=0x0')}
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38d=0x3000
      +100 v0 create - e1 config=0x400 period=0
      +100 v0 enter
      +300us v0 exit RDPMC
      +100 v0 rdpmc 0x20000000=0x55555501 # metrics
      +100 v0 enter
      +10  v0 exit MSR_READ
      +100 v0 count e1 1000000
      +100 v0 rdmsr 0x30c=1000000
      +100 v0 enter
    `,
    counter: 35,
    expected: [{ code: 'metrics-quantised', grade: 'proven', amount: [-1960n, 1960n] }],
    decisive: /# metrics/,
    instead: (line) => line.replace(/=.*/, ''),
    missing: ['rdpmc-values'],
  },
];
