import { FIXED_BASE } from '../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../arch/x86-msrs.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { EventKind, RegisterSpace, registerSpace } from '../domain/event-kind.ts';
import { Arm64Vcpu } from '../replay/arm64/arm64-vcpu.ts';
import type { Replayer } from '../replay/replayer.ts';
import type { VcpuReplay } from '../replay/vcpu-replay.ts';

/** What is known of a counter where the slice begins. */
export interface Held {
  readonly slot: number;
  readonly counter: number;
  /** Its exact value; undefined: not known, or not needed. */
  readonly value: bigint | undefined;
  /** Address of its backing event; undefined: none is known. */
  readonly pointer: bigint | undefined;
}

/**
 * What is known at the start of the x86 counters that the slice programs, writes or reads: a window that begins there
 * counts from their value, and what is recorded of their events is theirs. (The state of an arm64 vCPU is re-created whole.)
 */
export function valuesHeld(
  replayer: Replayer | undefined,
  body: () => Iterable<EventChunk>,
): Held[] {
  /** By counter: whether its value is used before it is overwritten. */
  const touched = new Map<number, boolean>();
  for (const chunk of body()) {
    for (let i = 0; i < chunk.length; i++) {
      const kind = chunk.kind[i]!;
      if (kind !== EventKind.read && kind !== EventKind.write) continue;
      const space = registerSpace(chunk.flags[i]!);
      const code = chunk.code[i]!;
      const counter = counterOf(code, space);
      const overwritten = kind === EventKind.write && !isSelector(code);
      if (counter >= 0 && !touched.has(counter)) touched.set(counter, !overwritten);
    }
  }
  return (replayer?.vcpus ?? []).flatMap((vcpu) => {
    if (vcpu instanceof Arm64Vcpu) return [];
    return vcpu.counters
      .filter((counter) => touched.has(counter))
      .map((counter) => {
        const { low, span } = vcpu.counterValue(counter);
        const value = touched.get(counter) === true && span === 0n ? low : undefined;
        return { slot: vcpu.slot, counter, value, pointer: pointerOf(vcpu, counter) };
      });
  });
}

/** True if the replay knows all of it. */
export function holds(replayer: Replayer, held: readonly Held[]): boolean {
  return held.every(({ slot, counter, value, pointer }) => {
    const vcpu = replayer.ofSlot(slot);
    if (vcpu === undefined) return false;
    const now = vcpu.counterValue(counter);
    const same = value === undefined || (now.span === 0n && now.low === value);
    return same && (pointer === undefined || pointerOf(vcpu, counter) === pointer);
  });
}

function pointerOf(vcpu: VcpuReplay, counter: number): bigint | undefined {
  const pointer = vcpu.counterState(counter).backing?.pointer;
  return pointer === 0n ? undefined : pointer;
}

function isSelector(code: number): boolean {
  const kind = msrKind(decodeMsr(code));
  return kind === Msr.selector || kind === Msr.amdSelector;
}

/** RDPMC index bits: the counter's number, and that it is a fixed one. */
const RDPMC_NUMBER = 0xffff;
const RDPMC_FIXED = 0x4000_0000;

/** The counter a register is the value or the selector of; −1: of none, or of several. */
function counterOf(code: number, space: RegisterSpace): number {
  if (space === RegisterSpace.rdpmc) {
    return ((code & RDPMC_FIXED) !== 0 ? FIXED_BASE : 0) + (code & RDPMC_NUMBER);
  }
  if (space !== RegisterSpace.msr) return -1;
  const decoded = decodeMsr(code);
  switch (msrKind(decoded)) {
    case Msr.counter:
    case Msr.fullWidth:
    case Msr.amdCounter:
    case Msr.selector:
    case Msr.amdSelector:
      return msrIndex(decoded);
    case Msr.fixedCounter:
      return FIXED_BASE + msrIndex(decoded);
    default:
      return -1;
  }
}
