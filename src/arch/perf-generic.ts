import { arm64EventByName } from './arm64-events.ts';
import { eventOfGeneric, perfHardwareName } from './perf-maps.ts';

export { perfHardwareName } from './perf-maps.ts';

/**
 * Whether a host event with this config can count the arm64 event `event`. The driver's records carry the config
 * without its type, so that both readings are taken: a raw PMUv3 number and a PERF_TYPE_HARDWARE one; a config wider than
 * an event number can only be a PERF_TYPE_HW_CACHE one.
 */
export function samePerfEvent(event: number, hostConfig: number): boolean {
  if (event === hostConfig) return true;
  if (hostConfig > 0xffff) return eventOfGeneric('hw-cache', hostConfig) === event;
  const name = perfHardwareName(hostConfig);
  return name !== undefined && arm64EventByName(name) === event;
}
