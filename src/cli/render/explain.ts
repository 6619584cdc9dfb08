import { CAUSE_CODES, CAUSE_GROUPS, CAUSES, type Cause, RECORDINGS } from '../../index.ts';
import type { Shell } from '../shell.ts';
import { renderTable, wrapText } from './table.ts';

const TEXT_WIDTH = 100;
const LABEL = 12;

/** All causes, a line each, under the stage of a diagnosis they belong to. */
export function printCauses(shell: Shell): void {
  CAUSE_GROUPS.forEach(({ key, title }, i) => {
    if (i > 0) shell.print();
    shell.print(shell.style('heading', title));
    const rows = CAUSE_CODES.filter((code) => CAUSES[code].group === key).map((code) => [
      code,
      CAUSES[code].title,
    ]);
    const columns = [{ title: '' }, { title: '', wrapTo: 30 }];
    for (const line of renderTable(columns, rows, { width: shell.width, indent: 2 })) {
      shell.print(line);
    }
  });
}

/** One entry in full. */
export function printCause(shell: Shell, cause: Cause): void {
  shell.print(`${shell.style('heading', cause.code)}  ${cause.title}`);
  const width = Math.max(20, Math.min(shell.width, TEXT_WIDTH) - LABEL - 2);
  const say = (label: string, text: string): void => {
    wrapText(text, width).forEach((line, i) => {
      shell.print(`  ${(i === 0 ? label : '').padEnd(LABEL)}${line}`);
    });
  };
  say('what', cause.definition);
  say('direction', cause.direction);
  say('size', `${cause.size}; grows with ${cause.scalesWith}`);
  say('needs', cause.necessary);
  say('proved by', cause.proof);
  say('ruled out', cause.ruledOutBy);
  cause.needs.forEach((need, i) => {
    say(i === 0 ? 'record' : '', `${RECORDINGS[need].text}: ${RECORDINGS[need].how}`);
  });
  say('do', cause.remedy);
  say('from', cause.sources.join('; '));
}

/** `explain --json`: the entries asked for, or all. */
export function causeJson(causes: readonly Cause[]): unknown {
  const asked = causes.length > 0 ? causes : CAUSE_CODES.map((code) => CAUSES[code]);
  return {
    causes: asked.map(({ needs, ...cause }) => ({
      ...cause,
      records: needs.map((need) => ({ record: need, ...RECORDINGS[need] })),
    })),
  };
}
