import { BACKING_CAUSES } from './backing.ts';
import type { CauseFacts } from './cause.ts';
import { DELIVERY_CAUSES } from './delivery.ts';
import { HARDWARE_CAUSES } from './hardware.ts';
import { METHOD_CAUSES } from './method.ts';
import { REGISTER_CAUSES } from './registers.ts';
import { SCOPE_CAUSES } from './scope.ts';
import { STATE_CAUSES } from './state.ts';

const ALL = {
  ...METHOD_CAUSES,
  ...SCOPE_CAUSES,
  ...BACKING_CAUSES,
  ...REGISTER_CAUSES,
  ...DELIVERY_CAUSES,
  ...STATE_CAUSES,
  ...HARDWARE_CAUSES,
} as const;

/** Stable word of a cause: what programs and reports refer to. */
export type CauseCode = keyof typeof ALL;

/** An entry of the catalogue with its code. */
export interface Cause extends CauseFacts {
  readonly code: CauseCode;
}

/** Every code, in the order of the stages. */
export const CAUSE_CODES = Object.keys(ALL) as readonly CauseCode[];

/** Every cause by code. */
export const CAUSES: Readonly<Record<CauseCode, Cause>> = Object.fromEntries<Cause>(
  CAUSE_CODES.map((code) => [code, { code, ...ALL[code] }]),
) as Record<CauseCode, Cause>;

/** The entry of a code as a person writes it; undefined if there is none. */
export function causeByCode(code: string): Cause | undefined {
  return Object.hasOwn(CAUSES, code) ? CAUSES[code as CauseCode] : undefined;
}
