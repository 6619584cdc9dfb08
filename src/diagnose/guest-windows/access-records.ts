import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import { registerEffect, writeEffect } from './counter-writes.ts';
import type { Cursor } from './cursor.ts';
import type { Observation } from './observed.ts';
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
    seen.saw('refused', seq);
    if (effect.control) vcpu.everywhere('controlRefused');
    cursor.before();
    vcpu.settle();
    keeper.wrote(chunk, i, true, open);
    return;
  }
  seen.saw('taken', seq);
  vcpu.stale = deferred;
  if (effect.control) {
    seen.saw('controlWrite', seq);
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
    seen.saw((flags & EventFlag.failed) !== 0 ? 'refused' : 'taken', seq);
  }
  const { keeper, open, replay } = vcpu;
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
  for (const window of open.all) {
    if (value !== 'selected' && value !== window.counter) continue;
    const now = replay.counterValue(window.counter);
    if (now.span !== 0n || now.low !== BigInt.asUintN(now.width, chunk.value[i]!)) continue;
    vcpu.settle();
    window.readBy(now, vcpu.totals.sums, seq);
  }
}

/** A register the VMM writes is this counter's, or not one counter's alone. */
export function vmmReaches({ chunk, i }: Cursor): (counter: number) => boolean {
  const space = registerSpace(chunk.flags[i]!);
  const { pmu, value } = writeEffect(chunk.code[i]!, space, chunk.value[i]!);
  return (counter) => !pmu || typeof value === 'string' || value === -1 || value === counter;
}
