import type { CheckpointStore } from './replay.ts';
import type { VcpuFacts, VmFacts } from './vm-facts.ts';

/** Raise when scanVmFacts would find something else in the same events. */
export const FACTS_VERSION = 1;

interface Stored {
  readonly vcpus: readonly (readonly [number, VcpuFacts])[];
  readonly ruleEvidence: VmFacts['ruleEvidence'];
}

const BIG = 'u64:';

/** The facts kept in a projection of the log, undefined when there are none (or they are not readable). */
export function loadFacts(store: CheckpointStore): VmFacts | undefined {
  const saved = store.nearest({ time: 0n });
  if (saved === undefined) return undefined;
  try {
    const stored = JSON.parse(new TextDecoder().decode(saved.state), (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(BIG) ? BigInt(value.slice(BIG.length)) : value,
    ) as Stored;
    return { byVcpu: new Map(stored.vcpus), ruleEvidence: stored.ruleEvidence };
  } catch {
    return undefined;
  }
}

/** Keeps facts for the next time. */
export function saveFacts(store: CheckpointStore, facts: VmFacts): void {
  const stored: Stored = { vcpus: [...facts.byVcpu], ruleEvidence: facts.ruleEvidence };
  const text = JSON.stringify(stored, (_, value: unknown) =>
    typeof value === 'bigint' ? `${BIG}${value}` : value,
  );
  store.save({ ordinal: 0, time: 0n, cursor: [], state: new TextEncoder().encode(text) });
}
