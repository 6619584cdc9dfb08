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
  /** `halt-poll-ns N`, as the module parameter of kvm says. */
  readonly haltPollNs: { readonly seq: number; readonly ns: number } | null;
  /** `nmi-watchdog on`: it holds one counter of every CPU. */
  readonly nmiWatchdog: number;
}

/** Marks a person can write to trace_marker while recording: facts of the run that no tracepoint records. */
export const MARK_WORDS = [
  {
    example: 'pmu-event-filter deny 0xc0 0xc4',
    meaning: 'the event filter of the VMM: deny or allow, and the raw events as KVM got them (x86)',
  },
  { example: 'irqchip user', meaning: 'the VMM emulates the interrupt controller' },
  { example: 'halt-poll-ns 0', meaning: 'the parameter halt_poll_ns of the kvm module' },
  { example: 'nmi-watchdog on', meaning: 'the NMI watchdog holds one counter of every CPU' },
  { example: 'vm-reset', meaning: 'the VM is reset now' },
] as const;

const PREFIX = /^(?:vpmu[: ]\s*)?/;

/** True for the mark of a VM reset: `vm-reset`. */
export function resetMark(text: string): boolean {
  return /^vm-reset\b/.test(text.replace(PREFIX, ''));
}

/** True for a mark that tells a fact of the whole run: it holds for every part of the recording after it. */
export function describingMark(text: string): boolean {
  return /^(?:irqchip|pmu-event-filter|halt-poll-ns|nmi-watchdog)\b/.test(text.replace(PREFIX, ''));
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
  let haltPollNs: Marks['haltPollNs'] = null;
  let nmiWatchdog = 0;
  const told = () => ({ filter, userIrqchip, haltPollNs, nmiWatchdog });
  if (!log.kindCounts().has(EventKind.marker)) return told();
  for (const chunk of log.chunks({ kinds: new Set([EventKind.marker]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const seq = chunk.seq[i]!;
      const [word, first = '', ...rest] = log
        .name(chunk.code[i]!)
        .replace(PREFIX, '')
        .split(/[\s,]+/);
      if (word === 'irqchip' && first === 'user') userIrqchip = seq;
      if (word === 'halt-poll-ns' && /^\d{1,12}$/.test(first))
        haltPollNs = { seq, ns: Number(first) };
      if (word === 'nmi-watchdog') nmiWatchdog = /^(?:on|1)$/.test(first) ? seq : 0;
      if (word === 'pmu-event-filter' && /^(?:allow|deny)$/.test(first)) {
        const events = rest.filter((text) => /^(?:0x[0-9a-f]+|\d+)$/i.test(text)).map(BigInt);
        filter = { seq, deny: first === 'deny', events };
      }
    }
  }
  return told();
}
