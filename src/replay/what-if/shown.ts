import { U64_MAX } from '../../domain/u64.ts';
import type { AccessResult } from '../../emulator/pmuv3-config.ts';

/** What one guest access came to under one rule set. */
export interface Shown {
  /** The access is refused (UNDEFINED, #GP). */
  readonly refused: boolean;
  /** Whether it is refused is not known. */
  readonly outcomeUnknown: boolean;
  /** The value lies in [low, low + span] modulo 2^width; span U64_MAX: unknown. Meaningless for writes and refused accesses. */
  readonly low: bigint;
  readonly span: bigint;
  readonly width: number;
  /** For a register that is a set of bits: those of `low` that are not known. */
  readonly unknownBits: bigint;
  /** Those of them that are constants of the host: whatever they are, every rule set that shows them shows the same. */
  readonly hostBits: bigint;
}

/** A copy of an engine's answer. */
export function shownOf(out: AccessResult, hostBits = 0n): Shown {
  return {
    refused: out.undef,
    outcomeUnknown: out.outcomeUnknown,
    low: out.low,
    span: out.span,
    width: out.width,
    unknownBits: out.unknownBits,
    hostBits,
  };
}

/** An access whose outcome the recording tells. */
export function shownAs(refused: boolean, value: bigint): Shown {
  return {
    refused,
    outcomeUnknown: false,
    low: value,
    span: 0n,
    width: 64,
    unknownBits: 0n,
    hostBits: 0n,
  };
}

/** `same`: surely equal; `apart`: surely different; `open`: what is known does not tell. */
export type Likeness = 'same' | 'apart' | 'open';

/** Compares what two rule sets showed. */
export function likeness(a: Shown, b: Shown): Likeness {
  if (a.outcomeUnknown || b.outcomeUnknown) return 'open';
  if (a.refused !== b.refused) return 'apart';
  if (a.refused) return 'same';
  const unknown = (a.unknownBits | b.unknownBits) & ~(a.hostBits & b.hostBits);
  if (unknown !== 0n) return ((a.low ^ b.low) & ~unknown & U64_MAX) !== 0n ? 'apart' : 'open';
  if (a.span === 0n) return b.span === 0n && a.low === b.low ? 'same' : place(a.low, b);
  if (b.span === 0n) return place(b.low, a);
  if (a.span === U64_MAX || b.span === U64_MAX || a.width !== b.width) return 'open';
  const above = BigInt.asUintN(a.width, b.low - a.low) > a.span;
  const below = BigInt.asUintN(a.width, a.low - b.low) > b.span;
  return above && below ? 'apart' : 'open';
}

/** An exact value against an interval. */
function place(value: bigint, { low, span, width }: Shown): Likeness {
  if (span === U64_MAX) return 'open';
  if (BigInt.asUintN(width, value) !== value) return 'apart';
  return BigInt.asUintN(width, value - low) <= span && span !== 0n ? 'open' : 'apart';
}
