import type { RegisterSpace } from '../../domain/event-kind.ts';

/**
 * Told what the guest, KVM and the VMM do to one x86 vCPU's vPMU, as the replay understood the records: before the
 * replayed model takes the step, so that counts and states are those the step meets.
 */
export interface X86Witness {
  /** A WRMSR that was done. */
  write(msr: number, value: bigint): void;
  /** The same of a value that was not recorded. */
  writeUnknown(msr: number): void;
  /** A WRMSR that faulted; `value` undefined: it was not recorded. */
  refusedWrite(msr: number, value: bigint | undefined): void;
  /** RDMSR or RDPMC; `value` undefined: it faulted, or the value was not recorded. */
  read(code: number, space: RegisterSpace, refused: boolean, value: bigint | undefined): void;
  /** Before the VM entry: what is pending is done. */
  enter(): void;
  /** KVM emulated an instruction at this CPL (−1: not known). */
  emulated(cpl: number): void;
  /** It may have emulated up to so many. */
  emulatedPossible(times: bigint): void;
  /** The thread was scheduled out and in. */
  scheduled(): void;
  /** The VMM wrote an MSR. */
  hostWrite(msr: number, value: bigint): void;
  /** The vPMU was just made; or given its shape again. */
  made(): void;
  refreshed(): void;
  reset(): void;
  setLvtpc(value: number): void;
  forget(): void;
  /** The overflow callback of the counter's event ran; or may have. */
  overflow(counter: number): void;
  overflowPossible(counter: number): void;
}
