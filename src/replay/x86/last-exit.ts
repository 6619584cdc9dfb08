import type { Pmi } from '../../emulator/x86/x86-pmu.ts';
import type { FieldVisitor } from '../fields.ts';
import type { ReplayTallies } from '../observation.ts';
import { ExitClass, exitClass } from './x86-exits.ts';

/** CPL of code nobody knows. */
export const CPL_UNKNOWN = -1;

/** What has happened to a vCPU since it last left its guest. */
export class LastExit {
  /** CPL of the code that exited: 0, 3 or CPL_UNKNOWN. */
  cpl = CPL_UNKNOWN;
  /** False: it was before the recording, or lost. */
  seen = false;
  /** Instructions whose emulation was recorded and that the emulator has not been told of. */
  emulated = 0;
  /** It was an RDPMC whose access is not recorded yet. */
  rdpmcOpen = false;
  /** KVM injects an exception: the instruction that exited is not emulated. */
  faulted = false;
  /** KVM emulates an access to a device: an instruction that page-faulted is emulated. */
  deviceAccess = false;
  private exitClass: ExitClass = ExitClass.other;
  private nmiAccepted = false;
  private vectorAccepted = -1;
  private readonly kernelPages: ReadonlySet<number>;

  /** `kernelPages`: guest pages (address >> 12) whose code runs at CPL 0. */
  constructor(kernelPages: ReadonlySet<number>) {
    this.kernelPages = kernelPages;
  }

  /** The vCPU left its guest. `ripLow`, `ripHigh`: halves of the guest's instruction pointer. */
  exit(code: number, ripLow: number, ripHigh: number): void {
    this.exitClass = exitClass(code);
    this.seen = true;
    this.faulted = false;
    this.deviceAccess = false;
    this.emulated = 0;
    this.rdpmcOpen = this.exitClass === ExitClass.rdpmc;
    this.cpl = this.cplOf(ripLow, ripHigh);
  }

  /** The vCPU enters its guest again. */
  enter(): void {
    this.seen = false;
    this.nmiAccepted = false;
    this.vectorAccepted = -1;
  }

  /** Records were lost. */
  forget(): void {
    this.seen = false;
    this.rdpmcOpen = false;
    this.emulated = 0;
  }

  /** RDMSR, WRMSR and HLT run at CPL 0 only; so does the upper half of the address space, and a page where one of them ran. */
  private cplOf(ripLow: number, ripHigh: number): number {
    if (this.exitClass === ExitClass.msr || this.exitClass === ExitClass.halt) return 0;
    if (ripHigh >= 2 ** 31) return 0;
    const page = ripHigh * 2 ** 20 + (ripLow >>> 12);
    return this.kernelPages.has(page) ? 0 : CPL_UNKNOWN;
  }

  get class(): ExitClass {
    return this.seen ? this.exitClass : ExitClass.other;
  }

  /** Instructions that KVM emulated or skipped and counts because of it (semantics B.8); -1: none or one. */
  get counted(): 0 | 1 | -1 {
    if (this.faulted) return 0;
    if (this.deviceAccess) return 1;
    switch (this.exitClass) {
      case ExitClass.other:
      case ExitClass.nmi:
        return 0;
      case ExitClass.perhaps:
        return -1;
      default:
        return 1;
    }
  }

  /** The guest's LAPIC accepted an interrupt (delivery mode 4: an NMI). */
  interruptAccepted(vector: number, mode: number): void {
    if (mode === 4) this.nmiAccepted = true;
    else this.vectorAccepted = vector;
  }

  /** NMIs and vectors have other causes too: only a PMI that is missing contradicts. */
  comparePmi(predicted: Pmi, tallies: ReplayTallies): void {
    if (predicted === 'none') return;
    if (predicted === 'unknown') {
      if (this.nmiAccepted) tallies.irqUnknown++;
      return;
    }
    const seen = predicted === 'nmi' ? this.nmiAccepted : this.vectorAccepted === predicted;
    if (seen) tallies.irqConfirmed++;
    else tallies.irqContradicted++;
  }

  fields(visitor: FieldVisitor): void {
    this.exitClass = visitor.number(this.exitClass) as ExitClass;
    this.cpl = visitor.number(this.cpl);
    this.emulated = visitor.number(this.emulated);
    this.vectorAccepted = visitor.number(this.vectorAccepted);
    this.seen = visitor.flag(this.seen);
    this.faulted = visitor.flag(this.faulted);
    this.deviceAccess = visitor.flag(this.deviceAccess);
    this.rdpmcOpen = visitor.flag(this.rdpmcOpen);
    this.nmiAccepted = visitor.flag(this.nmiAccepted);
  }
}
