import { x86RuleSet } from '../../../src/arch/rule-sets.ts';
import type { X86RuleSet } from '../../../src/arch/x86-rules.ts';
import type { BackingAttr, PausablePerf } from '../../../src/emulator/host-perf.ts';
import type { X86Config } from '../../../src/emulator/x86/x86-config.ts';
import type { PlainPerf } from './reference-perf.ts';
import type { Kernel, Setup } from './reference-setup.ts';

/** The plain fake perf behind the interface the emulator asks. */
export class EnginePerf implements PausablePerf {
  readonly plain: PlainPerf;
  readonly #printsType: boolean;

  /** `printsType`: the kernel asks for PERF_TYPE_HARDWARE where it can, so the type is part of the call. */
  constructor(plain: PlainPerf, printsType: boolean) {
    this.plain = plain;
    this.#printsType = printsType;
  }

  create(counter: number, attr: Readonly<BackingAttr>): boolean {
    if (!attr.periodKnown || !attr.excludeKnown || attr.disabled) {
      throw new Error(`counter ${counter}: an exact state asks for an inexact event`);
    }
    return this.plain.create(counter, {
      ...(this.#printsType ? { type: attr.type === 'hardware' ? 'hardware' : 'raw' } : {}),
      config: BigInt(attr.config),
      period: attr.samplePeriod,
      excludeUser: attr.excludeUser,
      excludeKernel: attr.excludeKernel,
      ...(this.#printsType ? {} : { precise: attr.precise ?? 0 }),
    });
  }

  enable(counter: number): void {
    this.plain.enable(counter);
  }

  disable(counter: number): void {
    throw new Error(`counter ${counter}: KVM on x86 pauses, it never disables`);
  }

  pause(counter: number): void {
    this.plain.pause(counter);
  }

  setPeriod(counter: number, period: bigint): boolean {
    return this.plain.setPeriod(counter, period);
  }

  release(counter: number): void {
    this.plain.release(counter);
  }

  countLow(counter: number): bigint {
    return this.plain.count(counter);
  }

  countSpan(): bigint {
    return 0n;
  }

  rebase(): void {
    throw new Error('exact counts are never rebased');
  }

  doubt(): void {
    throw new Error('an exact state is never in doubt');
  }
}

const KERNELS: Readonly<Record<Kernel, string>> = {
  '4.14': 'x86-kvm-4.14',
  '2019': 'x86-reuse-2019',
  '6.1': 'x86-kvm-6.1',
  '6.12': 'x86-kvm-6.12',
  'topdown-2023': 'x86-topdown-2023',
  'mediated-2024': 'x86-mediated-2024',
  'mediated-7.0': 'x86-mediated-7.0',
};

/** The rule set a reference's kernel stands for. */
export function rulesOf(setup: Setup): X86RuleSet {
  const name = KERNELS[setup.kernel];
  const rules = x86RuleSet(name);
  if (rules === undefined) throw new Error(`no rule set ${name}`);
  return rules;
}

/** The guest in the emulator's terms. */
export function configOf(setup: Setup): X86Config {
  return {
    vendor: setup.vendor,
    version: setup.version,
    gpCounters: setup.gp,
    fixedCounters: setup.fixed,
    gpWidth: setup.gpWidth,
    fixedWidth: setup.fixedWidth,
    eventsNotAvailable: setup.ebx,
    eventMaskLength: setup.vectorLength,
    perfCapabilities: Number(setup.perfCapabilities),
    perfctrCore: setup.core,
    inKernelApic: setup.lapic,
    apicEnabled: setup.apicEnabled,
    pmuEnabled: setup.version > 0,
    hostHasTsx: setup.hostTsx,
    leaf7Ebx: setup.leaf7Ebx ?? 0,
    hasDs: false,
    hostGpCounters: setup.hostGp,
    hostFixedCounters: setup.hostFixed,
    hostGpWidth: 48,
    hostFixedWidth: 48,
    ignoreMsrs: false,
  };
}
