import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, UnknownFormatError, VpmuError } from '../domain/errors.ts';
import {
  type CheckResult,
  checkLog,
  type ReplayChoices,
  type SliceFacts,
  type SliceReads,
  sliceOfRecordings,
} from '../index.ts';
import type { RecordingOptions } from './options.ts';
import { plural } from './render/text.ts';
import { withLog } from './resolve-log.ts';
import type { Shell } from './shell.ts';

/** How checking one file came out. */
export interface SuitePoint {
  readonly file: string;
  /** `skipped`: not a recording, or nothing in it can be compared; `error`: it could not be read. */
  readonly outcome: 'passed' | 'failed' | 'error' | 'skipped';
  /** What was found, one line each; why it failed or was skipped. */
  readonly lines: readonly string[];
  readonly guestReads: SliceReads | null;
  /** What a slice says it came to when it was cut. */
  readonly expected: SliceReads | null;
  readonly seconds: number;
}

/** True where the arguments are to be checked file by file. */
export function isSuite(args: readonly string[]): boolean {
  return args.some((arg) => statSync(arg, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** The files of the arguments: those of a folder sorted by name, without hidden ones and folders. */
export function suiteFiles(args: readonly string[]): readonly string[] {
  return args.flatMap((arg) => {
    const stat = statSync(arg, { throwIfNoEntry: false });
    if (stat === undefined) throw new InputError(`${arg}: no such file or directory`);
    if (!stat.isDirectory()) return [arg];
    return readdirSync(arg)
      .filter((name) => !name.startsWith('.'))
      .map((name) => join(arg, name))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true)
      .sort((a, b) => (a < b ? -1 : 1));
  });
}

/** Checks one file; what goes wrong with it is its own affair. */
export async function checkFile(
  file: string,
  options: RecordingOptions,
  choices: ReplayChoices,
  shell: Shell,
): Promise<SuitePoint> {
  const began = performance.now();
  const point = (
    outcome: SuitePoint['outcome'],
    lines: readonly string[],
    more: Partial<SuitePoint> = {},
  ): SuitePoint => ({
    file,
    outcome,
    lines,
    guestReads: null,
    expected: null,
    seconds: (performance.now() - began) / 1000,
    ...more,
  });
  try {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) {
      return point('error', [`${file}: no such file or directory`]);
    }
    return await withLog(
      [file],
      options,
      shell,
      (log) => {
        const result = checkLog(log, choices);
        const slice = expectedOf(sliceOfRecordings(log.imports()), result, choices);
        const { guestReads } = result;
        const counts = { guestReads: { ...guestReads }, expected: slice?.guestReads ?? null };
        const differences = slice === undefined ? [] : sliceDifferences(slice, result);
        if (differences.length > 0) return point('failed', differences, counts);
        const found = `${plural(guestReads.total, 'guest read')}: ${readsText(guestReads)}`;
        if (slice !== undefined) return point('passed', [`${found}, as when it was cut`], counts);
        if (guestReads.contradicted > 0) {
          const first = result.contradictions[0]!;
          return point('failed', [found, `first contradiction @${first.seq}`], counts);
        }
        return guestReads.confirmed + guestReads.bounded === 0
          ? point('skipped', ['no guest read to compare'], counts)
          : point('passed', [found], counts);
      },
      { warn: false, replays: true },
    );
  } catch (error) {
    if (error instanceof UnknownFormatError) return point('skipped', ['not a recording']);
    if (!(error instanceof VpmuError)) throw error;
    return point('error', [error.message]);
  }
}

/** The slice facts that this check has to meet: none where the user asked for other rules or less evidence. */
export function expectedOf(
  slice: SliceFacts | undefined,
  result: CheckResult,
  choices: ReplayChoices,
): SliceFacts | undefined {
  if (slice === undefined || choices.withheld !== undefined) return undefined;
  const other = choices.rules !== undefined && slice.ruleSet !== result.ruleSet.name;
  return other ? undefined : slice;
}

/** What came out otherwise than when the slice was cut; empty when nothing did. */
export function sliceDifferences(slice: SliceFacts, result: CheckResult): readonly string[] {
  const groups = [
    ['guest reads', slice.guestReads, result.guestReads],
    ['counter reads', slice.counterReads, result.counterReads],
  ] as const;
  const rules =
    slice.ruleSet === result.ruleSet.name
      ? []
      : [`rule set: ${result.ruleSet.name}, ${slice.ruleSet} when the slice was cut`];
  const counts = groups.flatMap(([what, then, now]) =>
    (['total', 'confirmed', 'bounded', 'unknown', 'contradicted'] as const).flatMap((count) =>
      then[count] === now[count]
        ? []
        : [`${what} ${count}: ${now[count]}, ${then[count]} when the slice was cut`],
    ),
  );
  return [...rules, ...counts];
}

function readsText(reads: SliceReads): string {
  const { confirmed, bounded, unknown, contradicted } = reads;
  return `${confirmed} confirmed, ${bounded} bounded, ${unknown} unknown, ${contradicted} contradicted`;
}
