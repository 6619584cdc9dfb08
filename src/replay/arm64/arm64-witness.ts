import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';

/**
 * Told what the guest, KVM and the VMM do to one arm64 vCPU's vPMU, as the replay understood the records: before the
 * replayed model takes the step, so that counts and states are those the step meets.
 */
export interface Arm64Witness {
  /** A guest write that was done. */
  write(code: number, space: RegisterSpace, value: bigint): void;
  /** The same of a value that was not recorded. */
  writeUnknown(code: number, space: RegisterSpace): void;
  /** A guest write that KVM refused. */
  refusedWrite(code: number, space: RegisterSpace, value: bigint): void;
  /** A guest read; `value` undefined: refused, or not recorded. */
  read(code: number, space: RegisterSpace, refused: boolean, value: bigint | undefined): void;
  enter(): void;
  exit(): void;
  /** What the first run does (rules `reloadAtFirstRun`, `trimAtFirstRun`). */
  firstRun(): void;
  /** KVM resets the vPMU; `firstRunComes`: the first guest entry after it is to do what the first run does. */
  reset(firstRunComes: boolean): void;
  /** The VMM set a register; `value` undefined: it was not recorded. */
  userspaceSet(code: number, space: RegisterSpace, value: bigint | undefined): void;
  /** What the VMM set made KVM create this event of a counter. Told after the recorded model took it. */
  userspaceMade(counter: number, attr: Readonly<BackingAttr>): void;
  /** Records were lost. */
  forget(): void;
  /** The overflow handler of the counter's backing event ran. */
  overflow(counter: number): void;
}
