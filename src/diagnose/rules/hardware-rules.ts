import { againstProgram, isSlots, isZen } from './facts.ts';
import { finding, type Rule, undecided } from './rule.ts';

/** AMD's retired-branch events that rolled-back speculation after a lock reaches (rr issues 2034, 3301). */
const SPECULATED: ReadonlySet<number> = new Set([0xd1, 0xc2]);
/** Runs closer together than this part of their count are taken for runs of one program. */
const NEARLY_EQUAL = 1000n;
/** CPUs on which they are known not to. */
const UNSTEADY_CPUS = /thunderx2/i;
/** Events that equal runs do not repeat: MEM_ACCESS (kvm-unit-tests 3c23bf40). */
const UNSTEADY: ReadonlySet<number> = new Set([0x13]);

function spread(values: readonly bigint[]): { min: bigint; max: bigint } {
  return {
    min: values.reduce((a, b) => (b < a ? b : a)),
    max: values.reduce((a, b) => (b > a ? b : a)),
  };
}

function median(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted[sorted.length >> 1] ?? 0n;
}

/** Runs of one event on a CPU of the list differ by a little. */
const hwOvercount: Rule = {
  code: 'hw-overcount',
  judge({ window, run, series }) {
    const zen = isZen(run);
    if (run.vendor !== 'amd' || zen === false || series === null) return undefined;
    if (window.event === undefined || !SPECULATED.has(window.event)) return undefined;
    const { min, max } = spread(series.values);
    if (max === min || (max - min) * NEARLY_EQUAL > max) return undefined;
    const text = `${series.values.length} nearly equal runs of this event differ by up to ${max - min}`;
    if (zen === undefined) {
      return undecided('hw-overcount', `${text}.`, ['cpu-model', 'bare-metal'], [window.firstRead]);
    }
    return finding(
      'hw-overcount',
      'consistent',
      `${text}: this CPU counts speculation after a lock and does not take it back.`,
      [window.firstRead],
      { missing: ['bare-metal'] },
    );
  },
};

const MANY_RUNS = 10;

/** Equal runs of an unsteady event differ. */
const hwVariance: Rule = {
  code: 'hw-variance',
  judge({ window, run, series }) {
    if (run.arch !== 'arm64' || window.event === undefined || !UNSTEADY.has(window.event))
      return undefined;
    if (series === null || series.values.length < MANY_RUNS) return undefined;
    const { min, max } = spread(series.values);
    if (max * 2n < min * 3n) return undefined;
    const text = `${series.values.length} runs of this event gave ${min} to ${max}`;
    const listed = UNSTEADY_CPUS.test(run.cpuModel ?? '');
    return listed
      ? finding(
          'hw-variance',
          'consistent',
          `${text}: on this CPU it is not exact.`,
          [window.firstRead],
          { missing: ['bare-metal'] },
        )
      : undecided(
          'hw-variance',
          `${text}; on some CPUs it is not exact.`,
          run.cpuModel === undefined ? ['cpu-model', 'bare-metal'] : ['bare-metal'],
          [window.firstRead],
        );
  },
};

const SERIES = 6;
/** Below this many events a factor of two is chance. */
const FEW = 1000n;

/** The first of a series is far above the rest, which agree. */
const coldStart: Rule = {
  code: 'cold-start',
  judge({ window, series }) {
    if (series === null || series.index !== 0) return undefined;
    const [first = 0n, ...rest] = series.values;
    if (series.values.length < SERIES) {
      const usual = median(rest);
      return rest.length < 2 || usual < FEW || first < usual * 2n
        ? undefined
        : undecided(
            'cold-start',
            `The first of ${series.values.length} measurements counted ${first}, the others about ${usual}; that is too few to tell.`,
            ['repeats', 'register-values'],
            [window.firstRead],
          );
    }
    const late = series.values.slice(series.values.length >> 1);
    const usual = median(late);
    const { min, max } = spread(late);
    if (usual < FEW || (max - min) * 10n > usual || first < usual * 2n) return undefined;
    return finding(
      'cold-start',
      'proven',
      `The first of ${series.values.length} measurements counted ${first}, the later ones ${min} to ${max}.`,
      [window.firstRead],
    );
  },
};

/** A topdown metric is eight bits of the slots. */
const metricsQuantised: Rule = {
  code: 'metrics-quantised',
  judge(compared) {
    const { window, run } = compared;
    const { metrics } = window.records;
    if (!isSlots(window, run) || window.guest === null) return undefined;
    if (metrics === null) {
      return window.records.metricsUntold === 0
        ? undefined
        : undecided(
            'metrics-quantised',
            'PERF_METRICS was read with RDPMC; what it returned is not recorded.',
            ['rdpmc-values'],
            [window.records.metricsUntold],
          );
    }
    const step = window.guest.high / 510n;
    return finding(
      'metrics-quantised',
      'proven',
      `PERF_METRICS gives each metric in steps of ${window.guest.high / 255n} of ${window.guest.high} slots.`,
      [metrics.seq, window.lastRead],
      { amount: againstProgram(compared, { low: -step, high: step }) },
    );
  },
};

export const HARDWARE_RULES: readonly Rule[] = [
  hwOvercount,
  hwVariance,
  coldStart,
  metricsQuantised,
];
