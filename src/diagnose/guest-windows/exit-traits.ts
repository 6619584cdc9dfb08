import { ExitSpace } from '../../arch/tracepoints.ts';
import { ExitClass, exitClass } from '../../replay/x86/x86-exits.ts';

/** What an exit is to the sums of a vCPU, as bits. */
export const ExitTrait = {
  /** The guest halts (HLT, WFI, WFE). */
  halt: 1,
  /** KVM emulates or skips the instruction (x86). */
  emulated: 2,
  /** An MSR or RDPMC (x86). */
  access: 4,
  /** The guest enters its own guest. */
  nested: 8,
  /** Unless it faults, the instruction is done by KVM, not by the CPU (x86). */
  doneByKvm: 16,
} as const;

/** Exception class of WFI and WFE (arm64 ESR_EL2.EC). */
const EC_WFX = 0x01;

/** VMRUN (SVM), VMLAUNCH and VMRESUME (VMX). */
const NESTED_ENTRIES: ReadonlySet<number> = new Set([
  ((ExitSpace.svm << 24) | 0x80) >>> 0,
  ((ExitSpace.vmx << 24) | 20) >>> 0,
  ((ExitSpace.vmx << 24) | 24) >>> 0,
]);

const BY_CLASS: Readonly<Record<ExitClass, number>> = {
  [ExitClass.other]: 0,
  [ExitClass.nmi]: 0,
  [ExitClass.perhaps]: 0,
  [ExitClass.emulates]: ExitTrait.emulated | ExitTrait.doneByKvm,
  [ExitClass.msr]: ExitTrait.emulated | ExitTrait.doneByKvm | ExitTrait.access,
  [ExitClass.rdpmc]: ExitTrait.emulated | ExitTrait.doneByKvm | ExitTrait.access,
  [ExitClass.halt]: ExitTrait.emulated | ExitTrait.doneByKvm | ExitTrait.halt,
};

function found(code: number): number {
  if (code >>> 24 === ExitSpace.arm64) return (code & 0xff) === EC_WFX ? ExitTrait.halt : 0;
  return BY_CLASS[exitClass(code)] | (NESTED_ENTRIES.has(code >>> 0) ? ExitTrait.nested : 0);
}

const known = new Map<number, number>();
let lastCode = -1;
let lastTraits = 0;

/** The traits of an exit by its code; a recording has few codes. */
export function exitTraits(code: number): number {
  if (code === lastCode) return lastTraits;
  let traits = known.get(code);
  if (traits === undefined) {
    traits = found(code);
    known.set(code, traits);
  }
  lastCode = code;
  lastTraits = traits;
  return traits;
}
