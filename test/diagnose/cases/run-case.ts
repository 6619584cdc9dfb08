import {
  type Diagnosis,
  diagnoseLog,
  type WindowDiagnosis,
} from '../../../src/diagnose/diagnose-log.ts';
import type { Ledger } from '../../../src/diagnose/ledger/ledger.ts';
import type { RecordingFacts } from '../../../src/domain/log-facts.ts';
import { draw, MemoryLog } from '../../drawn-trace.ts';
import type { DiscrepancyCase } from './case.ts';

/** What came out of a case. */
export interface CaseRun {
  readonly diagnosis: Diagnosis;
  /** The window the case is about; undefined when it is about the whole log, or there is no such window. */
  readonly window: WindowDiagnosis | undefined;
  /** The ledgers the case's expectations are about. */
  readonly ledgers: readonly Ledger[];
}

function windowOf(of: DiscrepancyCase, { windows }: Diagnosis): WindowDiagnosis | undefined {
  if (of.counter === undefined) return undefined;
  return windows
    .filter(({ window }) => window.counter === of.counter && window.vcpu === (of.vcpu ?? 0))
    .sort(
      (a, b) =>
        b.window.totals.guestNs - a.window.totals.guestNs || a.window.fromSeq - b.window.fromSeq,
    )[0];
}

/** Diagnoses a drawing with the facts of a case. */
export function runCase(
  of: DiscrepancyCase,
  drawing = of.drawing,
  recording: Partial<RecordingFacts> | undefined = of.recording,
  guest: Partial<RecordingFacts> | undefined = of.guestRecording,
): CaseRun {
  const log = new MemoryLog(draw(drawing), 4096, recording, guest);
  const diagnosis = diagnoseLog(log, of.rules === undefined ? {} : { rules: of.rules });
  const window = windowOf(of, diagnosis);
  const ledgers = [...(window === undefined ? [] : [window.ledger]), diagnosis.overall];
  return { diagnosis, window, ledgers };
}

/** The drawing without the lines that are the decisive evidence. */
export function withoutDecisive({ drawing, decisive, instead }: DiscrepancyCase): string {
  return drawing
    .split('\n')
    .flatMap((line) => {
      if (decisive?.test(line) !== true) return [line];
      return instead === undefined ? [] : [instead(line)];
    })
    .join('\n');
}

/** The drawing with a lost-record event inside the window. */
export function withLoss({ drawing, lostBefore }: DiscrepancyCase): string {
  const lines = drawing.split('\n');
  const at =
    lostBefore === undefined
      ? lines.findLastIndex((line) => line.replace(/#.*$/, '').trim() !== '')
      : lines.findIndex((line) => lostBefore.test(line));
  return [...lines.slice(0, at), '+0 v0 lost 3', ...lines.slice(at)].join('\n');
}
