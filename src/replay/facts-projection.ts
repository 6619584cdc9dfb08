import type { CheckpointStore } from './replay.ts';

/** Raise when a scan would find something else in the same events. */
export const FACTS_VERSION = 2;

const BIG = 'u64:';

/** The facts kept in a projection of the log, undefined when there are none (or they are not readable). */
export function loadFacts<Facts>(store: CheckpointStore): Facts | undefined {
  const saved = store.nearest({ time: 0n });
  if (saved === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(saved.state), (_, value: unknown) => {
      if (typeof value === 'string' && value.startsWith(BIG))
        return BigInt(value.slice(BIG.length));
      return isStoredMap(value) ? new Map(value.map) : value;
    }) as Facts;
  } catch {
    return undefined;
  }
}

/** Keeps facts for the next time. */
export function saveFacts(store: CheckpointStore, facts: unknown): void {
  const text = JSON.stringify(facts, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${BIG}${value}`;
    return value instanceof Map ? { map: [...value] } : value;
  });
  store.save({ ordinal: 0, time: 0n, cursor: [], state: new TextEncoder().encode(text) });
}

function isStoredMap(value: unknown): value is { readonly map: [unknown, unknown][] } {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'map';
}
