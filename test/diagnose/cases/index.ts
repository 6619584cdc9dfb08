import { BACKING_CASES } from './backing-cases.ts';
import type { DiscrepancyCase } from './case.ts';
import { DELIVERY_CASES } from './delivery-cases.ts';
import { HARDWARE_CASES } from './hardware-cases.ts';
import { METHOD_CASES } from './method-cases.ts';
import { REGISTER_CASES } from './register-cases.ts';
import { SCOPE_CASES } from './scope-cases.ts';
import { STATE_CASES } from './state-cases.ts';

/** Every known discrepancy, by section and number. */
export const CASES: readonly DiscrepancyCase[] = [
  ...SCOPE_CASES,
  ...BACKING_CASES,
  ...REGISTER_CASES,
  ...DELIVERY_CASES,
  ...STATE_CASES,
  ...HARDWARE_CASES,
  ...METHOD_CASES,
];
