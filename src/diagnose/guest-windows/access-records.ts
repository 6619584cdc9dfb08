import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import { registerEffect, writeEffect } from './counter-writes.ts';
import type { Cursor } from './cursor.ts';
import { happened } from './guest-window.ts';
import type { Observation } from './observed.ts';
import type { OpenWindow } from './open-window.ts';
import type { VcpuWindows } from './vcpu-windows.ts';

const EARLY = EventFlag.entry | EventFlag.trap;

/** A guest's write of a register: ends windows, opens and closes gates. */
export function guestWrite(
  vcpu: VcpuWindows,
  cursor: Cursor,
  seen: Observation,
  deferred: boolean,
): void {
  const { chunk, i, seq } = cursor;
  const flags = chunk.flags[i]!;
  const code = chunk.code[i]!;
  const space = registerSpace(flags);
  if (!registerEffect(code, space).pmu) return;
  const effect = writeEffect(code, space, chunk.value[i]!);
  vcpu.totals.pmuAccess();
  if ((flags & EARLY) !== 0) return;
  vcpu.changed((flags & EventFlag.noValue) === 0 ? effect.reaches : 'all');
  const { keeper, open } = vcpu;
  if ((flags & EventFlag.failed) !== 0) {
    happened(seen.of.refused, seq);
    if (effect.control) vcpu.everywhere('controlRefused');
    cursor.before();
    vcpu.settle();
    keeper.wrote(chunk, i, true, open);
    return;
  }
  happened(seen.of.taken, seq);
  vcpu.stale = deferred;
  if (effect.control) {
    happened(seen.of.controlWrite, seq);
    vcpu.everywhere('controlWrite');
  }
  const { value } = effect;
  keeper.wrote(chunk, i, false, open);
  if (value === -1) {
    vcpu.programmed();
    return;
  }
  vcpu.split(
    effect.control ? 'reset-bit' : 'counter-write',
    undefined,
    (counter) => value === 'all' || value === 'selected' || value === counter,
  );
}

/** A guest's read of a register. */
export function guestRead(vcpu: VcpuWindows, cursor: Cursor, seen: Observation): void {
  const { chunk, i, seq } = cursor;
  const flags = chunk.flags[i]!;
  const code = chunk.code[i]!;
  const space = registerSpace(flags);
  const effect = registerEffect(code, space);
  if (!effect.pmu && space !== RegisterSpace.rdpmc) return;
  vcpu.totals.pmuAccess();
  if ((flags & EARLY) === 0) {
    // A read of a register shows bits nobody knew; one of a counter shows no gate.
    if (effect.value === -1) vcpu.changed(effect.control ? 'all' : 0);
    happened((flags & EventFlag.failed) !== 0 ? seen.of.refused : seen.of.taken, seq);
  }
  const { keeper, open } = vcpu;
  if (
    space === RegisterSpace.rdpmc &&
    (flags & (EARLY | EventFlag.noValue)) === EventFlag.noValue
  ) {
    keeper.accesses.untold(code, open);
  }
  if ((flags & (EARLY | EventFlag.failed | EventFlag.noValue)) !== 0) return;
  cursor.after();
  const { value } = effect;
  if (value === -1 || value === 'all') {
    keeper.accesses.read(chunk, i, keeper.restores.vmWasReset, open);
    return;
  }
  if (value === 'selected') for (const window of open.all) counterRead(vcpu, window, cursor);
  else {
    const window = open.of(value);
    if (window !== undefined) counterRead(vcpu, window, cursor);
  }
}

/** The present event may be a read of this window's counter: it is if the counter has the value that was read. */
function counterRead(vcpu: VcpuWindows, window: OpenWindow, { chunk, i, seq }: Cursor): void {
  const now = vcpu.replay.counterValue(window.counter);
  if (now.span !== 0n || now.low !== BigInt.asUintN(now.width, chunk.value[i]!)) return;
  vcpu.settle();
  window.readBy(now, vcpu.totals.sums, seq);
}

/** A register the VMM writes is this counter's, or not one counter's alone. */
export function vmmReaches({ chunk, i }: Cursor): (counter: number) => boolean {
  const space = registerSpace(chunk.flags[i]!);
  const { pmu, value } = writeEffect(chunk.code[i]!, space, chunk.value[i]!);
  return (counter) => !pmu || typeof value === 'string' || value === -1 || value === counter;
}
