import { chunkOf, type Event, type EventChunk } from '../../src/domain/event-chunk.ts';
import { EventFlag, EventKind, spaceFlags } from '../../src/domain/event-kind.ts';
import type { PerfEventAttr } from '../../src/domain/log-facts.ts';
import type { BackingAttr } from '../../src/emulator/host-perf.ts';
import { NOTHING_WITHHELD, type Withheld } from '../../src/replay/evidence.ts';
import type { ReplayConfig } from '../../src/replay/replayer.ts';
import type { Fact } from '../../src/replay/vm-facts.ts';
import { FakePerf } from '../emulator/fake-perf.ts';
import { codeOf, modelOf, type Step } from '../emulator/programs.ts';
import { Reference, type ReferenceSetup } from '../emulator/reference.ts';

const TID = 100;
const STATES = { active: 1, inactive: 0, off: -1, error: -2 } as const;
const EAGAIN = -11;

/** A fake perf that writes down what probes on the real one would record. */
class RecordingPerf extends FakePerf {
  private readonly record: (event: Partial<Event>) => void;
  private readonly attrs: PerfEventAttr[];
  private readonly pointers = new Map<number, bigint>();
  private nextPointer = 0x1000n;
  /** Reads are recorded; KVM's overflow handler looks at the count without one. */
  quiet = false;

  constructor(record: (event: Partial<Event>) => void, attrs: PerfEventAttr[]) {
    super();
    this.record = record;
    this.attrs = attrs;
  }

  pointerOf(counter: number): bigint {
    return this.pointers.get(counter) ?? 0n;
  }

  private stated(kind: EventKind, counter: number): void {
    const event = this.events.get(counter)!;
    this.record({
      kind,
      object: this.pointerOf(counter),
      value: event.count,
      code: STATES[event.state] >>> 0,
      flags: EventFlag.stateKnown,
    });
  }

  placement(counter: number): void {
    const event = this.events.get(counter)!;
    this.record({
      kind: EventKind.hwAdd,
      object: this.pointerOf(counter),
      aux0: BigInt(event.number),
      code: event.state === 'active' ? 0 : EAGAIN >>> 0,
      flags: event.state === 'active' ? 0 : EventFlag.failed,
    });
  }

  taken(counter: number): void {
    const event = this.events.get(counter)!;
    const object = this.pointerOf(counter);
    this.record({ kind: EventKind.hwDel, object, value: event.count });
    this.record({
      kind: EventKind.hwUpdate,
      object,
      value: event.count,
      aux0: BigInt(event.number),
    });
  }

  override create(counter: number, attr: Readonly<BackingAttr>): boolean {
    const made = super.create(counter, attr);
    const id = this.attrs.length;
    this.attrs.push({
      type: 8,
      config1: attr.wide ? 1n : 0n,
      attrFlags:
        (attr.disabled ? 1n : 0n) | (attr.excludeUser ? 16n : 0n) | (attr.excludeKernel ? 32n : 0n),
      cpu: -1,
      task: TID,
    });
    // Addresses come round again, as the kernel's allocator makes them.
    const pointer = made ? this.nextPointer : 0xffff_ffff_ffff_fffen;
    this.nextPointer = this.nextPointer >= 0x1080n ? 0x1000n : this.nextPointer + 16n;
    const taken = [...this.pointers.values(), pointer];
    while (taken.includes(this.nextPointer)) this.nextPointer += 16n;
    this.record({
      kind: EventKind.eventCreate,
      counter,
      object: pointer,
      value: attr.samplePeriod,
      aux0: BigInt(attr.config),
      code: id,
      flags: made ? 0 : EventFlag.failed,
    });
    if (!made) return false;
    this.pointers.set(counter, pointer);
    if (!attr.disabled) this.placement(counter);
    return true;
  }

  override enable(counter: number): void {
    this.stated(EventKind.eventEnable, counter);
    const was = this.events.get(counter)!.state;
    super.enable(counter);
    if (was !== 'active') this.placement(counter);
  }

  override disable(counter: number): void {
    this.stated(EventKind.eventDisable, counter);
    const active = this.events.get(counter)!.state === 'active';
    super.disable(counter);
    if (active) this.taken(counter);
  }

  override release(counter: number): void {
    const active = this.events.get(counter)!.state === 'active';
    this.stated(EventKind.eventRelease, counter);
    if (active) this.taken(counter);
    super.release(counter);
    this.pointers.delete(counter);
  }

  override countLow(counter: number): bigint {
    const count = super.countLow(counter);
    const event = this.events.get(counter);
    if (!this.quiet && event !== undefined) {
      this.record({
        kind: EventKind.eventRead,
        object: this.pointerOf(counter),
        value: count,
        code: STATES[event.state] >>> 0,
        flags: EventFlag.stateKnown,
      });
    }
    return count;
  }
}

/** A recording made by running a random program on the plain reference vPMU. */
export interface Simulation {
  readonly events: readonly Partial<Event>[];
  readonly attrs: readonly PerfEventAttr[];
  readonly setup: ReferenceSetup;
  /** Guest reads with a value, and accesses that were refused. */
  readonly reads: number;
}

/** Runs the program; every access is recorded with all its probes, every count the hardware makes lies in guest time. */
export function simulate(setup: ReferenceSetup, program: readonly Step[]): Simulation {
  const events: Partial<Event>[] = [];
  const attrs: PerfEventAttr[] = [{ type: 0, config1: 0n, attrFlags: 0n, cpu: -1, task: -1 }];
  let time = 1000n;
  let reads = 0;
  const record = (event: Partial<Event>): void => {
    time += 1n;
    events.push({ seq: events.length + 1, time, vcpu: 0, tid: TID, pcpu: 0, source: 1, ...event });
  };
  const perf = new RecordingPerf(record, attrs);
  const reference = new Reference(setup, perf);
  record({ kind: EventKind.vcpuReset });
  let slice = 0n;
  perf.onOverflow = (counter) => {
    time += slice;
    record({ kind: EventKind.guestExit });
    const event = perf.events.get(counter)!;
    record({
      kind: EventKind.eventOverflow,
      counter,
      object: perf.pointerOf(counter),
      value: event.count,
      aux0: event.period,
    });
    perf.quiet = true;
    const period = reference.overflow(counter);
    perf.quiet = false;
    record({ kind: EventKind.guestEnter });
    return period;
  };
  const enter = (): void => {
    if (!reference.hasRun) record({ kind: EventKind.pmcrHandle, value: reference.get('PMCR') });
    reference.enter();
    record({ kind: EventKind.guestEnter });
  };
  for (const step of program) {
    time += 20n;
    // Who makes an access has run before.
    if (!reference.hasRun && (step.op === 'read' || step.op === 'write')) {
      enter();
      record({ kind: EventKind.guestExit });
      reference.exit();
    }
    switch (step.op) {
      case 'write':
      case 'read': {
        const { space, code } = codeOf(step.reg, step.form);
        const write = step.op === 'write';
        const kind = write ? EventKind.write : EventKind.read;
        const written = write ? step.value : 0n;
        record({ kind, code, flags: spaceFlags(space) | EventFlag.trap | EventFlag.noValue });
        record({
          kind,
          code,
          flags: spaceFlags(space) | EventFlag.entry | (write ? 0 : EventFlag.noValue),
          value: written,
        });
        const answer = reference.access(step.reg, write, written, step.form);
        record({
          kind,
          code,
          flags: spaceFlags(space) | (answer.undef ? EventFlag.failed : 0),
          value: write ? written : answer.undef ? 0n : answer.value,
        });
        if (!write || answer.undef) reads++;
        break;
      }
      case 'hw':
        enter();
        slice = step.n + step.skid + 1n;
        perf.hardware(step.event, step.el, step.n, step.skid);
        time += slice;
        record({ kind: EventKind.guestExit });
        reference.exit();
        break;
      case 'reset':
        record({ kind: EventKind.vcpuReset });
        reference.reset();
        break;
      case 'sched':
        record({ kind: EventKind.schedSwitch, value: 1n });
        for (const [counter, event] of perf.events)
          if (event.state === 'active') perf.taken(counter);
        record({ kind: EventKind.schedSwitch, tid: 1, vcpu: -1, value: BigInt(TID) });
        {
          const active = [...perf.events].filter(([, event]) => event.state === 'active');
          perf.schedule();
          for (const [counter] of active) perf.placement(counter);
        }
        break;
      case 'steal': {
        const event = perf.events.get(step.counter);
        if (event?.state !== 'active') break;
        record({ kind: EventKind.schedSwitch, value: 1n });
        perf.taken(step.counter);
        record({ kind: EventKind.schedSwitch, tid: 1, vcpu: -1, value: BigInt(TID) });
        perf.steal(step.counter);
        perf.placement(step.counter);
        break;
      }
      case 'inject':
        if (step.what === 'create') perf.createFails++;
        else perf.placeFails++;
        break;
      default:
        break;
    }
  }
  return { events, attrs, setup, reads };
}

/** The replay of a simulation, told the machine's constants as if other records had shown them. */
export function configOf(
  simulation: Simulation,
  withheld: Withheld = NOTHING_WITHHELD,
): ReplayConfig {
  const { config, rules } = modelOf(simulation.setup);
  const fact = <T>(value: T): Fact<T> => ({ value, first: -1, second: -2 });
  return {
    arch: 'arm64',
    rules,
    facts: {
      byVcpu: new Map([
        [
          0,
          {
            pmcrN: fact(config.pmcrN),
            pmcrIdentity: fact(config.pmcrIdentity >> 16n),
            pmceid0: fact(config.hostPmceid0!),
            pmceid1: fact(config.hostPmceid1!),
            wideCounters: fact(config.pmuVer >= 6),
            el0Aarch32: fact(config.el0Aarch32),
          },
        ],
      ]),
      ruleEvidence: [],
    },
    vcpus: [{ slot: 0, index: 0, tid: TID, pid: -1, learnedFrom: 'simulated', seq: 1 }],
    // Every probe was on, also those that had nothing to record.
    recordedKinds: new Set(Object.values(EventKind)),
    withheld,
    guestSources: new Set(),
    attr: (id) => simulation.attrs[id],
    epoch: 0n,
    resolution: 1,
  };
}

/** The events in chunks of the given sizes, the last size repeated. */
export function chunksOf(simulation: Simulation, sizes: readonly number[]): EventChunk[] {
  const chunks: EventChunk[] = [];
  let at = 0;
  for (let i = 0; at < simulation.events.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)]!;
    chunks.push(chunkOf(simulation.events.slice(at, at + size)));
    at += size;
  }
  return chunks;
}
