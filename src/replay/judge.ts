import { U64_MAX } from '../domain/u64.ts';
import type { AccessResult } from '../emulator/pmuv3-config.ts';
import type { Verdict } from './observation.ts';

/**
 * What became of a predicted read. `refused`: the recording says the access was refused. `telling`: the bits of the
 * register that say something; if none of them is known, nothing is.
 */
export function judgeRead(
  out: Readonly<AccessResult>,
  recorded: bigint,
  refused: boolean,
  telling: () => bigint,
): Verdict {
  if (out.outcomeUnknown) return 'unknown';
  if (out.undef || refused) return out.undef === refused ? 'confirmed' : 'contradicted';
  if (out.span !== 0n) {
    if (out.span === U64_MAX) return 'unknown';
    return BigInt.asUintN(out.width, recorded - out.low) <= out.span ? 'bounded' : 'contradicted';
  }
  if (out.unknownBits === 0n) return out.low === recorded ? 'confirmed' : 'contradicted';
  if (((out.low ^ recorded) & ~out.unknownBits & U64_MAX) !== 0n) return 'contradicted';
  const bits = telling();
  return (out.unknownBits & bits) === bits ? 'unknown' : 'bounded';
}

/** True when exactly one value was predicted. */
export function isExact(out: Readonly<AccessResult>): boolean {
  return out.span === 0n && out.unknownBits === 0n && !out.outcomeUnknown;
}
