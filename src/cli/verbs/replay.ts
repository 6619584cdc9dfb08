import type { Command } from 'commander';
import { parseIntegerList } from '../../domain/range-spec.ts';
import {
  formatTime,
  KIND_SPECS,
  type Log,
  parseWithheld,
  type ReplayChoices,
  type ReplayState,
  replayTo,
  UsageError,
  watchCounter,
} from '../../index.ts';
import { parsePmuEvents } from '../event-filter.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { resolveInstant } from '../ranges.ts';
import { printJson } from '../render/json.ts';
import { printReplay, replayJson } from '../render/replay.ts';
import { withLog } from '../resolve-log.ts';
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
      withLog(args, options, shell, async (log) => {
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
        const state = replayTo(log, resolveInstant(options.at ?? 'end', log), choices);
        const chosen = onlyEvents(onlyVcpus(state, options.vcpu), options.event);
        if (options.json) printJson(shell, replayJson(chosen));
        else printReplay(shell, chosen);
      }),
    );
  addRecordingOptions(command);
}

function onlyVcpus(state: ReplayState, text: string | undefined): ReplayState {
  if (text === undefined) return state;
  const wanted = parseIntegerList(text, { what: 'vCPU' });
  const vcpus = state.vcpus.filter(({ slot }) => wanted.includes(slot));
  if (vcpus.length === 0) {
    throw new UsageError(
      `--vcpu ${text}: no such vCPU`,
      `the log has ${state.vcpus.map(({ slot }) => slot).join(', ') || 'none'}`,
    );
  }
  return { ...state, vcpus };
}

/** Leaves only the counters that are programmed for one of these events. */
function onlyEvents(state: ReplayState, words: readonly string[] | undefined): ReplayState {
  if (words === undefined) return state;
  const wanted = parsePmuEvents(words);
  const vcpus = state.vcpus.map((vcpu) => ({
    ...vcpu,
    counters: vcpu.counters.filter(({ event }) => event !== undefined && wanted.has(event)),
  }));
  return { ...state, vcpus };
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
  const counter = counterText === 'cycles' ? CYCLES : Number(counterText);
  if (!/^\d+$|^cycles$/.test(counterText) || counter > CYCLES) {
    throw new UsageError(
      `--watch-counter ${counterText}: no counter`,
      'a counter is 0 to 30, or 31 or cycles for the cycle counter',
    );
  }
  shell.print('time,seq,kind,certainty,low,high');
  await watchCounter(log, wanted[0]!, counter, choices).forEach((point) => {
    const bounds = point.certainty === 'unknown' ? ',' : `${point.low},${point.high}`;
    shell.print(
      `${formatTime(point.time)},${point.seq},${KIND_SPECS[point.kind]!.name},${point.certainty},${bounds}`,
    );
  });
}
