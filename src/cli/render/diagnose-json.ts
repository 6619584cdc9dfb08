import type {
  Diagnosis,
  Ledger,
  StatisticsDiagnosis,
  VcpuFact,
  WindowDiagnosis,
} from '../../index.ts';
import { verdictLine } from './diagnosis-words.ts';

/** `diagnose --json`: vpmu-diagnosis/1 of docs/json.md. */
export function diagnosisJson(diagnosis: Diagnosis, vcpus: readonly VcpuFact[]): unknown {
  return {
    format: 'vpmu-diagnosis/1',
    ruleSet: diagnosis.ruleSet,
    verdict: diagnosis.ruleSet === null ? null : verdictLine(diagnosis),
    windows: diagnosis.windows.map((window) => windowJson(window, vcpus)),
    overall: ledgerJson(diagnosis.overall),
    droppedWindows: diagnosis.droppedWindows,
    reports: diagnosis.reports,
    statistics: diagnosis.statistics.map(statisticsJson),
  };
}

function windowJson(
  { window, host, ledger, verdict, notCompared, suspectSince, impossible }: WindowDiagnosis,
  vcpus: readonly VcpuFact[],
): unknown {
  return {
    vcpu: window.vcpu,
    index: vcpus.find(({ slot }) => slot === window.vcpu)?.index ?? null,
    counter: window.counter,
    event: window.event ?? null,
    eventName: window.eventName,
    fromSeq: window.fromSeq,
    toSeq: window.toSeq,
    fromTime: window.fromTime,
    toTime: window.toTime,
    verdict,
    notCompared: notCompared === '' ? null : notCompared,
    suspectSince,
    impossible,
    guest: window.guest,
    guestReason: window.guestReason === '' ? null : window.guestReason,
    compared:
      host === null
        ? null
        : {
            fromSeq: host.fromSeq,
            toSeq: host.toSeq,
            fromTime: host.fromTime,
            toTime: host.toTime,
            guest: host.guest,
            modesFrom: host.modesFrom,
            placed: host.placed ?? null,
          },
    host: host === null ? null : host.host,
    ...ledgerJson(ledger),
  };
}

function ledgerJson(ledger: Ledger) {
  return {
    difference: ledger.difference,
    unexplained: ledger.unexplained,
    causes: ledger.findings.map(({ code, grade, amount, text, evidence, because, missing }) => ({
      code,
      grade,
      amount,
      text,
      evidence,
      because,
      missing,
    })),
    excluded: ledger.excluded.map(({ code, text, evidence }) => ({ code, text, evidence })),
    undecidable: ledger.undecidable.map(({ code, text, missing, evidence }) => ({
      code,
      text,
      missing,
      evidence,
    })),
  };
}

function statisticsJson(diagnosis: StatisticsDiagnosis): unknown {
  const { host, guest, rows, ...rest } = diagnosis;
  return {
    host: host.name,
    guest: guest.name,
    rows: rows.map(({ event, unit, host: h, guest: g, difference, ratio, sigma, apart }) => ({
      event,
      unit,
      host: h.state === 'counted' ? h.value : h.state,
      guest: g.state === 'counted' ? g.value : g.state,
      difference,
      ratio,
      sigma,
      apart,
    })),
    ...rest,
  };
}
