import type { CompiledRule } from './compiled-rule.ts';
import type { RawRecord } from './raw-record.ts';
import type { Pending, ThreadState } from './threads.ts';

/** Leaves the fields of an entry half with its thread. */
export function keepHalf(rule: CompiledRule, thread: ThreadState, record: RawRecord): void {
  const { low, high, present } = record;
  const { from, to, identifies } = rule.join;
  const count = from.length;
  let pending = thread.pending[rule.pair];
  if (pending === undefined || pending.to.length < count) {
    pending = {
      to: new Int32Array(count),
      low: new Int32Array(count),
      high: new Int32Array(count),
      identifies: new Uint8Array(count),
      count: 0,
    } satisfies Pending;
    thread.pending[rule.pair] = pending;
  }
  let kept = 0;
  for (let k = 0; k < count; k++) {
    const n = from[k]!;
    if (((present >>> n) & 1) === 0) continue;
    pending.to[kept] = to[k]!;
    pending.low[kept] = low[n]!;
    pending.high[kept] = high[n]!;
    pending.identifies[kept] = identifies[k]!;
    kept++;
  }
  pending.count = kept;
}

/**
 * Completes the record from the thread's entry half. False if something was needed and there is none; a half whose
 * identifying fields differ belongs to another call and is dropped.
 */
export function joinHalf(rule: CompiledRule, thread: ThreadState, record: RawRecord): boolean {
  const pending = thread.pending[rule.pair];
  const all = (1 << rule.ops.length) - 1;
  if (pending === undefined || pending.count === 0) return record.present === all;
  const { to, low, high, identifies, count } = pending;
  pending.count = 0;
  for (let k = 0; k < count; k++) {
    const n = to[k]!;
    if (identifies[k] === 0 || ((record.present >>> n) & 1) === 0) continue;
    if (record.low[n] !== low[k] || record.high[n] !== high[k]) return false;
  }
  for (let k = 0; k < count; k++) {
    const n = to[k]!;
    if ((record.present >>> n) & 1) continue;
    record.low[n] = low[k]!;
    record.high[n] = high[k]!;
    record.present |= 1 << n;
  }
  return true;
}
