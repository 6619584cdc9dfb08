import { EventFlag, type RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import type { FieldVisitor } from './fields.ts';

/** The register access of a guest that has begun and not ended: records of it were seen, its end not yet. */
export class OpenAccess {
  open = false;
  isWrite = false;
  code = 0;
  private flags = 0;
  /** A record told the value written, the access's own or that of a KVM step inside it (counter-set, …). */
  valueKnown = false;
  value = 0n;
  /** The last event-read inside the access whose event no counter is known to own. */
  strayPointer = 0n;
  strayCount = 0n;

  get space(): RegisterSpace {
    return registerSpace(this.flags);
  }

  /** True when a record with these columns tells more of the access that is open (a probe after the tracepoint). */
  continuedBy(isWrite: boolean, code: number, flags: number): boolean {
    return (
      this.open &&
      this.isWrite === isWrite &&
      this.code === code &&
      this.space === registerSpace(flags) &&
      (this.flags & EventFlag.trap) !== 0 &&
      (flags & EventFlag.trap) === 0
    );
  }

  begin(isWrite: boolean, code: number): void {
    this.open = true;
    this.isWrite = isWrite;
    this.code = code;
    this.valueKnown = false;
    this.strayPointer = 0n;
  }

  /** A record at the begin of the access, with the value of a write if it has one. */
  told(flags: number, value: bigint): void {
    this.flags = flags;
    if (this.isWrite && (flags & (EventFlag.trap | EventFlag.noValue)) === 0) {
      this.valueKnown = true;
      this.value = value;
    }
  }

  /** A KVM step inside the access: the value it shows stands in when the access's own value is not recorded. */
  step(value: bigint): void {
    if (!this.open || this.valueKnown) return;
    this.valueKnown = true;
    this.value = value;
  }

  stray(pointer: bigint, count: bigint): void {
    this.strayPointer = pointer;
    this.strayCount = count;
  }

  end(): void {
    this.open = false;
    this.strayPointer = 0n;
  }

  fields(visitor: FieldVisitor): void {
    this.open = visitor.flag(this.open);
    this.isWrite = visitor.flag(this.isWrite);
    this.code = visitor.number(this.code);
    this.flags = visitor.number(this.flags);
    this.valueKnown = visitor.flag(this.valueKnown);
    this.value = visitor.u64(this.value);
    this.strayPointer = visitor.u64(this.strayPointer);
    this.strayCount = visitor.u64(this.strayCount);
  }
}
