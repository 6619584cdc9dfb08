import {
  CAUSES,
  type Diagnosis,
  type Log,
  type StatisticsDiagnosis,
  type VcpuFact,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import {
  comparisonText,
  largestText,
  ledgerRows,
  proven,
  spanText,
  suspectText,
  vcpuText,
} from './diagnose.ts';
import { type DiagnosisView, type WindowGroup, windowGroups } from './diagnosis-groups.ts';
import {
  evidenceText,
  missingText,
  notComparedLine,
  nothingLine,
  undecidedText,
  verdictLine,
} from './diagnosis-words.ts';
import { eventLayout, eventLine } from './event-text.ts';
import { impossibleText } from './impossible.ts';
import { apartText, statCount, statDifference } from './statistics.ts';
import { plural, printable } from './text.ts';

/** What a bug report needs besides the diagnosis. */
export interface ReportContext {
  readonly log: Log;
  /** The command that makes this report again. */
  readonly command: string;
  readonly version: string;
}

/** Records printed as evidence of one finding. */
const EVIDENCE_SHOWN = 8;

/** The diagnosis as a bug report in Markdown. */
export function printMarkdown(
  shell: Shell,
  diagnosis: Diagnosis,
  view: DiagnosisView,
  context: ReportContext,
): void {
  const { log } = context;
  const vcpus = log.vcpus();
  const lines: string[] = ['# Guest and host counts'];
  for (const text of impossibleText(diagnosis)) lines.push('', escaped(text));
  if (diagnosis.ruleSet !== null) lines.push('', escaped(verdictLine(diagnosis)));
  const nothing = nothingLine(diagnosis);
  if (nothing !== undefined) lines.push('', escaped(nothing));
  const notCompared = notComparedLine(diagnosis);
  if (notCompared !== undefined) lines.push('', escaped(notCompared));
  lines.push('', '## Setup', '', ...setup(diagnosis, context));
  for (const statistics of diagnosis.statistics) lines.push('', ...statisticsSection(statistics));
  const groups = diagnosis.ruleSet === null ? [] : windowGroups(diagnosis, view);
  for (const group of groups) lines.push('', ...groupSection(group, view, log, vcpus));
  lines.push(...overallSection(diagnosis));
  const shown = groups.reduce((sum, { windows }) => sum + windows.length, 0);
  const hidden = diagnosis.windows.length - shown + diagnosis.droppedWindows;
  if (hidden > 0) lines.push('', `${plural(hidden, 'window')} without a finding left out.`);
  for (const line of lines) shell.print(line);
}

function setup({ ruleSet }: Diagnosis, { log, command, version }: ReportContext): string[] {
  const imports = log.imports();
  const kernel = (role: 'host' | 'guest'): string =>
    [
      ...new Set(
        imports.flatMap(({ facts }) =>
          facts.role === role && facts.kernelRelease !== undefined ? [facts.kernelRelease] : [],
        ),
      ),
    ].join(', ') || 'not recorded';
  const rows: (readonly [string, string])[] = [
    ['host kernel', kernel('host')],
    ['guest kernel', kernel('guest')],
    ...(ruleSet === null ? [] : [['rule set', `${ruleSet.name} (${ruleSet.reason})`] as const]),
    ...imports.map(
      ({ facts, digest }) =>
        [
          `${facts.role} recording`,
          `${facts.name} (${facts.format}, SHA-256 ${digest.slice(0, 16)}…)`,
        ] as const,
    ),
    ['made by', version],
  ];
  return [...table(['', ''], rows, ['left', 'left']), '', 'To reproduce:', '', ...code([command])];
}

function groupSection(
  group: WindowGroup,
  view: DiagnosisView,
  log: Log,
  vcpus: readonly VcpuFact[],
): string[] {
  const { window, ledger } = group.largest;
  const several = group.windows.length > 1;
  const head = `${vcpuText(window.vcpu, vcpus)} ${window.eventName} (counter ${window.counter})`;
  const lines = [`## ${escaped(head)}`, '', escaped(spanText(group)) + (several ? '.' : '')];
  if (several) lines.push(`The largest: ${escaped(largestText(group))}.`);
  const comparison = comparisonText(group);
  if (comparison !== undefined) lines.push('', escaped(comparison));
  const suspect = suspectText(group);
  if (suspect !== undefined) lines.push('', escaped(suspect));
  const titles = several
    ? ['', `all ${group.windows.length}`, 'share', 'largest']
    : ['', 'events', 'share'];
  const rows = ledgerRows(group).map((row) =>
    (several ? row : row.slice(0, 3)).map((cell) => cell.trim()),
  );
  lines.push('', ...table(titles, rows, ['left', 'right', 'right', 'right']), '');
  for (const { finding } of group.findings) {
    const { grade, code: cause, text, evidence, because, missing } = finding;
    lines.push(
      `- **${grade} ${cause}**: ${escaped(text)} ${evidenceText(evidence, EVIDENCE_SHOWN)}`,
    );
    for (const reason of because) {
      const of = evidenceText(reason.evidence, EVIDENCE_SHOWN);
      lines.push(`  - because **${reason.code}**: ${escaped(reason.text)} ${of}`.trimEnd());
    }
    if (missing.length > 0) lines.push(`  - to decide: ${escaped(missingText(missing))}`);
  }
  for (const undecided of group.undecidable) lines.push(`- ${escaped(undecidedText(undecided))}`);
  if (view.all) {
    for (const { code: cause, text } of ledger.excluded) {
      lines.push(`- excluded ${cause}: ${escaped(text)}`);
    }
  }
  for (const cause of proven(group.findings)) {
    lines.push(`- what to do about ${cause}: ${escaped(CAUSES[cause].remedy)}`);
  }
  const records = evidenceLines(group, log);
  if (records.length > 0) lines.push('', 'Evidence:', '', ...code(records));
  return lines;
}

/** Causes that are about the whole recording, not one window. */
function overallSection({ overall: { findings, undecidable } }: Diagnosis): string[] {
  if (findings.length + undecidable.length === 0) return [];
  return [
    '',
    '## The whole recording',
    '',
    ...findings.map(
      ({ grade, code: cause, text, evidence }) =>
        `- **${grade} ${cause}**: ${escaped(text)} ${evidenceText(evidence, EVIDENCE_SHOWN)}`,
    ),
    ...undecidable.map((undecided) => `- ${escaped(undecidedText(undecided))}`),
  ];
}

/** The records the findings of the largest window rest on. */
function evidenceLines({ findings }: WindowGroup, log: Log): string[] {
  const seqs = new Set<number>();
  for (const { finding } of findings) {
    for (const { evidence } of [finding, ...finding.because]) {
      for (const seq of evidence.slice(0, EVIDENCE_SHOWN)) seqs.add(seq);
    }
  }
  const events = [...seqs].sort((a, b) => a - b).flatMap((seq) => log.event(seq) ?? []);
  if (events.length === 0) return [];
  const layout = eventLayout(events.at(-1)!.seq, log.lastTime ?? 0n);
  return events.map((event) => eventLine(event, log, layout));
}

function statisticsSection(diagnosis: StatisticsDiagnosis): string[] {
  const { host, guest, rows, verdict, statements, open, toDecide } = diagnosis;
  return [
    `## ${verdict.grade}: ${verdict.code}`,
    '',
    escaped(verdict.text),
    '',
    `host: ${escaped(host.name)}, guest: ${escaped(guest.name)}`,
    '',
    ...table(
      ['event', 'host', 'guest', 'guest-host', 'ratio', 'apart'],
      rows.map((row) => [
        row.event,
        statCount(row.host, row.unit),
        statCount(row.guest, row.unit),
        statDifference(row),
        row.ratio === null ? '' : row.ratio.toFixed(3),
        apartText(row),
      ]),
      ['left', 'right', 'right', 'right', 'right', 'right'],
    ),
    '',
    'The numbers support:',
    ...statements.map(({ text }) => `- ${escaped(text)}`),
    '',
    'They leave open:',
    ...open.map(({ code: cause, missing }) => `- ${cause}: ${escaped(missingText(missing))}`),
    '',
    'To decide:',
    ...toDecide.map((text, i) => `${i + 1}. ${escaped(text)}`),
  ];
}

function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right')[],
): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(titles),
    `|${titles.map((_, i) => (align[i] === 'right' ? '---:' : '---')).join('|')}|`,
    ...rows.map((row) => line(row.map(escaped))),
  ];
}

/** A block in which nothing is markup, whatever the recording holds. */
function code(lines: readonly string[]): string[] {
  const shown = lines.map(printable);
  const longest = Math.max(
    2,
    ...shown.flatMap((line) => (line.match(/`+/g) ?? []).map((t) => t.length)),
  );
  const fence = '`'.repeat(longest + 1);
  return [fence, ...shown, fence];
}

/** Text without a character that Markdown would take for markup. */
function escaped(text: string): string {
  return printable(text).replace(/[\\|*_`<>[\]#]/g, '\\$&');
}
