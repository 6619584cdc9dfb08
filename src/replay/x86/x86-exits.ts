import { ExitSpace } from '../../arch/tracepoints.ts';
import { type ExitEffect, exitEffects } from '../../arch/x86-exit-effects.ts';

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
  /** The exit code does not tell whether KVM counts an instruction. */
  perhaps: 6,
} as const;
export type ExitClass = (typeof ExitClass)[keyof typeof ExitClass];

const CLASS_OF: Readonly<Record<ExitEffect, ExitClass>> = {
  none: ExitClass.other,
  counted: ExitClass.emulates,
  msr: ExitClass.msr,
  rdpmc: ExitClass.rdpmc,
  nmi: ExitClass.nmi,
  halt: ExitClass.halt,
  perhaps: ExitClass.perhaps,
};

/** Codes there are rows for, SVM_INVALID apart. */
const TABLE_SIZE = 0x440;

function tableOf(space: number): Uint8Array {
  const table = new Uint8Array(TABLE_SIZE).fill(ExitClass.perhaps);
  for (const { effect, codes } of exitEffects(space)) {
    for (const code of codes) if (code < TABLE_SIZE) table[code] = CLASS_OF[effect];
  }
  return table;
}
const VMX_TABLE = tableOf(ExitSpace.vmx);
const SVM_TABLE = tableOf(ExitSpace.svm);

/** SVM's "invalid guest state", cut to 24 bits: the guest did not run. */
const SVM_INVALID = 0xffffff;

/** Class of a guest-exit by its code (exit space and reason); of a reason nobody knows: `perhaps`. */
export function exitClass(code: number): ExitClass {
  const reason = code & 0xffffff;
  switch (code >>> 24) {
    case ExitSpace.vmx:
      return (VMX_TABLE[reason & 0xffff] ?? ExitClass.perhaps) as ExitClass;
    case ExitSpace.svm:
      if (reason === SVM_INVALID) return ExitClass.other;
      return (SVM_TABLE[reason] ?? ExitClass.perhaps) as ExitClass;
    default:
      return ExitClass.perhaps;
  }
}

/** The vendor whose virtualisation an exit is of; undefined where it does not say. */
export function exitVendor(code: number): 'intel' | 'amd' | undefined {
  const space = code >>> 24;
  return space === ExitSpace.vmx ? 'intel' : space === ExitSpace.svm ? 'amd' : undefined;
}
