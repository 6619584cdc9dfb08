import { countedBy, isEnabled, rawConfig, selectorIndex } from './selectors.ts';

interface OpenExit {
  /** What the host programmed for since the exit: what a selector counts, and raw configs of created events. */
  readonly before: Set<bigint>;
  /** What the guest's last selector write asks for. */
  written: bigint | undefined;
  seq: number;
}

/**
 * Tells kernels apart by when KVM reprograms: inside the WRMSR (before the access is recorded) up to 6.1, before the
 * next guest entry from 6.2 on.
 */
export class ReprogramTiming {
  private readonly open = new Map<number, OpenExit>();
  private readonly immediate = { count: 0, seq: 0 };
  private readonly deferred = { count: 0, seq: 0 };

  exit(vcpu: number): void {
    this.open.set(vcpu, { before: new Set(), written: undefined, seq: 0 });
  }

  enter(vcpu: number): void {
    this.open.delete(vcpu);
  }

  /** The guest wrote an MSR; the record is made after the write took effect. */
  wrote(vcpu: number, msr: number, value: bigint, seq: number): void {
    const exit = this.open.get(vcpu);
    if (exit === undefined || selectorIndex(msr) < 0 || !isEnabled(value)) return;
    exit.written = countedBy(value);
    exit.seq = seq;
    if (exit.before.has(exit.written) || exit.before.has(~rawConfig(value))) {
      count(this.immediate, seq);
      exit.written = undefined;
    }
  }

  /** The host wrote an MSR on the vCPU's thread. */
  hostWrote(vcpu: number, msr: number, value: bigint): void {
    if (selectorIndex(msr) < 0 || !isEnabled(value)) return;
    this.reached(vcpu, countedBy(value), (written) => written === countedBy(value));
  }

  /** An event was created on the vCPU's thread. */
  programmed(vcpu: number, config: bigint): void {
    this.reached(vcpu, ~config, (written) => rawConfig(written) === config);
  }

  private reached(vcpu: number, key: bigint, is: (written: bigint) => boolean): void {
    const exit = this.open.get(vcpu);
    if (exit === undefined) return;
    if (exit.written === undefined) exit.before.add(key);
    else if (is(exit.written)) {
      count(this.deferred, exit.seq);
      exit.written = undefined;
    }
  }

  /** Host events on the same thread can look alike now and then: the more frequent one counts. */
  evidence(): { ruleSet: string; seq: number; text: string }[] {
    const { immediate, deferred } = this;
    if (immediate.count === deferred.count) return [];
    return immediate.count > deferred.count
      ? [
          {
            ruleSet: 'x86-kvm-6.1',
            seq: immediate.seq,
            text: 'KVM reprograms inside the WRMSR',
          },
        ]
      : [
          {
            ruleSet: 'x86-kvm-6.12',
            seq: deferred.seq,
            text: 'KVM reprograms before the next guest entry',
          },
        ];
  }
}

function count(tally: { count: number; seq: number }, seq: number): void {
  tally.count++;
  if (tally.seq === 0) tally.seq = seq;
}
