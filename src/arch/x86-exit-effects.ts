import { ExitSpace } from './tracepoints/exit-code.ts';

/**
 * What an exit means for the instructions that KVM counts because it emulated or skipped them (semantics B.8): one
 * instruction of any kind, of a kind that matters otherwise too, none, or what the exit code does not tell. An injected
 * fault takes the count back.
 */
export type ExitEffect = 'counted' | 'msr' | 'rdpmc' | 'halt' | 'nmi' | 'none' | 'perhaps';

/** Exit codes of one space with the same effect, by the kernel's numbers. */
export interface ExitEffectRow {
  readonly effect: ExitEffect;
  readonly codes: readonly number[];
  readonly why: string;
  readonly source: string;
}

const VMX_C = 'Linux 6.12 arch/x86/kvm/vmx/vmx.c: exit handlers';
const SVM_C = 'Linux 6.12 arch/x86/kvm/svm/svm.c: exit handlers';
const X86_C = 'Linux 6.12 arch/x86/kvm/x86.c';

const between = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** VMX basic exit reasons. What is in no row is not handled by KVM: `perhaps`. */
export const VMX_EXIT_EFFECTS: readonly ExitEffectRow[] = [
  {
    effect: 'nmi',
    codes: [0],
    why: 'EXCEPTION_NMI: nearly always an NMI or an exception that is injected again; of an instruction emulated after #UD or #GP the exit code says nothing',
    source: `${VMX_C}; SDM volume 3, appendix C`,
  },
  {
    effect: 'counted',
    codes: [10, 13, 14, 18, 28, 29, 30, 36, 39, 40, 54, 55, 58],
    why: 'CPUID, INVD, INVLPG, VMCALL, CR_ACCESS, DR_ACCESS, IO_INSTRUCTION, MWAIT, MONITOR, PAUSE, WBINVD, XSETBV, INVPCID: skipped or emulated',
    source: `${VMX_C}; ${X86_C}: kvm_skip_emulated_instruction`,
  },
  {
    effect: 'counted',
    codes: [44, 46, 47, 49],
    why: 'APIC_ACCESS, GDTR_IDTR, LDTR_TR: the emulator runs the instruction, or its end of interrupt is skipped; EPT_MISCONFIG: the entry of a page that is a device, the write is skipped or emulated, also where no kvm_mmio tells',
    source: `${VMX_C}; ${X86_C}: x86_emulate_instruction`,
  },
  { effect: 'halt', codes: [12], why: 'HLT: skipped, privileged', source: VMX_C },
  { effect: 'rdpmc', codes: [15], why: 'RDPMC: skipped', source: VMX_C },
  {
    effect: 'msr',
    codes: [31, 32, 84, 85],
    why: 'RDMSR and WRMSR, also with the number in the instruction: skipped, privileged',
    source: `${VMX_C}; SDM volume 3, appendix C`,
  },
  {
    effect: 'none',
    codes: [1, 2, 3, 4, 5, 6, 7, 8, 33, 34, 37, 41, 43, 52, 62, 75],
    why: 'interrupts, INIT, SIPI, SMI, windows, failed entries, monitor trap, machine check, TPR threshold, preemption timer, full log, notify: no instruction of the guest is the cause',
    source: VMX_C,
  },
  {
    effect: 'none',
    codes: [45, 56, 74],
    why: 'EOI_INDUCED, APIC_WRITE, BUS_LOCK: taken after the instruction, which the processor has counted',
    source:
      'SDM volume 3, chapter "APIC virtualization and virtual interrupts" and section on bus locks',
  },
  {
    effect: 'none',
    codes: [48],
    why: 'EPT_VIOLATION: the instruction runs again when the page is there; a device access shows in kvm_mmio',
    source: VMX_C,
  },
  {
    effect: 'none',
    codes: [9, 57, 60, 61],
    why: 'TASK_SWITCH: done without counting an instruction; RDRAND, RDSEED, ENCLS: exit only for guests without them, #UD is injected',
    source: `${VMX_C}; ${X86_C}: kvm_task_switch, kvm_handle_invalid_op`,
  },
  {
    effect: 'perhaps',
    codes: [...between(19, 27), 50, 53, 59],
    why: 'VMX instructions: counted where the guest may nest, #UD where not',
    source: VMX_C,
  },
  {
    effect: 'perhaps',
    codes: [11, 16, 17, 51, 63, 64, 67, 68],
    why: 'GETSEC, RDTSC, RSM, RDTSCP, XSAVES, XRSTORS, UMWAIT, TPAUSE: KVM asks for no such exit and has no handler; a kernel that does has its own',
    source: VMX_C,
  },
];

/** SVM exit codes. What is in no row is not handled by KVM: `perhaps`. */
export const SVM_EXIT_EFFECTS: readonly ExitEffectRow[] = [
  {
    effect: 'counted',
    codes: [...between(0x00, 0x3f), 0x65],
    why: 'CR and DR accesses: skipped or emulated',
    source: SVM_C,
  },
  {
    effect: 'counted',
    codes: [0x72, 0x73, 0x76, 0x77, 0x79, 0x7b, 0x81, 0x89, 0x8a, 0x8b, 0x8d, 0xa2],
    why: 'CPUID, RSM, INVD, PAUSE, INVLPG, IOIO, VMMCALL, WBINVD, MONITOR, MWAIT, XSETBV, INVPCID: skipped or emulated',
    source: `${SVM_C}; ${X86_C}: kvm_skip_emulated_instruction`,
  },
  {
    effect: 'counted',
    codes: [0x8f, ...between(0x90, 0x9f)],
    why: 'EFER and CR write traps (SEV-ES): completed like an emulated instruction',
    source: `${SVM_C}; ${X86_C}: kvm_complete_insn_gp`,
  },
  { effect: 'rdpmc', codes: [0x6f], why: 'RDPMC: skipped', source: SVM_C },
  { effect: 'msr', codes: [0x7c], why: 'RDMSR, WRMSR: skipped, privileged', source: SVM_C },
  {
    effect: 'halt',
    codes: [0x78, 0xa6],
    why: 'HLT, idle HLT: skipped, privileged',
    source: `${SVM_C}; Linux 6.15 svm.c`,
  },
  { effect: 'nmi', codes: [0x61], why: 'NMI', source: SVM_C },
  {
    effect: 'none',
    codes: [0x60, 0x62, 0x63, 0x64, 0x74, 0x7e, 0x7f, 0xa5, 0xffffff],
    why: 'interrupts, SMI, INIT, window, IRET (only watched for), FERR, shutdown, bus lock, failed entry: no instruction is emulated',
    source: SVM_C,
  },
  {
    effect: 'none',
    codes: [...between(0x40, 0x45), ...between(0x47, 0x4c), ...between(0x4f, 0x5f)],
    why: 'exceptions but #UD, #GP and #PF: injected again, or for the debugger',
    source: SVM_C,
  },
  {
    effect: 'perhaps',
    codes: [0x46, 0x4d, 0x4e],
    why: '#UD, #GP, #PF: the emulator runs some of these instructions (hypercalls of the other vendor, forced emulation, the VMware backdoor, page tables without NPT)',
    source: `${SVM_C}; ${X86_C}: handle_ud, x86_emulate_instruction`,
  },
  {
    effect: 'none',
    codes: [0x7d, 0x86, 0x87, 0x8e],
    why: 'TASK_SWITCH: skipped without counting; SKINIT, RDTSCP, RDPRU: exit only for guests without them, #UD is injected',
    source: `${SVM_C}: task_switch_interception, kvm_handle_invalid_op`,
  },
  {
    effect: 'none',
    codes: [0x400, 0x401],
    why: 'NPF: the instruction runs again when the page is there, a device access shows in kvm_mmio; AVIC_INCOMPLETE_IPI: taken after the write',
    source: `${SVM_C}; APM volume 2, section 15.29`,
  },
  {
    effect: 'perhaps',
    codes: [0x402, 0x403],
    why: 'AVIC_UNACCELERATED_ACCESS: emulated where it is a fault, not where it is a trap; VMGEXIT: as the request in the GHCB',
    source: `${SVM_C}; APM volume 2, section 15.29`,
  },
  {
    effect: 'perhaps',
    codes: [0x7a, 0x80, 0x82, 0x83, 0x84, 0x85],
    why: 'INVLPGA, VMRUN, VMLOAD, VMSAVE, STGI, CLGI: counted where the guest may nest, #UD where not',
    source: SVM_C,
  },
  {
    effect: 'perhaps',
    codes: [...between(0x66, 0x6e), 0x70, 0x71, 0x75, 0x88, 0x8c, 0xa3, 0xa4],
    why: 'IDTR, GDTR, LDTR and TR accesses, RDTSC, PUSHF, POPF, SWINT, ICEBP, conditional MWAIT, MCOMMIT, TLBSYNC: KVM asks for no such exit and has no handler; a kernel that does has its own',
    source: SVM_C,
  },
];

/** The rows of an exit space; none for one that has no table. */
export function exitEffects(space: number): readonly ExitEffectRow[] {
  if (space === ExitSpace.vmx) return VMX_EXIT_EFFECTS;
  return space === ExitSpace.svm ? SVM_EXIT_EFFECTS : [];
}
