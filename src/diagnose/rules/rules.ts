import { BACKING_RULES } from './backing-rules.ts';
import { DELIVERY_RULES } from './delivery-rules.ts';
import { EMULATED_RULES } from './emulated-rules.ts';
import { EVENT_RULES } from './event-rules.ts';
import { HARDWARE_RULES } from './hardware-rules.ts';
import { METHOD_RULES } from './method-rules.ts';
import { MOVEMENT_RULES } from './movement-rules.ts';
import type { OverallRule } from './overall.ts';
import { OVERALL_BACKING_RULES } from './overall-backing-rules.ts';
import { OVERALL_CLOCK_RULES } from './overall-clock-rules.ts';
import { OVERALL_METHOD_RULES } from './overall-method-rules.ts';
import { PERIOD_RULES } from './period-rules.ts';
import { REGISTER_RULES } from './register-rules.ts';
import type { Rule } from './rule.ts';
import { SCOPE_RULES } from './scope-rules.ts';
import { STATE_RULES } from './state-rules.ts';
import { VALUE_RULES } from './value-rules.ts';

/** Every rule, in the order of the stages of a diagnosis. */
export const RULES: readonly Rule[] = [
  ...METHOD_RULES,
  ...SCOPE_RULES,
  ...BACKING_RULES,
  ...REGISTER_RULES,
  ...EVENT_RULES,
  ...EMULATED_RULES,
  ...VALUE_RULES,
  ...PERIOD_RULES,
  ...DELIVERY_RULES,
  ...MOVEMENT_RULES,
  ...STATE_RULES,
  ...HARDWARE_RULES,
];

/** Rules about the recording as a whole. */
export const OVERALL_RULES: readonly OverallRule[] = [
  ...OVERALL_METHOD_RULES,
  ...OVERALL_CLOCK_RULES,
  ...OVERALL_BACKING_RULES,
];
