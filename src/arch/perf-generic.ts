import { arm64EventByName } from './arm64-events.ts';

/** PERF_TYPE_HARDWARE numbers and perf's names for them (include/uapi/linux/perf_event.h, perf-list(1)). */
const PERF_HARDWARE = [
  'cycles',
  'instructions',
  'cache-references',
  'cache-misses',
  'branches',
  'branch-misses',
  'bus-cycles',
  'stalled-cycles-frontend',
  'stalled-cycles-backend',
  'ref-cycles',
] as const;

/** perf's name of a PERF_TYPE_HARDWARE event; undefined beyond the generic ones. */
export function perfHardwareName(config: number): string | undefined {
  return PERF_HARDWARE[config];
}

/**
 * Whether a host event with this config can count the arm64 event `event`. The driver's records carry the config
 * without its type, so that both readings are taken: a raw PMUv3 number and a PERF_TYPE_HARDWARE one.
 */
export function samePerfEvent(event: number, hostConfig: number): boolean {
  if (event === hostConfig) return true;
  const name = PERF_HARDWARE[hostConfig];
  return name !== undefined && arm64EventByName(name) === event;
}
