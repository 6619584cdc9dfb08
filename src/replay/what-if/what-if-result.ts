import { U64_MAX } from '../../domain/u64.ts';
import type { PerfOperations } from '../../emulator/perf-operations.ts';
import type { Certainty, CounterState } from '../state-view.ts';
import type { RuleSetChoice } from '../vm-facts.ts';
import type { AccessCost } from './access-cost.ts';
import type { EngineCounter, EngineRun, GuestAccess, HardwareOperations } from './engine-run.ts';
import { likeness, type Shown } from './shown.ts';

/** What a counter would hold under one rule set. */
export interface WhatIfValue {
  readonly ruleSet: string;
  readonly certainty: Certainty;
  /** The value lies in [low, high]; high below low: it wraps at `width` bits. Both 0n when unknown. */
  readonly low: bigint;
  readonly high: bigint;
  readonly width: number;
  /** Why it is not exact, a stable word, and since which event (0: from the start). */
  readonly reason?: string;
  readonly since?: number;
}

/** One counter at the instant, under every rule set. */
export interface WhatIfCounter {
  readonly counter: number;
  /** Number the recorded guest programmed; undefined when not known. */
  readonly event: number | undefined;
  readonly eventName: string;
  /** In the order the rule sets were asked for. */
  readonly values: readonly WhatIfValue[];
  /** Seq of the first access to it at which a rule set surely showed something else than the first one; 0 none. */
  readonly partsAt: number;
}

/** What one rule set asked of host perf; and of the hardware, where it leaves the counters to the guest. */
export interface WhatIfOperations extends Readonly<PerfOperations> {
  readonly ruleSet: string;
  readonly hardware?: HardwareOperations;
}

/** One vCPU under every rule set. */
export interface WhatIfVcpu {
  readonly slot: number;
  readonly counters: readonly WhatIfCounter[];
  readonly operations: readonly WhatIfOperations[];
  /** How long this recording's PMU accesses took; empty where exits or entries are not recorded. */
  readonly costs: readonly AccessCost[];
}

/** The first guest access at which a rule set surely showed something else than the first one. */
export interface Parting {
  readonly ruleSet: string;
  readonly seq: number;
  readonly time: bigint;
  readonly vcpu: number;
  readonly access: GuestAccess;
  /** What the first rule set showed, and this one. */
  readonly reference: Shown;
  readonly shown: Shown;
}

/** How the answers of one rule set compare with the first one's, over all guest accesses. */
export interface Comparison {
  readonly ruleSet: string;
  readonly same: number;
  readonly apart: number;
  /** What is known does not tell. */
  readonly open: number;
  readonly parting: Parting | undefined;
}

/** One recording as several rule sets would have played it. */
export interface WhatIfResult {
  readonly time: bigint;
  readonly seq: number;
  /** The rules the recording was made under: their values are the recorded ones. */
  readonly recorded: RuleSetChoice;
  readonly ruleSets: readonly string[];
  readonly vcpus: readonly WhatIfVcpu[];
  /** Every rule set but the first, against the first. */
  readonly comparisons: readonly Comparison[];
  /** Guest accesses to PMU registers that were played. */
  readonly accesses: number;
  readonly events: number;
  /** True when an access or a final value surely differs. */
  readonly parts: boolean;
}

/** What a rule set has asked of perf, and done to the hardware. */
export function operationsOf(
  ruleSet: string,
  { operations, hardware }: EngineRun,
): WhatIfOperations {
  return { ruleSet, ...operations, ...(hardware === undefined ? {} : { hardware }) };
}

/** A counter's value under the rules the recording was made under: the recorded one. */
export function recordedValue(ruleSet: string, state: CounterState): WhatIfValue {
  const { certainty, low, high, width, reason, since } = state;
  return {
    ruleSet,
    certainty,
    low: certainty === 'unknown' ? 0n : low,
    high: certainty === 'unknown' ? 0n : high,
    width,
    ...(reason === undefined ? {} : { reason, since: since ?? 0 }),
  };
}

/** A counter's value under rules that were only played. */
export function playedValue(ruleSet: string, counter: EngineCounter): WhatIfValue {
  const { low, span, width, reason, since } = counter;
  const certainty = span === 0n ? 'exact' : span === U64_MAX ? 'unknown' : 'bounded';
  return {
    ruleSet,
    certainty,
    low,
    high: certainty === 'unknown' ? 0n : BigInt.asUintN(width, low + span),
    width,
    ...(reason === '' ? {} : { reason, since }),
  };
}

/** True when two rule sets surely leave a counter with different values. */
export function valuesPart({ values }: WhatIfCounter): boolean {
  const [first, ...rest] = values.map(
    ({ certainty, low, high, width }): Shown => ({
      refused: false,
      outcomeUnknown: false,
      low,
      span: certainty === 'unknown' ? U64_MAX : BigInt.asUintN(width, high - low),
      width,
      unknownBits: 0n,
      hostBits: 0n,
    }),
  );
  return rest.some((value) => likeness(first!, value) === 'apart');
}
