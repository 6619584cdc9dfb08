import { isForeignPmuMsr } from '../../arch/x86-foreign-msrs.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import { X86_DEFAULTS, type X86Config } from '../../emulator/x86/x86-config.ts';
import { FilterSuspicion } from './filter-suspicion.ts';
import { ReprogramTiming } from './reprogram-timing.ts';
import { ExitClass, exitClass, exitVendor } from './x86-exits.ts';

/** What a scan of a log found out about its x86 VM before any replay; plain data, kept in the log. */
export interface X86Facts {
  readonly vendor: 'intel' | 'amd';
  /** What the recording tells of the vPMU's shape: what is not told is the default of a plain guest. */
  readonly shape: Partial<X86Config>;
  /** Seqs of accesses whose outcome is the only sign of the shape: their outcome cannot be predicted from it. */
  readonly soleWitnesses: readonly number[];
  /** Guest pages (address >> 12) whose code ran at CPL 0 (it executed RDMSR, WRMSR or HLT), for addresses of the lower half. */
  readonly kernelPages: readonly number[];
  /** Physical CPUs of the host that wrote performance counters: the highest number, plus 1. */
  readonly pcpus: number;
  /** Raw event selects the guest enabled and KVM never asked perf for: an event filter denies them. */
  readonly deniedEvents: readonly number[];
  /** Records that tell the kernel's rules apart, in favour of each rule set. */
  readonly ruleEvidence: readonly {
    readonly ruleSet: string;
    readonly seq: number;
    readonly text: string;
  }[];
}

/** The kinds the scan needs: the log can skip all others. */
export const X86_FACT_KINDS: ReadonlySet<EventKind> = new Set([
  EventKind.read,
  EventKind.write,
  EventKind.guestEnter,
  EventKind.guestExit,
  EventKind.eventCreate,
  EventKind.hostWrmsr,
  EventKind.cpuid,
]);

const KERNEL_PAGES_KEPT = 4096;
/** CPUID leaves that describe the PMU. */
const LEAF_PERFMON = 0xa;
const LEAF_EXTENDED = 0x8000_0001;
const LEAF_PERFMON_V2 = 0x8000_0022;
const EXTENDED_PERFCTR_CORE = 1n << 23n;
/** IN_TX and IN_TXCP of a selector, and a leaf 7 EBX with which KVM takes them (0x12f: what its test looks at). */
const IN_TX_BITS = 3n << 32n;
const TSX_LEAF = 0x12f | (1 << 4) | (1 << 11);

/** Outcomes of accesses to one group of registers. */
interface Outcomes {
  worked: number;
  faulted: number;
  /** Seq of the first that worked, when there was one only. */
  first: number;
  highest: number;
}

class Scan {
  vendor: 'intel' | 'amd' | undefined;
  private pcpus = 0;
  readonly kernelPages = new Set<number>();
  readonly filter = new FilterSuspicion();
  readonly timing = new ReprogramTiming();
  private readonly groups = new Map<Msr, Outcomes>();
  private readonly exits = new Map<number, { rip: bigint; class: ExitClass }>();
  private cpuid: Partial<X86Config> = {};
  /** KVM took a selector with IN_TX or IN_TXCP: host and guest have TSX (semantics B.3). */
  private inTx = false;
  /** Accesses of registers no guest has that worked all the same: ignore_msrs is set. */
  private readonly ignored: number[] = [];

  take(chunk: EventChunk, i: number, vcpu: number): void {
    const seq = chunk.seq[i]!;
    const flags = chunk.flags[i]!;
    const code = chunk.code[i]!;
    switch (chunk.kind[i]) {
      case EventKind.guestExit:
        this.vendor ??= exitVendor(code);
        this.exits.set(vcpu, { rip: chunk.value[i]!, class: exitClass(code) });
        if (exitClass(code) === ExitClass.halt) this.ranAtCpl0(vcpu);
        this.timing.exit(vcpu);
        break;
      case EventKind.guestEnter:
        this.filter.entered(vcpu);
        this.timing.enter(vcpu);
        break;
      case EventKind.read:
      case EventKind.write: {
        if ((flags & (EventFlag.entry | EventFlag.trap)) !== 0) break;
        if (registerSpace(flags) !== RegisterSpace.msr) break;
        const failed = (flags & EventFlag.failed) !== 0;
        if (!failed) this.ranAtCpl0(vcpu);
        this.outcome(code, failed, seq);
        if (chunk.kind[i] === EventKind.write && !failed) {
          const selector = msrKind(decodeMsr(code)) === Msr.selector;
          if (selector && (chunk.value[i]! & IN_TX_BITS) !== 0n) this.inTx = true;
          this.filter.wrote(vcpu, code, chunk.value[i]!);
          this.timing.wrote(vcpu, code, chunk.value[i]!, seq);
        }
        break;
      }
      case EventKind.eventCreate:
        if ((flags & EventFlag.entry) !== 0) break;
        this.filter.asked(chunk.aux0[i]!);
        this.timing.programmed(vcpu, chunk.aux0[i]!);
        break;
      case EventKind.hostWrmsr:
        if (chunk.pcpu[i]! >= this.pcpus) this.pcpus = chunk.pcpu[i]! + 1;
        this.filter.programmed(code, chunk.value[i]!);
        if (vcpu >= 0) this.timing.hostWrote(vcpu, code, chunk.value[i]!);
        break;
      case EventKind.cpuid:
        this.leaf(code, chunk, i);
        break;
    }
  }

  private ranAtCpl0(vcpu: number): void {
    const exit = this.exits.get(vcpu);
    if (exit === undefined || this.kernelPages.size >= KERNEL_PAGES_KEPT) return;
    if (exit.class !== ExitClass.msr && exit.class !== ExitClass.halt) return;
    if (exit.rip < 1n << 63n) this.kernelPages.add(Number(exit.rip >> 12n));
  }

  private outcome(code: number, failed: boolean, seq: number): void {
    if (!failed && isForeignPmuMsr(code, this.vendor ?? 'intel')) this.ignored.push(seq);
    const decoded = decodeMsr(code);
    if (decoded === 0) return;
    // The K7 registers are there with and without the core extension.
    if (code >= 0xc001_0000 && code <= 0xc001_0007) return;
    const kind = msrKind(decoded);
    let group = this.groups.get(kind);
    if (group === undefined) {
      group = { worked: 0, faulted: 0, first: seq, highest: -1 };
      this.groups.set(kind, group);
    }
    if (failed) group.faulted++;
    else {
      if (group.worked === 0) group.first = seq;
      group.worked++;
      group.highest = Math.max(group.highest, msrIndex(decoded));
    }
  }

  private leaf(leaf: number, chunk: EventChunk, i: number): void {
    const eax = Number(chunk.object[i]! & 0xffff_ffffn);
    const ebx = Number(chunk.value[i]! & 0xffff_ffffn);
    const edx = Number(chunk.aux1[i]! & 0xffff_ffffn);
    if (leaf === LEAF_EXTENDED) {
      const perfctrCore = (chunk.aux0[i]! & EXTENDED_PERFCTR_CORE) !== 0n;
      this.cpuid = { ...this.cpuid, perfctrCore };
    } else if (leaf === LEAF_PERFMON_V2) {
      const version = (eax & 1) === 1 ? 2 : 1;
      this.cpuid = { ...this.cpuid, version, ...(version === 2 ? { gpCounters: ebx & 15 } : {}) };
    } else if (leaf === LEAF_PERFMON && this.vendor === 'intel') {
      this.cpuid = {
        ...this.cpuid,
        version: eax & 0xff,
        gpCounters: (eax >>> 8) & 0xff,
        gpWidth: (eax >>> 16) & 0xff,
        eventMaskLength: eax >>> 24,
        eventsNotAvailable: ebx,
        fixedCounters: edx & 31,
        fixedWidth: (edx >>> 5) & 0xff,
      };
    }
  }

  facts(): X86Facts {
    const worked = (kind: Msr): number => this.groups.get(kind)?.worked ?? 0;
    const faulted = (kind: Msr): number => this.groups.get(kind)?.faulted ?? 0;
    const highest = (kind: Msr): number => this.groups.get(kind)?.highest ?? -1;
    const witnesses: number[] = [];
    const witness = (...kinds: readonly Msr[]): void => {
      const groups = kinds.flatMap((kind) => this.groups.get(kind) ?? []);
      const sum = groups.reduce((all, group) => all + group.worked + group.faulted, 0);
      if (sum === 1) witnesses.push(groups[0]!.first);
    };
    const vendor =
      this.vendor ??
      (worked(Msr.amdSelector) + worked(Msr.amdCounter) > 0 ? ('amd' as const) : 'intel');
    let seen: Partial<X86Config> = {};
    if (vendor === 'amd') {
      const core = [Msr.amdSelector, Msr.amdCounter] as const;
      if (core.every((kind) => worked(kind) === 0) && core.some((kind) => faulted(kind) > 0)) {
        seen = { ...seen, perfctrCore: false };
        witness(...core);
      }
      if (worked(Msr.amdCtrl) + worked(Msr.amdStatus) > 0) {
        seen = { ...seen, version: 2 };
        witness(Msr.amdCtrl, Msr.amdStatus);
      }
    } else seen = this.intelShape(worked, faulted, highest, witness);
    if (this.ignored.length === 1) witnesses.push(this.ignored[0]!);
    const ignoreMsrs = this.ignored.length > 0 ? { ignoreMsrs: true } : {};
    const shape = { ...seen, ...this.cpuid, ...ignoreMsrs };
    return {
      vendor,
      shape,
      soleWitnesses: Object.keys(this.cpuid).length > 0 ? [] : witnesses,
      kernelPages: [...this.kernelPages],
      pcpus: this.pcpus,
      deniedEvents: this.filter.denied(vendor),
      ruleEvidence: this.timing.evidence(),
    };
  }

  private intelShape(
    worked: (kind: Msr) => number,
    faulted: (kind: Msr) => number,
    highest: (kind: Msr) => number,
    witness: (...kinds: readonly Msr[]) => void,
  ): Partial<X86Config> {
    const gp = 1 + Math.max(highest(Msr.selector), highest(Msr.counter), highest(Msr.fullWidth));
    const control = [Msr.globalCtrl, Msr.fixedCtrl] as const;
    const version2 = control.some((kind) => worked(kind) > 0);
    const version1 = !version2 && control.some((kind) => faulted(kind) > 0);
    if (version2 || version1) witness(...control);
    const noFullWidth = faulted(Msr.fullWidth) > 0 && worked(Msr.fullWidth) === 0;
    if (noFullWidth) witness(Msr.fullWidth);
    const limited = faulted(Msr.selector) + faulted(Msr.counter) > 0 && gp > 0;
    return {
      ...(this.inTx ? { hostHasTsx: true, leaf7Ebx: TSX_LEAF } : {}),
      ...(version1 ? { version: 1 } : {}),
      ...(limited ? { gpCounters: gp } : {}),
      ...(noFullWidth ? { perfCapabilities: 0 } : {}),
      ...(faulted(Msr.fixedCounter) > 0 ? { fixedCounters: 1 + highest(Msr.fixedCounter) } : {}),
    };
  }
}

/** Collects the VM's constants from the whole recording. `vcpuOf(tid)` names the vCPU of a thread. */
export function scanX86Facts(
  chunks: Iterable<EventChunk>,
  vcpuOf: (tid: number) => number,
): X86Facts {
  const scan = new Scan();
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const slot = chunk.vcpu[i]!;
      scan.take(chunk, i, slot < 0 ? vcpuOf(chunk.tid[i]!) : slot);
    }
  }
  return scan.facts();
}

/** The configuration of the VM's vCPUs: defaults of a plain guest with what the recording told. */
export function x86Config(facts: X86Facts): X86Config {
  const shape = { ...X86_DEFAULTS[facts.vendor], ...facts.shape };
  const { gpCounters, gpWidth, fixedCounters, fixedWidth } = shape;
  return {
    ...shape,
    // The host has at least what the guest was given.
    hostGpCounters: Math.max(shape.hostGpCounters, gpCounters),
    hostFixedCounters: Math.max(shape.hostFixedCounters, fixedCounters),
    hostGpWidth: Math.max(shape.hostGpWidth, gpWidth),
    hostFixedWidth: Math.max(shape.hostFixedWidth, fixedWidth),
    ...(facts.deniedEvents.length === 0
      ? {}
      : {
          filter: {
            action: 'deny',
            events: facts.deniedEvents.map(BigInt),
            fixedBitmap: 0,
            masked: false,
          },
        }),
  };
}
