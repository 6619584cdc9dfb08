// node bench/recordings-table.mjs [--write] [DIR…]: what replaying each recording says, as a page of tables.
// Without --write the page is printed, with it docs/recordings.md is written. DIR is a folder of recordings beside
// traces/ (one folder each): its rows are marked "not shipped" and stay in the page when it is made again without DIR.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compareForms, readRecords } from './recordings-forms.mjs';
import {
  compare,
  count,
  FORMS,
  NOT_SHIPPED,
  renderPage,
  TABLES,
  tableRows,
} from './recordings-page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = join(ROOT, 'docs', 'recordings.md');
const SHIPPED = join(ROOT, 'traces');
const PACKED = ['', '.zst', '.gz'];

/** The page's text: `folders` are the places to look for recordings in, `previous` is the page as it was. */
export async function recordingsPage(library, folders, previous = '') {
  const rows = { full: new Map(), blind: new Map(), forms: new Map() };
  for (const [recording, forms] of findRecordings(folders)) {
    let reference;
    for (const { form, path, ships } of forms) {
      const { full, blind, records } = await measure(library, path, {
        listed: form === FORMS[0] || reference !== undefined,
        compared: forms.length > 1,
      });
      const head = [recording, form, ships ? 'yes' : NOT_SHIPPED];
      const key = `${recording} ${form}`;
      rows.full.set(key, [...head, ...full]);
      rows.blind.set(key, [...head, ...blind]);
      if (records === undefined) continue;
      if (reference?.ships === false) head[2] = NOT_SHIPPED;
      rows.forms.set(key, [...head, ...compareForms(records, reference?.records)]);
      reference ??= form === FORMS[0] ? { ships, records } : undefined;
    }
  }
  for (const [name, made] of Object.entries(rows)) {
    for (const cells of tableRows(previous, TABLES[name])) {
      const key = `${cells[0]} ${cells[1]}`;
      if (cells[2] === NOT_SHIPPED && !made.has(key)) made.set(key, cells);
    }
  }
  return renderPage(rows);
}

/** Recordings by name, each with its forms in the order of FORMS; the earlier folder wins where two have one. */
function findRecordings(folders) {
  const found = new Map();
  for (const { path: folder, ships } of folders) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      for (const form of FORMS) {
        const name = form.includes('.') ? form : `${form}.txt`;
        const path = PACKED.map((suffix) => join(folder, entry.name, name + suffix)).find((file) =>
          existsSync(file),
        );
        const forms = found.get(entry.name) ?? [];
        if (path === undefined || forms.some((known) => known.form === form)) continue;
        found.set(entry.name, [...forms, { form, path, ships }]);
      }
    }
  }
  for (const forms of found.values()) {
    forms.sort((a, b) => FORMS.indexOf(a.form) - FORMS.indexOf(b.form));
  }
  return [...found].sort(([a], [b]) => compare(a, b));
}

/** The cells of one recording; its records if it is listed among the forms, their text only if it has some to compare with. */
async function measure(library, path, { listed, compared }) {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-table-'));
  try {
    const file = join(folder, 'recording.vpmu');
    await library.importInto(file, [{ path }]);
    const log = library.openLog(file);
    try {
      const withheld = library.parseWithheld(['counts']);
      const blindReads = await guestReads(library, log, { withheld });
      return {
        full: fullCells(log, library.checkLog(log)),
        blind: blindCells(library.checkLog(log, { withheld }), blindReads),
        records: listed
          ? { ...readRecords(library, log, compared), reads: await guestReads(library, log) }
          : undefined,
      };
    } finally {
      log.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fullCells(log, check) {
  const { ruleSet, interruptLevels: irq } = check;
  const levels = irq.confirmed + irq.unknown + irq.contradicted;
  return [
    ruleSet.name,
    ruleSet.reason,
    count(log.eventCount),
    count(log.imports().reduce((sum, row) => sum + row.lost, 0n)),
    ...verdicts(check),
    [...check.reasons].map(([reason, reads]) => `${reason} ${count(reads)}`).join(', ') || '–',
    backing(check),
    levels === 0 ? '–' : `${count(irq.confirmed)} of ${count(levels)}`,
  ];
}

function blindCells(check, reads) {
  const bounded = reads
    .filter(({ counter, verdict, span }) => counter >= 0 && verdict !== 'unknown' && span !== 0n)
    .map(({ span }) => span)
    .sort(compare);
  return [
    ...verdicts(check),
    bounded.length === 0 ? '–' : count(bounded[bounded.length >> 1]),
    bounded.length === 0 ? '–' : count(bounded.at(-1)),
    backing(check),
  ];
}

function verdicts({ guestReads: all, counterReads: counters }) {
  return [
    `${count(counters.total)} / ${count(all.total)}`,
    ...['confirmed', 'bounded', 'unknown', 'contradicted'].map(
      (verdict) => `${count(counters[verdict])} / ${count(all[verdict])}`,
    ),
  ];
}

function backing({ backingEvents: { confirmed, contradicted, deviations } }) {
  const all = confirmed + contradicted + deviations;
  return all === 0 ? '–' : `${count(confirmed)} of ${count(all)}`;
}

/** The guest reads of a recording, as replayed. */
async function guestReads(library, log, choices) {
  const { source, config } = library.prepareReplay(log, choices);
  const reads = [];
  await library.replay(source, config).forEach(({ observations }) => {
    for (const read of observations) reads.push(read);
  });
  return reads;
}

async function main(args) {
  const folders = args.filter((arg) => arg !== '--write');
  const unknown = folders.find((arg) => arg.startsWith('-'));
  if (unknown !== undefined) {
    process.stderr.write('usage: node bench/recordings-table.mjs [--write] [DIR…]\n');
    process.exit(2);
  }
  const library = await import('../dist/index.js');
  const page = await recordingsPage(
    library,
    [{ path: SHIPPED, ships: true }, ...folders.map((path) => ({ path, ships: false }))],
    existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '',
  );
  if (args.includes('--write')) writeFileSync(PAGE, page);
  else process.stdout.write(page);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2));
}
