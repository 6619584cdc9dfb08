import type { PerfEventAttr } from '../domain/log-facts.ts';
import { U64_MAX } from '../domain/u64.ts';
import type { BackingAttr, HostPerf } from '../emulator/host-perf.ts';
import type { FieldVisitor } from './fields.ts';
import { type EventCeiling, RecordedCounts } from './recorded-counts.ts';
import type { RecordedCreation } from './recorded-creations.ts';
import { Backing, PerfEventState, STATE_UNKNOWN } from './recorded-event-tables.ts';

export type { EventCeiling } from './recorded-counts.ts';
export { Backing, PerfEventState, STATE_UNKNOWN } from './recorded-event-tables.ts';

/** Bits of attr flags (PerfEventAttr.attrFlags). */
const ATTR_DISABLED = 1n;
const ATTR_EXCLUDE_USER = 1n << 4n;
const ATTR_EXCLUDE_KERNEL = 1n << 5n;

/**
 * The backing perf events of one vCPU as the recording shows them: the answers to what the emulated vPMU asks of host
 * perf, and what records say became of the events.
 */
export class RecordedPerf extends RecordedCounts implements HostPerf {
  /** True while every creation is surely recorded: then one that is not recorded did not happen as predicted. */
  expectCreates = false;
  /** Recorded creations whose config and period equal the predicted ones, and those that do not. */
  createsConfirmed = 0;
  createsContradicted = 0;

  /** `size` counters; `ceilingPerNs` bounds how fast an event can count; `extra` bytes at the end of the buffer are the subclass's. */
  constructor(size: number, ceilingPerNs: EventCeiling, extra = 0) {
    super(size, ceilingPerNs, extra);
    this.forget();
  }

  // What the emulator asks (HostPerf).

  create(counter: number, attr: BackingAttr): boolean {
    this.releasedEarly[counter] = 0;
    const recorded = this.creations.take(counter);
    if (recorded === undefined) {
      if (this.expectCreates) this.deviations++;
      this.begin(counter, 0n, attr.config, attr.disabled ? 0 : 1);
      this.createdAt[counter] = 0;
      return true;
    }
    if (recorded.failed) return false;
    this.claim(recorded, attr.disabled ? 0 : 1);
    const config = recorded.config === attr.config;
    if (config && (!attr.periodKnown || recorded.period === attr.samplePeriod)) {
      this.createsConfirmed++;
      this.mismatch[counter] = 0;
    } else {
      this.createsContradicted++;
      this.mismatch[counter] = 1;
    }
    return true;
  }

  /** Makes a recorded creation the counter's event. */
  protected claim(recorded: RecordedCreation, wanted: number): void {
    const { counter } = recorded;
    this.begin(counter, recorded.pointer, recorded.config, wanted);
    this.createdAt[counter] = recorded.seq;
    this.recordedAttr[counter] = recorded.attr;
    this.recordedPeriod[counter] = recorded.period;
    if (recorded.placed) this.state[counter] = PerfEventState.active;
    if (recorded.refusedAt !== 0) {
      this.state[counter] = PerfEventState.error;
      this.placementFailed[counter] = recorded.refusedAt;
    }
  }

  enable(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 1;
  }

  disable(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 0;
  }

  release(counter: number): void {
    this.beginAnew(counter);
    this.releasedEarly[counter] = 0;
    this.life[counter] = Backing.none;
    this.pointer[counter] = 0n;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
    this.exactAt[counter] = -1;
    this.wanted[counter] = 0;
  }

  doubt(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 2;
    // Creations and releases that are recorded need no doubt: reconcile() takes them over as they are.
    if (this.expectCreates) return;
    this.beginAnew(counter);
    this.life[counter] = Backing.unknown;
    const span = this.relSpan[counter]!;
    const high = this.relLow[counter]! + span;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = span === U64_MAX || high >= U64_MAX ? U64_MAX : high;
    this.offSpan[counter] = U64_MAX;
  }

  // What the records say.

  /** The counter whose backing event has this address (given in halves: no bigint is made), −1 none. */
  counterOf(low: number, high: number): number {
    if (low === 0 && high === 0) return -1;
    const halves = this.pointerHalves;
    for (let i = 0; i < this.size; i++) {
      if (halves[2 * i] === low && halves[2 * i + 1] === high) return i;
    }
    return -1;
  }

  /** event-create: KVM made a backing event for a counter, or (failed) could not. */
  created(creation: Omit<RecordedCreation, 'refusedAt' | 'placed' | 'seq'>): void {
    if (!this.creations.add({ ...creation, seq: this.seq })) this.deviations++;
  }

  /** hw-add of an event that was created in the access that is still open; false if it is not one. */
  placedEarly(pointer: bigint, error: number): boolean {
    return this.creations.length > 0 && this.creations.placement(pointer, error, this.seq);
  }

  /** The address belongs to someone else now. */
  disown(pointer: bigint): void {
    const counter = this.pointer.indexOf(pointer);
    if (counter >= 0) this.pointer[counter] = 0n;
  }

  /** event-enable was called: an ERROR state is cleared first (semantics F.1). */
  enabled(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 1;
    this.placementFailed[counter] = 0;
    this.state[counter] = STATE_UNKNOWN;
  }

  disabled(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 0;
    this.state[counter] = PerfEventState.off;
    this.placementFailed[counter] = 0;
  }

  /** hw-add: `error` 0 placed, negative refused; a pinned event that is refused goes to ERROR until the next enable. */
  placed(counter: number, error: number): void {
    this.settle(counter);
    if (error === 0) {
      this.state[counter] = PerfEventState.active;
      this.placementFailed[counter] = 0;
    } else {
      this.state[counter] = PerfEventState.error;
      this.placementFailed[counter] = this.seq;
    }
  }

  taken(counter: number): void {
    this.settle(counter);
    if (this.state[counter] === PerfEventState.active)
      this.state[counter] = PerfEventState.inactive;
  }

  /** The thread runs again: what was taken off may have been put back, also where its hw-add was not recorded. */
  mayBePlacedAgain(): void {
    for (let i = 0; i < this.size; i++) {
      if (this.state[i] === PerfEventState.inactive) this.state[i] = STATE_UNKNOWN;
    }
  }

  /** A record that carries the event's state. */
  stateIs(counter: number, state: number): void {
    this.settle(counter);
    this.state[counter] = state;
    if (state === PerfEventState.error) {
      if (this.placementFailed[counter] === 0) this.placementFailed[counter] = this.seq;
    } else this.placementFailed[counter] = 0;
  }

  /** event-release: the event is gone; its count stays until the emulator folds it. */
  released(counter: number): void {
    this.settle(counter);
    this.releasedEarly[counter] = 1;
    this.wanted[counter] = 0;
    this.pointer[counter] = 0n;
    this.state[counter] = PerfEventState.off;
  }

  /** Ties an event of unknown counter to `counter`: a read of it was seen inside the guest's access to that counter. */
  bind(counter: number, pointer: bigint, count: bigint | undefined): void {
    if (this.pointer[counter] !== 0n) return;
    this.pointer[counter] = pointer;
    if (this.life[counter] === Backing.unknown) this.life[counter] = Backing.live;
    if (count !== undefined) this.exactCount(counter, count);
  }

  /** True when a creation or release was recorded that the emulator has not asked for, or asked for otherwise. */
  get pending(): boolean {
    if (this.creations.length > 0) return true;
    for (let i = 0; i < this.size; i++) {
      if (this.releasedEarly[i] !== 0 || this.mismatch[i] !== 0) return true;
    }
    return false;
  }

  /**
   * Ends an access: events that were created or released without the emulator asking for exactly that (its state was not
   * known well enough, or the rules do not fit) are taken over as recorded. Returns what the creations say.
   */
  reconcile(
    attrOf: (id: number) => PerfEventAttr | undefined,
  ): { counter: number; attr: BackingAttr }[] {
    for (let next = this.creations.take(-1); next !== undefined; next = this.creations.take(-1)) {
      this.deviations++;
      if (next.failed) continue;
      this.claim(next, 2);
      this.mismatch[next.counter] = 1;
      this.releasedEarly[next.counter] = 0;
    }
    const adopted: { counter: number; attr: BackingAttr }[] = [];
    for (let i = 0; i < this.size; i++) {
      if (this.releasedEarly[i] !== 0) {
        // What became of its count is the emulator's to say; from here on it does not move.
        this.releasedEarly[i] = 0;
        this.deviations++;
      }
      if (this.mismatch[i] === 0) continue;
      this.mismatch[i] = 0;
      const attr = attrOf(this.recordedAttr[i]!);
      if (attr === undefined) continue;
      const disabled = (attr.attrFlags & ATTR_DISABLED) !== 0n;
      this.wanted[i] = disabled ? 0 : 1;
      adopted.push({
        counter: i,
        attr: {
          config: this.config[i]!,
          wide: (attr.config1 & 1n) !== 0n,
          samplePeriod: this.recordedPeriod[i]!,
          periodKnown: true,
          excludeUser: (attr.attrFlags & ATTR_EXCLUDE_USER) !== 0n,
          excludeKernel: (attr.attrFlags & ATTR_EXCLUDE_KERNEL) !== 0n,
          excludeKnown: true,
          disabled,
        },
      });
    }
    return adopted;
  }

  /** True from the recorded release of the event until the emulator asked for it. */
  wasReleasedNow(counter: number): boolean {
    return this.releasedEarly[counter] !== 0;
  }

  /** Recorded period changes that equal the predicted ones, and those that do not (x86). */
  get periods(): { readonly confirmed: number; readonly contradicted: number } {
    return { confirmed: 0, contradicted: 0 };
  }

  /** True when its next record surely is one of the same event, undisturbed by the guest: it bounds what was before it. */
  isFollowed(counter: number): boolean {
    return this.pointer[counter] !== 0n;
  }

  protected begin(counter: number, pointer: bigint, config: number, wanted: number): void {
    this.beginAnew(counter);
    this.pointer[counter] = pointer;
    this.life[counter] = Backing.live;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
    this.offLow[counter] = 0n;
    this.offSpan[counter] = 0n;
    this.settled[counter] = this.residency;
    this.exactAt[counter] = -1;
    this.restsOnThis(counter);
    this.placementFailed[counter] = 0;
    this.config[counter] = config;
    this.wanted[counter] = wanted;
    this.state[counter] = STATE_UNKNOWN;
  }

  /** The fields outside of `buffer` that are state. */
  fields(visitor: FieldVisitor): void {
    this.deviations = visitor.number(this.deviations);
    this.createsConfirmed = visitor.number(this.createsConfirmed);
    this.createsContradicted = visitor.number(this.createsContradicted);
    this.expectCreates = visitor.flag(this.expectCreates);
  }
}
