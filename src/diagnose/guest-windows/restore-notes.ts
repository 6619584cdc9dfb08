import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import { resetMark } from './marks.ts';
import type { Moment, Notes } from './note-window.ts';
import type { Written } from './window-records.ts';

const PMCR_RESETS = 0x6n;

/** What the VMM did to the vCPU: state it restored, a move, a reset of the VM. */
export class RestoreNotes {
  /** The VM was reset and the guest has written no PMU register since. */
  vmWasReset = false;
  private readonly moment: Moment;
  private vmResetAt = 0;
  private restoredPmcr: Written | null = null;
  private restoredAt = 0;
  private switchedAfterRestore = 0;

  constructor(moment: Moment) {
    this.moment = moment;
  }

  /** The VMM sets a register, before it is applied. */
  vmmSet(chunk: EventChunk, i: number): void {
    const { seq } = this.moment;
    this.restored(seq);
    const code = chunk.code[i]!;
    const space = registerSpace(chunk.flags[i]!);
    const value = chunk.value[i]!;
    if (space === RegisterSpace.msr) return;
    const register = registerByCode(code, space)?.row.register;
    if (register === PmuRegister.pmcr && (value & PMCR_RESETS) !== 0n) {
      this.restoredPmcr = { seq, code, space, value };
    }
  }

  /** The vCPU has another state from here on: it was set, or the VM moved. */
  restored(seq: number): void {
    this.restoredAt = seq;
    this.switchedAfterRestore = 0;
  }

  switchedOut(seq: number): void {
    if (this.restoredAt > 0 && this.switchedAfterRestore === 0) this.switchedAfterRestore = seq;
  }

  marked(text: string, seq: number): void {
    if (!resetMark(text)) return;
    this.vmWasReset = true;
    this.vmResetAt = seq;
  }

  /** Completes the notes of a window that ends. */
  closing(notes: Notes): void {
    notes.restoredPmcr = this.restoredPmcr;
    notes.vmReset = this.vmResetAt;
    notes.restoredAt = this.restoredAt;
    notes.switchedAfterRestore = this.switchedAfterRestore;
  }
}
