import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { Observation } from '../../replay/observation.ts';
import type { CounterValue, VcpuReplay } from '../../replay/vcpu-replay.ts';
import { AccessNotes } from './access-notes.ts';
import { BackingNotes, pointerBehind } from './backing-notes.ts';
import { ExitTrait, exitTraits } from './exit-traits.ts';
import { valueAmount } from './growth.ts';
import { happened } from './guest-window.ts';
import { InterruptNotes } from './interrupt-notes.ts';
import type { Moment, NoteWindow, NoteWindows } from './note-window.ts';
import { RestoreNotes } from './restore-notes.ts';
import type { Opening } from './window-records.ts';

const CYCLE_COUNTER = 31;
const CHAIN = 0x1e;

/** What a vCPU's records said last, for the windows that are open and those to come. */
export class RecordKeeper {
  /** The present event and the last exit. */
  readonly moment: Moment = { seq: 0, exitSeq: 0 };
  readonly accesses: AccessNotes;
  readonly backings: BackingNotes;
  readonly interrupts: InterruptNotes;
  readonly restores = new RestoreNotes(this.moment);
  private readonly replay: VcpuReplay;
  private readonly openings = new Map<number, Opening>();
  /** KVM emulates the instruction of the last exit. */
  private emulates = false;

  constructor(replay: VcpuReplay, attr: (id: number) => PerfEventAttr | undefined) {
    this.replay = replay;
    this.accesses = new AccessNotes(this.moment, replay);
    this.backings = new BackingNotes(this.moment, replay, attr);
    this.interrupts = new InterruptNotes(this.moment, replay);
  }

  exits(code: number): void {
    this.emulates = (exitTraits(code) & ExitTrait.doneByKvm) !== 0;
    this.moment.exitSeq = this.moment.seq;
  }

  /** The instruction that exited faults: it is not emulated. */
  faults(): void {
    this.emulates = false;
  }

  /** KVM emulates an access to a device. */
  device(): void {
    this.emulates = true;
  }

  /** Right before the entry counts; `missing`: the rules give an interrupt now and none is recorded. */
  enters(open: NoteWindows, missing: boolean): void {
    this.backings.enters(open, this.accesses.selectors);
    if (this.emulates) {
      for (const window of open.all) {
        if (window.countable) happened(window.notes.emulatedOn, this.moment.exitSeq);
      }
    }
    this.emulates = false;
    this.interrupts.enters(open, missing);
  }

  interrupted(open: NoteWindows): void {
    this.accesses.interrupted();
    this.interrupts.interrupted(open);
    if (!this.restores.vmWasReset) return;
    for (const window of open.all) {
      happened(window.notes.leftover, this.moment.seq);
      window.used = true;
    }
  }

  /** A guest write that was done (`refused`: that faulted), before it is applied. */
  wrote(chunk: EventChunk, i: number, refused: boolean, open: NoteWindows): void {
    if ((chunk.flags[i]! & EventFlag.noValue) !== 0) return;
    if (refused) this.emulates = false;
    else this.restores.vmWasReset = false;
    this.accesses.wrote(chunk, i, refused, open);
  }

  /** A recorded outcome next to the prediction. */
  observed(observation: Observation, open: NoteWindows): void {
    const { verdict, counter, seq, low, span, recorded, code, space } = observation;
    if (counter < 0 || observation.recordedUndef || observation.predictedUndef) return;
    const window = open.of(counter);
    if (window === undefined) return;
    const { notes } = window;
    window.used = true;
    notes.reading(seq, recorded, space === RegisterSpace.rdpmc && code >>> 31 === 1);
    if (recorded > window.highest) notes.tooWide ??= { seq, code, space, value: recorded };
    if (verdict !== 'contradicted' || span === U64_MAX) return;
    notes.contradiction({ seq, predicted: { low, high: low + span }, recorded });
  }

  overflowed(window: NoteWindow, count: bigint): void {
    const { seq } = this.moment;
    // A counter that is wider than where it overflows does not wrap there.
    const { overflowBits } = this.replay.counterSwitches(window.counter);
    window.notes.overflowed(seq, count, window.width, overflowBits === window.width);
    if (this.restores.vmWasReset) happened(window.notes.leftover, seq);
  }

  /** The event applied next ends the window of `counter` and begins another. */
  begins(
    counter: number,
    by: Opening['by'],
    chunk: EventChunk,
    i: number,
    wasCounting: boolean,
  ): void {
    const { perf } = this.replay;
    const { seq } = this.moment;
    const span = perf.countSpan(counter);
    const low = perf.countLow(counter);
    const space = registerSpace(chunk.flags[i]!);
    this.openings.set(counter, {
      by,
      seq,
      write: { seq, code: chunk.code[i]!, space, value: chunk.value[i]! },
      wasCounting,
      before: valueAmount(this.replay.counterValue(counter)),
      live: span === U64_MAX ? null : { low, high: low + span },
    });
  }

  /** How the window that opens now began. */
  opening(counter: number): Opening {
    const known = this.openings.get(counter);
    this.openings.delete(counter);
    if (known !== undefined) return known;
    const { seq } = this.moment;
    const none = { wasCounting: false, before: null, live: null } as const;
    return { by: seq === 0 ? 'start' : 'control', seq, write: null, ...none };
  }

  /** Completes the notes of a window that ends; of one that is not handed out, only what the next one needs. */
  closing(window: NoteWindow, value: CounterValue): void {
    this.interrupts.closing(window, !notWrapped(window, value));
    if (!window.told) return;
    const { counter, notes } = window;
    const switches = this.replay.counterSwitches(counter);
    notes.interruptEnable = switches.interruptEnable;
    notes.overflowBits = switches.overflowBits;
    notes.chained = counter < CYCLE_COUNTER && this.isChained(counter);
    this.accesses.closing(counter, notes);
    this.backings.closing(counter, pointerBehind(this.replay, counter), notes);
    this.restores.closing(notes);
  }

  private isChained(counter: number): boolean {
    const odd = counter | 1;
    if (odd >= CYCLE_COUNTER || !this.replay.counters.includes(odd)) return false;
    return this.replay.counterGates(odd).event === CHAIN;
  }
}

/** The counter surely did not pass its end since the window began. */
function notWrapped(window: NoteWindow, { low, span, width }: CounterValue): boolean {
  const start = window.startValue;
  if (span === U64_MAX || start === null) return false;
  return low >= start.high && low + span < 1n << BigInt(width);
}
