import type { VcpuReplay } from '../../replay/vcpu-replay.ts';
import { happened } from './guest-window.ts';
import type { Moment, Notes, NoteWindow, NoteWindows } from './note-window.ts';

/** When the guest was interrupted and entered, and interrupts it did not get or got twice. */
export class InterruptNotes {
  /** Level of the PMU's interrupt line as recorded. */
  line = 0;
  private readonly moment: Moment;
  private readonly replay: VcpuReplay;
  private readonly storms = new Map<number, number>();
  private lastInterrupt = 0;
  private lastLvtpc = 0;
  private lastEntry = 0;
  private acceptedSinceEntry = 0;

  constructor(moment: Moment, replay: VcpuReplay) {
    this.moment = moment;
    this.replay = replay;
  }

  interrupted(open: NoteWindows): void {
    const { seq } = this.moment;
    this.lastInterrupt = seq;
    this.acceptedSinceEntry++;
    if (this.acceptedSinceEntry === 1) return;
    for (const { notes } of open.all) happened(notes.interruptTwice, seq);
  }

  lvtpcWritten(): void {
    this.lastLvtpc = this.moment.seq;
  }

  /** Right before the entry counts; `missing`: the rules give an interrupt now and none is recorded. */
  enters(open: NoteWindows, missing: boolean): void {
    const { seq } = this.moment;
    this.acceptedSinceEntry = 0;
    this.lastEntry = seq;
    if (!missing) return;
    for (const window of open.all) {
      const { interruptEnable, overflowStatus } = this.replay.counterSwitches(window.counter);
      if (interruptEnable !== true || overflowStatus !== true) continue;
      happened(window.notes.interruptMissing, seq);
      window.used = true;
    }
  }

  /** Completes the notes of a window that ends; `wrapped` is false where the counter surely did not pass its end. */
  closing({ counter, interrupted, notes }: NoteWindow, wrapped: boolean): void {
    this.told(notes);
    const stormy = interrupted > 0 && notes.wraps === 0 && !wrapped;
    const length = stormy ? (this.storms.get(counter) ?? 0) + 1 : 0;
    this.storms.set(counter, length);
    notes.stormLength = length;
  }

  private told(notes: Notes): void {
    notes.lastInterrupt = this.lastInterrupt;
    notes.lastLvtpc = this.lastLvtpc;
    notes.lastEntry = this.lastEntry;
  }
}
