/** Counter numbers of x86: GP i = i, fixed i = 32 + i. */
export const X86_COUNTER_NUMBERS = 40;

/** No core that runs KVM clocks above 10 GHz, and none counts more than 64 of anything in one cycle: a bound, no estimate. */
export const X86_EVENTS_PER_NS = 640;
