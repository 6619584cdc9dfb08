import { RELATIVE_CLOCK } from '../../../src/domain/log-facts.ts';
import type { DiscrepancyCase } from './case.ts';
import { ARM_CYCLES, ARM_START, repeat } from './draw-parts.ts';

/** Section T: what the recording itself leaves open; and section N, which is not in the collection of known cases. */
export const METHOD_CASES: readonly DiscrepancyCase[] = [
  {
    id: 'T01',
    title: 'stock arm64 tracepoints carry no register values',
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_START}
      +100 v0 write PMCNTENSET_EL0 0x80000000
      +100 v0 write PMCR_EL0 0x1
      +100 v0 trap write PMCCNTR_EL0
      +100 v0 enter
      500us v0 exit SYS64
      +100 v0 trap read PMCCNTR_EL0 # read
      +100 v0 enter
    `,
    counter: 31,
    expected: [],
    undecidable: ['unobserved-access'],
    own: ['unobserved-access'],
    decisive: /# read/,
    missing: ['register-values', 'backing-events'],
  },
  {
    id: 'T02',
    title: 'the recorder lost records',
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    drawing: `
      ${ARM_CYCLES}
      +100 v0 enter
      500us v0 exit SYS64
      +100 v0 count e1 1000000
      +100 v0 read PMCCNTR_EL0 = 1000000
      +100 v0 lost 12
      +100 v0 enter
      900us v0 exit IRQ
    `,
    counter: 31,
    expected: [{ code: 'trace-gap', grade: 'proven', amount: null }],
    decisive: /lost/,
    missing: [],
    nothingToName: 'without the loss nothing is missing: it is the loss that is the cause',
  },
  {
    id: 'T03',
    title: "the guest's perf stat is on another clock than the trace",
    recording: { arch: 'arm64', kernelRelease: '6.12.0' },
    guestRecording: {},
    drawing: `
      ${ARM_CYCLES}
      +100 v0 enter
      800us v0 exit IRQ
      ${repeat(
        6,
        (turn) => `
      ${turn + 1}000us v0 enter
      ${turn + 1}400us v0 exit WFx
      +100 v0 count e1 ${800_000 * (turn + 1)}
      +100 v0 out S
      ${turn < 5 ? `${turn + 1}700us v0 report cycles 800000 1000000 interval` : '+1us v0 report cycles 4800000 6000000'}
      ${turn + 1}990us v0 in`,
      )}
      7000us v0 enter
    `,
    expected: [{ code: 'clock-mismatch', grade: 'proven', amount: null }],
    decisive: null,
    decisiveGuest: { clock: RELATIVE_CLOCK },
    missing: ['two-clocks'],
  },
  {
    id: 'N01',
    title: 'from 5.17 on KVM counts what it emulates: no host event does',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0xc0 modes=G
      2us  v0 enter
      3us  v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x4300c0
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 create - e1 config=0xc0 period=0x1000000000000
      +100 v0 enter
      +300 v0 exit CPUID
      +100 v0 pause e1 5000
      +100 v0 hread H1 5000
      +100 v0 enter
      ${repeat(
        10,
        () => `
      +20us v0 exit CPUID # why
      +100 v0 pause e1 9000
      +1us v0 enter`,
      )}
      +50us v0 exit MSR_READ
      +100 v0 count e1 5000
      +100 v0 rdmsr 0xc1=100011
      +100 v0 hread H1 100000
      +100 v0 enter
    `,
    counter: 0,
    difference: 11n,
    unexplained: 0n,
    expected: [{ code: 'emulated-counted', grade: 'proven', amount: 11n }],
    excluded: ['edge-window'],
    decisive: /# why/,
    instead: (line) => line.replace('CPUID', ''),
    missing: ['entries'],
  },
  {
    id: 'N02',
    title: 'a difference that nothing recorded explains',
    recording: { arch: 'x86', kernelRelease: '6.12.0' },
    drawing: `
      0    v0 refresh
      1us  v0 host H1 config=0x3c modes=G
      2us  v0 enter
      3us  v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x0
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x186=0x43003c
      +100 v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 create - e1 config=0x3c period=0x1000000000000
      +100 v0 enter
      +10us v0 exit MSR_READ
      +100 v0 hread e1 20000 10000 10000 1
      +100 v0 rdmsr 0xc1=20000
      +100 v0 hread H1 20000
      +100 v0 enter
      +500us v0 exit MSR_READ
      +100 v0 hread e1 920000 510000 510000 1
      +100 v0 rdmsr 0xc1=920000
      +100 v0 hread H1 1020000 # host
      +100 v0 enter
    `,
    counter: 0,
    difference: -100_000n,
    unexplained: -100_000n,
    expected: [],
    decisive: /# host/,
    missing: [],
    nothingToName: 'a remainder rests on no record of its own',
  },
];
