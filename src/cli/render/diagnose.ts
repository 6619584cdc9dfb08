import { grouped } from '../../domain/u64.ts';
import {
  CAUSES,
  type CauseCode,
  type Diagnosis,
  formatTime,
  type GuestWindow,
  type VcpuFact,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import {
  type DiagnosisView,
  type GroupFinding,
  type WindowGroup,
  windowGroups,
} from './diagnosis-groups.ts';
import {
  amountText,
  evidenceText,
  missingText,
  notComparedLine,
  nothingLine,
  shareText,
  undecidedText,
  verdictLine,
} from './diagnosis-words.ts';
import { impossibleText } from './impossible.ts';
import { statisticsLines } from './statistics.ts';
import { type Column, renderTable, wrapText } from './table.ts';
import { formatDuration, plural } from './text.ts';

const TEXT_WIDTH = 100;
const INDENT = 4;
/** Causes of lost time. */
const TIME_CAUSES: ReadonlySet<CauseCode> = new Set(['host-steal', 'halt-poll', 'observer-cost']);
/** Sequence numbers printed of one finding, and with -v. */
const EVIDENCE_SHOWN = 4;
const EVIDENCE_SHOWN_ALL = 32;

/** The diagnosis as text for a terminal: the verdict, then the ledger of every group of windows. */
export function printDiagnosis(
  shell: Shell,
  diagnosis: Diagnosis,
  view: DiagnosisView,
  vcpus: readonly VcpuFact[],
): void {
  for (const [i, statistics] of diagnosis.statistics.entries()) {
    if (i > 0) shell.print();
    for (const line of statisticsLines(statistics, shell.width, (text) =>
      shell.style('heading', text),
    )) {
      shell.print(line);
    }
  }
  const nothing = nothingLine(diagnosis);
  if (nothing !== undefined) {
    for (const line of wrapText(nothing, room(shell))) shell.print(line);
  }
  if (diagnosis.ruleSet === null) return;
  if (diagnosis.statistics.length > 0) shell.print();
  for (const text of impossibleText(diagnosis)) {
    for (const line of wrapText(text, room(shell))) shell.print(shell.style('warning', line));
  }
  for (const line of wrapText(verdictLine(diagnosis), room(shell))) {
    shell.print(shell.style('heading', line));
  }
  const notCompared = notComparedLine(diagnosis);
  if (notCompared !== undefined) {
    for (const line of wrapText(notCompared, room(shell))) shell.print(line);
  }
  const groups = windowGroups(diagnosis, view);
  const told = new Set<CauseCode>();
  for (const group of groups) {
    shell.print();
    for (const line of groupLines(group, shell, view, vcpus, told)) shell.print(line);
  }
  printOverall(shell, diagnosis, view);
  printRest(shell, diagnosis, groups);
}

/** Causes that are about the whole recording, not one window. */
function printOverall(shell: Shell, { overall }: Diagnosis, view: DiagnosisView): void {
  const { findings, undecidable, excluded } = overall;
  if (findings.length + undecidable.length + (view.all ? excluded.length : 0) === 0) return;
  const most = view.all ? EVIDENCE_SHOWN_ALL : EVIDENCE_SHOWN;
  const say = (text: string, indent: number, hanging = indent + 2): void => {
    for (const line of wrapped(text, room(shell), indent, hanging)) shell.print(line);
  };
  shell.print();
  shell.print(shell.style('heading', 'The whole recording'));
  for (const finding of findings) findingLines(finding, say, most);
  for (const undecided of undecidable) say(undecidedText(undecided), INDENT);
  if (view.all) for (const { code, text } of excluded) say(`excluded ${code}: ${text}`, INDENT);
}

function printRest(shell: Shell, diagnosis: Diagnosis, groups: readonly WindowGroup[]): void {
  const shown = groups.reduce((sum, { windows }) => sum + windows.length, 0);
  const lines: string[] = [];
  const hidden = diagnosis.windows.length - shown;
  if (shown > groups.length) {
    lines.push('Windows of a counter with the same causes are one entry; -v shows each.');
  }
  lines.push(...timeLines(diagnosis, groups, room(shell)));
  if (hidden > 0) lines.push(`${plural(hidden, 'window')} without a finding not shown (-v).`);
  if (diagnosis.droppedWindows > 0) {
    lines.push(
      shell.style('warning', `${plural(diagnosis.droppedWindows, 'window')} left out: too many.`),
    );
  }
  if (lines.length > 0) shell.print();
  for (const line of lines) shell.print(line);
}

/**
 * Causes that say where time went, of the windows that are not shown: clocks ran on, counts are not touched. What one says
 * of the longest of its windows stands for all.
 */
function timeLines(
  { windows }: Diagnosis,
  groups: readonly WindowGroup[],
  width: number,
): string[] {
  const shown = new Set(groups.flatMap((group) => group.windows));
  const told = new Map<CauseCode, { count: number; longest: GuestWindow; text: string }>();
  for (const of of windows) {
    if (shown.has(of)) continue;
    const { window } = of;
    for (const { code, amount, text } of of.ledger.findings) {
      if (amount !== null || !TIME_CAUSES.has(code)) continue;
      const before = told.get(code);
      const longer = before === undefined || lengthOf(window) > lengthOf(before.longest);
      const count = (before?.count ?? 0) + 1;
      told.set(code, longer ? { count, longest: window, text } : { ...before, count });
    }
  }
  return [...told].flatMap(([code, { count, longest, text }]) => {
    const at = `@${longest.fromSeq}-@${longest.toSeq}`;
    const where = count === 1 ? `in ${at}` : `in ${plural(count, 'window')}; in the longest, ${at}`;
    return wrapped(`Time, not counts: ${code} ${where}: ${text}`, width, 0, INDENT);
  });
}

function lengthOf({ fromTime, toTime }: GuestWindow): bigint {
  return toTime - fromTime;
}

function room(shell: Shell): number {
  return Math.max(24, Math.min(shell.width, TEXT_WIDTH));
}

/** `vcpu0`, with KVM's index where it is another number. */
export function vcpuText(slot: number, vcpus: readonly VcpuFact[]): string {
  const index = vcpus.find((vcpu) => vcpu.slot === slot)?.index;
  return index === undefined || index === slot ? `vcpu${slot}` : `vcpu${slot} (index ${index})`;
}

/** `3 windows, @12 … @90`, or the one window's times. */
export function spanText({ windows, largest: { window } }: WindowGroup): string {
  if (windows.length === 1) {
    return `${formatTime(window.fromTime)} – ${formatTime(window.toTime)}  @${window.fromSeq}-@${window.toSeq}`;
  }
  const first = Math.min(...windows.map(({ window }) => window.fromSeq));
  const last = Math.max(...windows.map(({ window }) => window.toSeq));
  return `${plural(windows.length, 'window')}, @${first} … @${last}`;
}

/** `the largest: @18991-@19133, 13.584 ms from 21.960911000`. */
export function largestText({ largest: { window } }: WindowGroup): string {
  const length = formatDuration(window.toTime - window.fromTime);
  return `@${window.fromSeq}-@${window.toSeq}, ${length} from ${formatTime(window.fromTime)}`;
}

/** The rows of a group's ledger: label, all windows together, their share, the largest alone. */
export function ledgerRows(group: WindowGroup): readonly (readonly string[])[] {
  const { largest, difference } = group;
  const { host, ledger, window } = largest;
  const guest = host === null ? window.guest : host.guest;
  const rows: string[][] = [['guest', amountText(group.guest), '', amountText(guest)]];
  if (host !== null) {
    rows.push(
      ['host :G', group.host === null ? '-' : grouped(group.host), '', grouped(host.host)],
      ['difference', amountText(difference), '', amountText(ledger.difference)],
    );
  }
  for (const { finding, total } of group.findings) {
    const share = shareText(total, difference);
    rows.push([
      `  ${finding.grade} ${finding.code}`,
      amountText(total),
      share,
      amountText(finding.amount),
    ]);
  }
  if (group.unexplained !== null) {
    const { unexplained } = group;
    rows.push([
      '  unexplained',
      amountText(unexplained),
      shareText(unexplained, difference),
      amountText(ledger.unexplained),
    ]);
  }
  return rows;
}

/** Why there is no comparison, or that it is over a part only; undefined where there is nothing to say. */
export function comparisonText({ largest: { host, window } }: WindowGroup): string | undefined {
  if (host === null) {
    const why =
      window.guest === null && window.guestReason !== '' ? ` (${window.guestReason})` : '';
    return `no host count of guest mode (:G) over this span${why}`;
  }
  if (host.fromSeq <= window.fromSeq && host.toSeq >= window.toSeq) return undefined;
  return `compared over @${host.fromSeq}-@${host.toSeq}, where both counts are known`;
}

/** That values after a refused control write are suspect; undefined where there was none. */
export function suspectText({ largest: { suspectSince } }: WindowGroup): string | undefined {
  if (suspectSince === null) return undefined;
  return `every value since @${suspectSince} is suspect: a control write was refused (#GP)`;
}

function groupLines(
  group: WindowGroup,
  shell: Shell,
  view: DiagnosisView,
  vcpus: readonly VcpuFact[],
  told: Set<CauseCode>,
): string[] {
  const { window } = group.largest;
  const several = group.windows.length > 1;
  const head = `${vcpuText(window.vcpu, vcpus)} ${window.eventName} (counter ${window.counter})`;
  const lines: string[] = [];
  const say = (text: string, indent: number, hanging = indent + 2): void => {
    for (const line of wrapped(text, room(shell), indent, hanging)) lines.push(line);
  };
  for (const line of wrapText(`${head}  ${spanText(group)}`, room(shell))) {
    lines.push(shell.style('heading', line));
  }
  if (several) say(`the largest: ${largestText(group)}`, 2);
  const comparison = comparisonText(group);
  if (comparison !== undefined) say(comparison, 2);
  const suspect = suspectText(group);
  if (suspect !== undefined) say(suspect, 2);
  lines.push(...ledgerTable(group, shell));
  const most = view.all ? EVIDENCE_SHOWN_ALL : EVIDENCE_SHOWN;
  for (const { finding } of group.findings) findingLines(finding, say, most);
  for (const undecided of group.undecidable) say(undecidedText(undecided), INDENT);
  if (view.all) {
    for (const { code, text, evidence } of group.largest.ledger.excluded) {
      say(`excluded ${code}: ${text} ${evidenceText(evidence, most)}`.trimEnd(), INDENT);
    }
  }
  for (const code of proven(group.findings)) {
    // The same advice once is enough.
    if (told.has(code)) say(`do (${code}): as above`, INDENT);
    else say(`do (${code}): ${CAUSES[code].remedy}`, INDENT);
    told.add(code);
  }
  return lines;
}

function ledgerTable(group: WindowGroup, shell: Shell): readonly string[] {
  const several = group.windows.length > 1;
  const rows = ledgerRows(group).map((row) => (several ? row : row.slice(0, 3)));
  // Without a host count there is nothing to have a share of.
  const shares = rows.some((row) => row[2] !== '');
  const right = { align: 'right' as const };
  const columns: Column[] = several
    ? [
        { title: '' },
        { title: `all ${group.windows.length}`, ...right },
        { title: '', ...right, ...(shares ? {} : { expendable: 2 }) },
        { title: 'largest', ...right, expendable: 1 },
      ]
    : [{ title: '' }, { title: '', ...right }, { title: '', ...right }];
  return renderTable(columns, rows, { width: shell.width, indent: INDENT });
}

function findingLines(
  finding: GroupFinding['finding'],
  say: (text: string, indent: number, hanging?: number) => void,
  most: number,
): void {
  const { grade, code, text, evidence, because, missing } = finding;
  say(`${grade} ${code}: ${text} ${evidenceText(evidence, most)}`.trimEnd(), INDENT);
  for (const reason of because) {
    const of = evidenceText(reason.evidence, most);
    say(`because ${reason.code}: ${reason.text} ${of}`.trimEnd(), INDENT + 2);
  }
  if (missing.length > 0) say(`to decide: ${missingText(missing)}`, INDENT + 2);
}

/** Codes that are proven, each once. */
export function proven(findings: readonly GroupFinding[]): readonly CauseCode[] {
  const codes = findings.flatMap(({ finding }) =>
    finding.grade === 'proven' ? [finding.code, ...finding.because.map(({ code }) => code)] : [],
  );
  return [...new Set(codes)];
}

/** Text in a paragraph; its first line `indent` in, the others `hanging`. */
function wrapped(text: string, width: number, indent: number, hanging: number): string[] {
  return wrapText(text, Math.max(20, width - hanging)).map(
    (line, i) => ' '.repeat(i === 0 ? indent : hanging) + line,
  );
}
