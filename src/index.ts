import { importIntoLog } from './import/import-into-log.ts';
import type { ImportOptions, ImportReport, RecordingInput } from './import/report.ts';
import { openLogForImport } from './log/log.ts';

export { arm64EventByName, arm64EventLabel } from './arch/arm64-events.ts';
export { arm64RegisterName, parseArm64Register } from './arch/arm64-registers.ts';
export type { Arm64RuleSet } from './arch/arm64-rules.ts';
export { RESERVED_RULE_SETS, type ReservedRuleSet } from './arch/reserved-rule-sets.ts';
export {
  archOfRules,
  type RuleDifference,
  type RuleValue,
  ruleDifferences,
  ruleValues,
} from './arch/rule-set-fields.ts';
export { arm64RuleSet, type RuleSetInfo, ruleSetForKernel, ruleSets } from './arch/rule-sets.ts';
export {
  CAUSE_CODES,
  CAUSES,
  type Cause,
  type CauseCode,
  causeByCode,
} from './diagnose/causes/catalogue.ts';
export {
  CAUSE_GROUPS,
  type CauseGroup,
  RECORDINGS,
  type RecordingNeed,
} from './diagnose/causes/cause.ts';
export type { CheckTotals, VerdictCounts } from './diagnose/check.ts';
export { type CheckResult, type Contradiction, checkLog } from './diagnose/check-log.ts';
export { type Diagnosis, diagnoseLog, type WindowDiagnosis } from './diagnose/diagnose-log.ts';
export type { DiffNote, DiffRow, DiffTotal, HostCount } from './diagnose/diff.ts';
export { type DiffResult, diffLog, type HostEventSummary } from './diagnose/diff-log.ts';
export type { Impossible } from './diagnose/guard.ts';
export type { GuestWindow, HostSpan } from './diagnose/guest-windows/guest-window.ts';
export type { Amount } from './diagnose/ledger/amount.ts';
export type { Exclusion, Finding, Undecided } from './diagnose/ledger/judgement.ts';
export type { Ledger } from './diagnose/ledger/ledger.ts';
export { decisiveOverall, type Outcome, outcomeOf } from './diagnose/outcome.ts';
export { type Slice, sliceLog } from './diagnose/slice-log.ts';
export type { IntervalRow } from './diagnose/stat-intervals.ts';
export type { StatRow } from './diagnose/statistics/compare.ts';
export type { StatisticsDiagnosis } from './diagnose/statistics/diagnose-statistics.ts';
export type { StatSample, StatSide } from './diagnose/statistics/samples.ts';
export { EXIT, InputError, UsageError, VpmuError } from './domain/errors.ts';
export { CHUNK_EVENTS, type Event, type EventChunk, eventAt } from './domain/event-chunk.ts';
export {
  EventFlag,
  EventKind,
  KIND_SPECS,
  type KindSpec,
  kindByName,
} from './domain/event-kind.ts';
export type {
  ImportNotice,
  PerfEventAttr,
  RecordingFacts,
  Role,
  VcpuFact,
} from './domain/log-facts.ts';
export { type SliceFacts, type SliceReads, sliceOfRecordings } from './domain/slice-facts.ts';
export {
  formatTime,
  parseTime,
  parseTimeRange,
  type ResolvedRange,
  resolveTime,
  resolveTimeRange,
  type TimeRangeSpec,
  type TimeSpec,
} from './domain/time-spec.ts';
export type { PerfOperations } from './emulator/perf-operations.ts';
export { importRecordings } from './import/import-recordings.ts';
export { sliceSource } from './import/jsonl/slice-source.ts';
export { type JsonLinesSource, writeJsonLines } from './import/jsonl/writer.ts';
export type {
  ImportOptions,
  ImportProgress,
  ImportReport,
  InputReport,
  RecordingInput,
} from './import/report.ts';
export { openLog, openLogForImport } from './log/log.ts';
export { type RecordingConflict, recordingConflicts } from './log/recording-conflicts.ts';
export type {
  ChunkRange,
  ImportRow,
  Log,
  LogChunk,
  VerifyReport,
  WritableLog,
} from './log/types.ts';
export { EVIDENCE_GROUPS, parseWithheld, type Withheld } from './replay/evidence.ts';
export type { Observation, Verdict } from './replay/observation.ts';
export {
  type ReplayChunk,
  type ReplayLimit,
  type ReplayOptions,
  type ReplaySource,
  type ReplayStep,
  replay,
} from './replay/replay.ts';
export {
  type PreparedReplay,
  prepareReplay,
  type ReplayChoices,
  type ReplayLog,
} from './replay/replay-log.ts';
export { type ReplayState, replayTo, resolveLimit } from './replay/replay-to.ts';
export type { ReplayConfig } from './replay/replayer.ts';
export type { SliceableLog, SliceRange } from './replay/slice/slice-events.ts';
export type {
  BackingState,
  Certainty,
  CounterState,
  RegisterState,
  VcpuState,
} from './replay/state-view.ts';
export { traceSpan } from './replay/trace-span.ts';
export type { RuleSetChoice } from './replay/vm-facts.ts';
export { type SeriesPoint, watchCounter } from './replay/watch-counter.ts';
export type { AccessCost } from './replay/what-if/access-cost.ts';
export type { GuestAccess, HardwareOperations } from './replay/what-if/engine-run.ts';
export type { Shown } from './replay/what-if/shown.ts';
export { whatIf } from './replay/what-if/what-if.ts';
export type {
  Comparison,
  Parting,
  WhatIfCounter,
  WhatIfOperations,
  WhatIfResult,
  WhatIfValue,
  WhatIfVcpu,
} from './replay/what-if/what-if-result.ts';

/**
 * Imports recordings (files, or bytes as they come) into a log, which is made if it is missing. All of them or nothing:
 * when the promise rejects (InputError, UsageError, the reason of an aborted signal) the log is as it was.
 */
export async function importInto(
  logPath: string,
  recordings: readonly RecordingInput[],
  options: ImportOptions = {},
): Promise<ImportReport> {
  const log = openLogForImport(logPath);
  try {
    return await importIntoLog(log, recordings, options);
  } finally {
    log.close();
  }
}
