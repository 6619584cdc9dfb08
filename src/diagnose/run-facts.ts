import type { PreparedReplay, ReplayLog } from '../replay/replay-log.ts';
import type { ReplayConfig } from '../replay/replayer.ts';
import { readMarks } from './guest-windows/marks.ts';
import type { RunFacts } from './rules/rule.ts';

function kernelOf(release: string | undefined): RunFacts['kernel'] {
  const match = /^(\d+)\.(\d+)/.exec(release ?? '');
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** Counters of one CPU: AMD's core extension has six; an Intel guest's own leaf does not tell the host's. */
function hardwareCounters(config: ReplayConfig): number | undefined {
  if (config.arch !== 'x86' || config.facts.vendor !== 'amd') return undefined;
  return config.facts.shape.perfctrCore === false ? 4 : (config.facts.shape.gpCounters ?? 6);
}

/** What is the same for every window of a log. */
export function runFacts(log: ReplayLog, { config, ruleSet }: PreparedReplay): RunFacts {
  const told = log.imports().flatMap(({ facts }) => (facts.role === 'host' ? [facts] : []));
  return {
    arch: config.arch,
    kernel: kernelOf(told.find(({ kernelRelease }) => kernelRelease !== undefined)?.kernelRelease),
    kinds: config.recordedKinds,
    ruleSet: ruleSet.name,
    vendor: config.arch === 'x86' ? config.facts.vendor : undefined,
    mediated: config.arch === 'x86' && config.rules.ownership === 'mediated',
    hardwareCounters: hardwareCounters(config),
    vhe: told.find(({ vhe }) => vhe !== undefined)?.vhe,
    cpuModel: told.find(({ cpuModel }) => cpuModel !== undefined)?.cpuModel,
    marks: readMarks(log),
  };
}
