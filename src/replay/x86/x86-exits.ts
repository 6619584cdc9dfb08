import { ExitSpace } from '../../arch/tracepoints.ts';

/** What an exit is to the vPMU. */
export const ExitClass = {
  /** Nothing the guest executed is emulated because of it: interrupts, page faults without device access. */
  other: 0,
  /** KVM emulates or skips the instruction and counts it, unless it faults (semantics B.8). */
  emulates: 1,
  /** RDMSR or WRMSR: privileged, counted like `emulates`. */
  msr: 2,
  rdpmc: 3,
  /** An NMI, most often the host's PMU interrupt. */
  nmi: 4,
  /** HLT: privileged, counted. */
  halt: 5,
} as const;
export type ExitClass = (typeof ExitClass)[keyof typeof ExitClass];

const VMX: ReadonlyMap<number, ExitClass> = new Map([
  [0, ExitClass.nmi], // EXCEPTION_NMI
  [10, ExitClass.emulates], // CPUID
  [12, ExitClass.halt],
  [13, ExitClass.emulates], // INVD
  [14, ExitClass.emulates], // INVLPG
  [15, ExitClass.rdpmc],
  [16, ExitClass.emulates], // RDTSC
  [18, ExitClass.emulates], // VMCALL
  [28, ExitClass.emulates], // CR_ACCESS
  [29, ExitClass.emulates], // DR_ACCESS
  [30, ExitClass.emulates], // IO_INSTRUCTION
  [31, ExitClass.msr],
  [32, ExitClass.msr],
  [36, ExitClass.emulates], // MWAIT
  [39, ExitClass.emulates], // MONITOR
  [40, ExitClass.emulates], // PAUSE
  [51, ExitClass.emulates], // RDTSCP
  [54, ExitClass.emulates], // WBINVD
  [55, ExitClass.emulates], // XSETBV
]);

const SVM: ReadonlyMap<number, ExitClass> = new Map([
  ...Array.from({ length: 0x40 }, (_, i): [number, ExitClass] => [i, ExitClass.emulates]), // CR and DR
  [0x61, ExitClass.nmi],
  [0x65, ExitClass.emulates], // CR0 selective write
  [0x6e, ExitClass.emulates], // RDTSC
  [0x6f, ExitClass.rdpmc],
  [0x72, ExitClass.emulates], // CPUID
  [0x76, ExitClass.emulates], // INVD
  [0x77, ExitClass.emulates], // PAUSE
  [0x78, ExitClass.halt],
  [0x79, ExitClass.emulates], // INVLPG
  [0x7b, ExitClass.emulates], // IOIO
  [0x7c, ExitClass.msr],
  [0x81, ExitClass.emulates], // VMMCALL
  [0x87, ExitClass.emulates], // RDTSCP
  [0x89, ExitClass.emulates], // WBINVD
  [0x8a, ExitClass.emulates], // MONITOR
  [0x8b, ExitClass.emulates], // MWAIT
  [0x8d, ExitClass.emulates], // XSETBV
]);

/** The classes by reason; reasons above are `other`. */
function tableOf(classes: ReadonlyMap<number, ExitClass>): Uint8Array {
  const table = new Uint8Array(256).fill(ExitClass.other);
  for (const [reason, exit] of classes) table[reason] = exit;
  return table;
}
const VMX_TABLE = tableOf(VMX);
const SVM_TABLE = tableOf(SVM);

/** Class of a guest-exit by its code (exit space and reason). */
export function exitClass(code: number): ExitClass {
  const reason = code & 0xffffff;
  switch (code >>> 24) {
    case ExitSpace.vmx:
      return (VMX_TABLE[reason & 0xffff] ?? ExitClass.other) as ExitClass;
    case ExitSpace.svm:
      return (SVM_TABLE[reason] ?? ExitClass.other) as ExitClass;
    default:
      return ExitClass.other;
  }
}

/** The vendor whose virtualisation an exit is of; undefined where it does not say. */
export function exitVendor(code: number): 'intel' | 'amd' | undefined {
  const space = code >>> 24;
  return space === ExitSpace.vmx ? 'intel' : space === ExitSpace.svm ? 'amd' : undefined;
}
