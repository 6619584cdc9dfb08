import { EventKind } from '../../domain/event-kind.ts';
import type { ReplayLog } from '../../replay/replay-log.ts';
import type { ReplayConfig } from '../../replay/replayer.ts';

/** What marks set by a person (or a VMM) tell of a run: facts no tracepoint records. */
export interface Marks {
  /** `pmu-event-filter deny 0xc0 0xc4`: raw events, as KVM_SET_PMU_EVENT_FILTER got them. */
  readonly filter: {
    readonly seq: number;
    readonly deny: boolean;
    readonly events: readonly bigint[];
  } | null;
  /** `irqchip user`: the VMM emulates the interrupt controller. */
  readonly userIrqchip: number;
}

const PREFIX = /^(?:vpmu[: ]\s*)?/;

/** True for the mark of a VM reset: `vm-reset`. */
export function resetMark(text: string): boolean {
  return /^vm-reset\b/.test(text.replace(PREFIX, ''));
}

/** The replay under what marks tell: events a deny list names get nothing of host perf. */
export function withMarks(config: ReplayConfig, { filter }: Marks): ReplayConfig {
  if (filter === null || !filter.deny || config.arch !== 'x86') return config;
  const deniedEvents = [...new Set([...config.facts.deniedEvents, ...filter.events.map(Number)])];
  return { ...config, facts: { ...config.facts, deniedEvents } };
}

/** Reads the marks of a log; later ones replace earlier ones of the same word. */
export function readMarks(log: ReplayLog): Marks {
  let filter: Marks['filter'] = null;
  let userIrqchip = 0;
  if (!log.kindCounts().has(EventKind.marker)) return { filter, userIrqchip };
  for (const chunk of log.chunks({ kinds: new Set([EventKind.marker]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const seq = chunk.seq[i]!;
      const [word, first = '', ...rest] = log
        .name(chunk.code[i]!)
        .replace(PREFIX, '')
        .split(/[\s,]+/);
      if (word === 'irqchip' && first === 'user') userIrqchip = seq;
      if (word === 'pmu-event-filter' && /^(?:allow|deny)$/.test(first)) {
        const events = rest.filter((text) => /^(?:0x[0-9a-f]+|\d+)$/i.test(text)).map(BigInt);
        filter = { seq, deny: first === 'deny', events };
      }
    }
  }
  return { filter, userIrqchip };
}
