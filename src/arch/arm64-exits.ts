/** ESR_ELx.EC: why the guest was left (Arm ARM D19, ESR_EL2; the spelling is the one kvm:kvm_exit prints). */
const EXCEPTION_CLASSES: ReadonlyMap<number, string> = new Map([
  [0x00, 'UNKNOWN'],
  [0x01, 'WFx'],
  [0x03, 'CP15_32'],
  [0x04, 'CP15_64'],
  [0x05, 'CP14_MR'],
  [0x06, 'CP14_LS'],
  [0x07, 'FP_ASIMD'],
  [0x08, 'CP10_ID'],
  [0x09, 'PAC'],
  [0x0c, 'CP14_64'],
  [0x0d, 'BTI'],
  [0x0e, 'ILL'],
  [0x11, 'SVC32'],
  [0x12, 'HVC32'],
  [0x13, 'SMC32'],
  [0x15, 'SVC64'],
  [0x16, 'HVC64'],
  [0x17, 'SMC64'],
  [0x18, 'SYS64'],
  [0x19, 'SVE'],
  [0x1a, 'ERET'],
  [0x1c, 'FPAC'],
  [0x1d, 'SME'],
  [0x1f, 'IMP_DEF'],
  [0x20, 'IABT_LOW'],
  [0x21, 'IABT_CUR'],
  [0x22, 'PC_ALIGN'],
  [0x24, 'DABT_LOW'],
  [0x25, 'DABT_CUR'],
  [0x26, 'SP_ALIGN'],
  [0x27, 'MOPS'],
  [0x28, 'FP_EXC32'],
  [0x2c, 'FP_EXC64'],
  [0x2d, 'GCS'],
  [0x2f, 'SERROR'],
  [0x30, 'BREAKPT_LOW'],
  [0x31, 'BREAKPT_CUR'],
  [0x32, 'SOFTSTP_LOW'],
  [0x33, 'SOFTSTP_CUR'],
  [0x34, 'WATCHPT_LOW'],
  [0x35, 'WATCHPT_CUR'],
  [0x38, 'BKPT32'],
  [0x3a, 'VECTOR32'],
  [0x3c, 'BRK64'],
]);

/** The `ret` field of kvm:kvm_exit: what ended the run in guest mode. */
const EXIT_TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'IRQ'],
  [1, 'SERROR'],
  [2, 'TRAP'],
  [3, 'IL'],
]);

/** Exception class of a system register trap: every guest access of a PMU register is one (semantics A.1). */
export const EC_SYS64 = 0x18;

/** `SYS64` for 0x18; `EC 0x3f` for a class without a name. */
export function exceptionClassName(ec: number): string {
  return EXCEPTION_CLASSES.get(ec) ?? `EC 0x${ec.toString(16)}`;
}

/** Number of an exception class by the name kvm:kvm_exit prints. */
export function exceptionClassByName(name: string): number | undefined {
  for (const [ec, text] of EXCEPTION_CLASSES) if (text === name) return ec;
  return undefined;
}

/** `IRQ`, `TRAP`, …: the `ret` field of kvm:kvm_exit. */
export function exitTypeName(ret: number): string {
  return EXIT_TYPES.get(ret) ?? `exit ${ret}`;
}
