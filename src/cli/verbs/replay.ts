import type { Command } from 'commander';
import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { parseIntegerList } from '../../domain/range-spec.ts';
import {
  formatTime,
  KIND_SPECS,
  type Log,
  parseWithheld,
  type ReplayChoices,
  type ReplayState,
  replayTo,
  type TimeSpec,
  UsageError,
  watchCounter,
} from '../../index.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { machineOf, parsePmuEvents } from '../pmu-events.ts';
import { resolveInstant, timeSpan } from '../ranges.ts';
import { printJson } from '../render/json.ts';
import { printReplay, replayJson } from '../render/replay.ts';
import { withLog } from '../resolve-log.ts';
import { parseVcpus } from '../selection.ts';
import type { Shell } from '../shell.ts';

interface ReplayOptions extends RecordingOptions {
  readonly at?: string;
  readonly vcpu?: string;
  readonly event?: readonly string[];
  readonly rules?: string;
  readonly without?: readonly string[];
  readonly watchCounter?: string;
  readonly json?: boolean;
}

/** `vpmu replay`: the PMU of each vCPU at an instant. */
export function addReplay(program: Command, shell: Shell): void {
  const command = program
    .command('replay')
    .summary('every PMU register and counter at an instant')
    .description(
      "Replays up to an instant and prints what each vCPU's PMU held: value and how sure it is, the event selected, whether it counts or which gate is closed, the backing event and its state, and the record it rests on.",
    )
    .argument('[LOG | RECORDING...]', 'a log, or recordings to import first');
  command
    .option('--at <TIME>', 'the instant: 423.518, +20us, 50%, @SEQ, start, end (default: end)')
    .option('--vcpu <LIST>', 'only these vCPUs, as 0,2-3')
    .addOption(list('-e, --event <LIST>', 'only counters of these PMU events, as cycles,r08'))
    .option('--rules <NAME>', 'rule set, instead of the one of the recording (vpmu models)')
    .addOption(list('--without <LIST>', 'withhold evidence, as check does'))
    .option('--watch-counter <N>', 'instead, the values of one counter over the whole log, as CSV')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu replay traces/S3-lean/trace-raw.txt.zst --at 21.965
  vpmu replay guest.vpmu --at @12000 --vcpu 0 --json
  vpmu replay guest.vpmu --watch-counter cycles > cycles.csv`,
    )
    .action((args: string[], options: ReplayOptions) =>
      withLog(
        args,
        options,
        shell,
        async (log) => {
          const choices = {
            ...(options.rules === undefined ? {} : { rules: options.rules }),
            ...(options.without === undefined ? {} : { withheld: parseWithheld(options.without) }),
          };
          if (options.watchCounter !== undefined) {
            if (options.at !== undefined || options.json) {
              throw new UsageError(
                '--watch-counter prints the whole log as CSV: --at and --json do not go with it',
                'vpmu replay LOG --watch-counter cycles > cycles.csv',
              );
            }
            await printSeries(shell, log, options.watchCounter, options.vcpu, choices);
            return;
          }
          const wanted =
            options.event === undefined ? undefined : parsePmuEvents(options.event, machineOf(log));
          const instant = resolveInstant(options.at ?? 'end', log);
          const state = onlyVcpus(replayTo(log, instant, choices), options.vcpu, log);
          const chosen = onlyEvents(state, wanted);
          if (options.json) printJson(shell, replayJson(chosen));
          else printReplay(shell, chosen, log.vcpus());
          if (options.quiet !== true) noteEmptiness(shell, options, log, state, chosen, instant);
        },
        { replays: true },
      ),
    );
  addRecordingOptions(command);
}

function onlyVcpus(state: ReplayState, text: string | undefined, log: Log): ReplayState {
  if (text === undefined) return state;
  const wanted = parseVcpus(text, log);
  return { ...state, vcpus: state.vcpus.filter(({ slot }) => wanted.has(slot)) };
}

/** Leaves only the counters that are programmed for one of these events. */
function onlyEvents(state: ReplayState, wanted: ReadonlySet<number> | undefined): ReplayState {
  if (wanted === undefined) return state;
  const vcpus = state.vcpus.map((vcpu) => ({
    ...vcpu,
    counters: vcpu.counters.filter(({ event }) => event !== undefined && wanted.has(event)),
  }));
  return { ...state, vcpus };
}

/** Says why less is shown than was asked for. */
function noteEmptiness(
  shell: Shell,
  { at, event }: ReplayOptions,
  log: Log,
  all: ReplayState,
  chosen: ReplayState,
  instant: TimeSpec,
): void {
  const { last } = timeSpan(log);
  if (instant.kind === 'at' && instant.ns > last) {
    shell.note(
      `vpmu: ${at} is after the recording ends (${formatTime(last)}): what is shown is its last state`,
    );
  }
  if (event === undefined || chosen.vcpus.some(({ counters }) => counters.length > 0)) return;
  const names = new Set(all.vcpus.flatMap(({ counters }) => counters.map((c) => c.eventName)));
  shell.note(
    `vpmu: no counter is programmed for ${event.join(', ')} then; they are for ${[...names].join(', ') || 'nothing known'}`,
  );
}

const CYCLES = 31;

/** One line per record that changed what is known of a counter: time, seq, what the record was, certainty, bounds. */
async function printSeries(
  shell: Shell,
  log: Log,
  counterText: string,
  vcpuText: string | undefined,
  choices: ReplayChoices,
): Promise<void> {
  const slots = log.vcpus().map(({ slot }) => slot);
  const wanted =
    vcpuText === undefined
      ? slots
      : parseIntegerList(vcpuText, { what: 'vCPU' }).filter((slot) => slots.includes(slot));
  if (wanted.length !== 1) {
    throw new UsageError(
      `--watch-counter: ${wanted.length === 0 ? 'no such vCPU' : 'which vCPU?'}`,
      `the log has vCPU ${slots.join(', ') || 'none'}; --vcpu N chooses one`,
    );
  }
  const counter = counterNumber(counterText, machineOf(log) === 'arm64');
  let head: string | undefined = 'time,seq,kind,certainty,low,high';
  // Not before it is clear that there is such a counter.
  const printHead = (): void => {
    if (head !== undefined) shell.print(head);
    head = undefined;
  };
  await watchCounter(log, wanted[0]!, counter, choices).forEach((point) => {
    printHead();
    const bounds = point.certainty === 'unknown' ? ',' : `${point.low},${point.high}`;
    shell.print(
      `${formatTime(point.time)},${point.seq},${KIND_SPECS[point.kind]!.name},${point.certainty},${bounds}`,
    );
  });
  printHead();
}

/** KVM's number of a counter: `cycles` is arm64's cycle counter, on x86 the fixed counter for cycles. */
function counterNumber(text: string, arm64: boolean): number {
  const fixed = /^fixed(\d)$/.exec(text);
  if (!arm64 && fixed !== null) return FIXED_BASE + Number(fixed[1]);
  if (text === 'cycles') return arm64 ? CYCLES : FIXED_BASE + 1;
  if (/^\d{1,2}$/.test(text) && Number(text) <= CYCLES) return Number(text);
  throw new UsageError(
    `--watch-counter ${text}: no counter`,
    arm64
      ? 'a counter is 0 to 30, or 31 or cycles for the cycle counter'
      : 'a counter is 0 to 31, fixed0 to fixed3, or cycles for fixed1',
  );
}
