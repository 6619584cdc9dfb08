import { LastExit } from './last-exit.ts';
import { X86Accesses, type X86AccessOptions } from './x86-accesses.ts';

/** What never changes while the exits of one vCPU are looked at. */
export interface X86InstructionOptions extends X86AccessOptions {
  /** Guest pages whose code runs at CPL 0. */
  readonly kernelPages: ReadonlySet<number>;
  /** This log records each instruction that KVM counts because it emulated it. */
  readonly emulationRecorded: boolean;
}

/** An x86 vCPU as far as the instructions go that KVM emulates for its guest, and counts (semantics B.8). */
export abstract class X86Instructions extends X86Accesses {
  protected readonly last: LastExit;
  protected readonly emulationRecorded: boolean;

  constructor(options: X86InstructionOptions) {
    super(options);
    this.last = new LastExit(options.kernelPages);
    this.emulationRecorded = options.emulationRecorded;
  }

  /** KVM injects an exception: the instruction that exited is not emulated. */
  exceptionInjected(): void {
    this.last.faulted = true;
  }

  /** KVM emulates an access to a device: an instruction that page-faulted is emulated. */
  deviceAccessed(): void {
    this.last.deviceAccess = true;
  }

  /** A probe saw KVM count an emulated instruction. Where that reprograms, its perf calls are recorded after this. */
  instructionEmulated(): void {
    if (this.pmu.rules.softCount !== 'apart') this.last.emulated++;
    else this.tellEmulated();
  }

  /** The instruction that exited is done: KVM counts it if it emulated it (semantics B.8). */
  protected finishInstruction(): void {
    const { last } = this;
    if (this.emulationRecorded) {
      for (; last.emulated > 0; last.emulated--) this.tellEmulated();
      return;
    }
    // The exit was before the recording, or lost.
    const counted = last.seen ? last.counted : this.begun ? 0 : -1;
    if (counted === 1) this.tellEmulated();
    else if (counted === -1) this.maybeEmulated(1n);
  }

  private tellEmulated(): void {
    this.witness?.emulated(this.last.cpl);
    this.pmu.emulated('instruction', this.last.cpl);
  }

  protected maybeEmulated(times: bigint): void {
    this.witness?.emulatedPossible(times);
    this.pmu.emulatedPossible(times);
  }

  /** The guest's LAPIC accepted an interrupt (delivery mode 4: an NMI). */
  interruptAccepted(vector: number, mode: number): void {
    this.last.interruptAccepted(vector, mode);
  }
}
