// node bench/recordings-table.mjs [--write] [DIR…]: what replaying each recording says, as a page of tables.
// Without --write the page is printed, with it docs/recordings.md is written. DIR is a folder of recordings beside
// traces/ (one folder each): its rows are marked "not shipped" and stay in the page when it is made again without DIR.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const PAGE = join(ROOT, 'docs', 'recordings.md');
export const SHIPPED = join(ROOT, 'traces');

const FORMS = ['trace-raw', 'trace-cmd-report', 'perf-script'];
const SUFFIXES = ['.txt', '.txt.zst', '.txt.gz'];
const NOT_SHIPPED = 'not shipped';
/** Only looking at records this far inside what two recorders share: each stamps the same record by itself. */
const MARGIN_NS = 50_000n;

/** The tables of the page; a row is keyed by its first two cells and says in the third whether it can be made again. */
const TABLES = {
  full: [
    'recording',
    'form',
    'ships',
    'kernel rules',
    'chosen by',
    'events',
    'lost',
    'guest reads: counters / all',
    'confirmed',
    'bounded',
    'unknown',
    'contradicted',
    'not confirmed because',
    'backing events predicted',
    'interrupt levels predicted',
  ],
  blind: [
    'recording',
    'form',
    'ships',
    'guest reads: counters / all',
    'confirmed',
    'bounded',
    'unknown',
    'contradicted',
    'bounds of counters: median',
    'widest',
    'backing events predicted',
  ],
  forms: [
    'recording',
    'form',
    'ships',
    'first record (s)',
    'last record (s)',
    'events',
    'of vCPU threads',
    'guest reads',
    '`hw_add` less',
    'others less / more',
    'at another place',
    'stamped later (µs)',
    'other threads, while both record',
  ],
};

/** The page's text: `folders` are the places to look for recordings in, `previous` is the page as it was. */
export async function recordingsPage(library, folders, previous = '') {
  const rows = { full: new Map(), blind: new Map(), forms: new Map() };
  for (const [recording, forms] of findRecordings(folders)) {
    let reference;
    for (const { form, path, ships } of forms) {
      const { full, blind, records } = await measure(library, path, {
        compared: form === FORMS[0] || reference !== undefined,
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
  return render(rows);
}

/** Recordings by name, each with its text forms in the order of FORMS; the earlier folder wins where two have one. */
function findRecordings(folders) {
  const found = new Map();
  for (const { path: folder, ships } of folders) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      for (const form of FORMS) {
        const path = SUFFIXES.map((suffix) => join(folder, entry.name, form + suffix)).find(
          (file) => existsSync(file),
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

/** The cells of one recording, and its records if they are to be compared with another form's. */
async function measure(library, path, { compared }) {
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
        records: compared
          ? { ...readRecords(library, log), reads: await guestReads(library, log) }
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

/** What of a recording can be compared with another form of it. */
function readRecords(library, log) {
  const { EventFlag, EventKind, KIND_SPECS } = library;
  const threads = new Set(log.vcpus().map(({ tid }) => tid));
  const attrs = new Map();
  const attr = (id) => {
    if (!attrs.has(id)) attrs.set(id, Object.values(log.attr(id) ?? {}).join(' '));
    return attrs.get(id);
  };
  const own = [];
  const others = [];
  let hwAdds = 0;
  for (const chunk of log.chunks()) {
    for (let i = 0; i < chunk.length; i++) {
      const time = chunk.time[i];
      if (!threads.has(chunk.tid[i])) {
        others.push(time);
        continue;
      }
      const kind = chunk.kind[i];
      if (kind === EventKind.hwAdd) {
        hwAdds++;
        continue;
      }
      // What one recorder prints otherwise or not at all (see "Print") is no difference between the records.
      let flags = chunk.flags[i] & ~(EventFlag.preempted | EventFlag.timeBack);
      if (kind === EventKind.userspaceExit) flags &= ~EventFlag.failed;
      if (kind === EventKind.halt) {
        own.push({ time, text: `${kind} ${chunk.tid[i]}` });
        continue;
      }
      const { code } = KIND_SPECS[kind];
      const id = chunk.code[i];
      const what = code === 'name' ? log.name(id) : code === 'attr' ? attr(id) : id;
      const { pcpu, vcpu, tid, counter, object, value, aux0, aux1 } = chunk;
      const text = [kind, what, flags, pcpu[i], vcpu[i], tid[i], counter[i], object[i], value[i]];
      own.push({ time, text: `${text.join(' ')} ${aux0[i]} ${aux1[i]}` });
    }
  }
  return { events: log.eventCount, first: log.firstTime, last: log.lastTime, own, others, hwAdds };
}

function compareForms(records, reference) {
  const { events, first, last, own, others, hwAdds } = records;
  const cells = [seconds(first), seconds(last), count(events), count(own.length + hwAdds)];
  if (reference === undefined) return [...cells, ...Array(6).fill('–')];
  const [reads, expected] = [records.reads.map(readText), reference.reads.map(readText)];
  const same = reads.length === expected.length && reads.every((text, i) => text === expected[i]);
  const { less, more, laterNs } = align(reference.own, own);
  const moved = reference.own.filter(({ text }, i) => own[i]?.text !== text).length;
  const from = maximum(first, reference.first) + MARGIN_NS;
  const to = minimum(last, reference.last) - MARGIN_NS;
  const shared = (times) => times.filter((time) => time >= from && time <= to).length;
  return [
    ...cells,
    same ? 'the same' : 'different',
    count(reference.hwAdds - hwAdds),
    `${count(less)} / ${count(more)}`,
    less + more === 0 ? count(moved) : '–',
    laterNs === undefined ? '–' : (Number(laterNs) / 1000).toFixed(1),
    `${count(shared(others))} of ${count(shared(reference.others))}`,
  ];
}

/** A guest read without its place in the log. */
function readText({ vcpu, space, code, verdict, recorded, recordedUndef, low, span, unknownBits }) {
  return [vcpu, space, code, verdict, recorded, recordedUndef, low, span, unknownBits].join(' ');
}

/** Pairs equal records, the first with the first: how many have no partner, and the median of how much later a partner is. */
function align(reference, own) {
  const waiting = new Map();
  for (const { text, time } of own) {
    const times = waiting.get(text);
    if (times === undefined) waiting.set(text, { times: [time], next: 0 });
    else times.times.push(time);
  }
  let less = 0;
  const later = [];
  for (const { text, time } of reference) {
    const partner = waiting.get(text);
    if (partner === undefined || partner.next === partner.times.length) less++;
    else later.push(partner.times[partner.next++] - time);
  }
  later.sort(compare);
  return { less, more: own.length - later.length, laterNs: later[later.length >> 1] };
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const minimum = (a, b) => (a < b ? a : b);
const maximum = (a, b) => (a > b ? a : b);
const count = (number) => number.toString().replace(/\B(?=(\d{3})+$)/g, ',');
const seconds = (ns) =>
  `${ns / 10n ** 9n}.${((ns % 10n ** 9n) / 1000n).toString().padStart(6, '0')}`;

function tableText(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const order = (cells) => `${cells[0]} ${FORMS.indexOf(cells[1])}`;
  const sorted = [...rows.values()].sort((a, b) => compare(order(a), order(b)));
  return [line(columns), `|${'---|'.repeat(columns.length)}`, ...sorted.map(line)].join('\n');
}

/** Rows of the table with these columns in a page; none if the page has another table or none. */
export function tableRows(page, columns) {
  const [, body = ''] = page.split(`| ${columns.join(' | ')} |\n`);
  const rows = [];
  for (const line of body.split('\n').slice(1)) {
    if (!line.startsWith('| ')) break;
    rows.push(line.slice(2, -2).split(' | '));
  }
  return rows;
}

/** Sum over all rows of the numbers of a column, the last of those in one cell. */
function sum(rows, column) {
  const at = TABLES.full.indexOf(column);
  let total = 0;
  for (const cells of rows.values())
    total += Number(cells[at].split(' / ').at(-1).replaceAll(',', ''));
  return count(total);
}

function render({ full, blind, forms }) {
  const recordings = new Set([...full.values()].map(([recording]) => recording)).size;
  return `# What replay says about each recording

Made by \`npm run recordings\`; do not edit. ${count(recordings)} recordings in ${count(full.size)} texts, ${sum(full, 'events')} events, ${sum(full, 'guest reads: counters / all')} guest reads of PMU registers:
${sum(full, 'confirmed')} confirmed, ${sum(full, 'bounded')} within bounds, ${sum(full, 'unknown')} unknown, ${sum(full, 'contradicted')} contradicted. A test makes the rows of the shipped recordings again and compares them with this page.
Recordings too large to ship keep the rows they had when they were last at hand, marked \`${NOT_SHIPPED}\`; \`node bench/recordings-table.mjs --write DIR\` makes them again from a folder that has them.

Each text is imported by itself, without a word about its kernel, and checked twice: with all evidence, and blind, without any recorded count of a backing event.

## All evidence
- **kernel rules**, **chosen by**: the texts do not name the kernel they were recorded on. What a record shows that only one kernel does decides; \`--kernel\` and \`--rules\` override it.
- **events**: records in the text. **lost**: records that the recorder says it lost.
- **guest reads**: completed guest accesses whose value was recorded, of counters / of all PMU registers; the four verdicts likewise.
- **confirmed**: the value was predicted exactly before it was looked at. **bounded**: it lies inside the predicted bounds, or agrees in all bits that were predicted. **unknown**: nothing
  was predicted. **contradicted**: it cannot have been read.
- **not confirmed because**: \`constant-not-seen-elsewhere\` are reads of PMCEID0 and PMCEID1, constants of the VM: one that is read only once could only be predicted from itself.
  S7-storm-lossy begins in the middle of a run: the guest chose its events before (\`type-not-known\`), and nothing tells the value of a counter before it is first read
  (\`initial-state-not-recorded\`).
- **backing events predicted**: host perf events that KVM created for guest counters with the configuration and sample period the model predicted, of all that were created or predicted.
- **interrupt levels predicted**: changes of the PMU's interrupt line, of all recorded. None (–) where no counter overflowed, or vgic_update_irq_pending was not recorded.

${tableText(TABLES.full, full)}

## Blind
The same with \`--without counts\`: what follows from the guest's register writes and earlier reads, the life of the backing events, and when the vCPU ran. The bounds of a counter that may have
moved reach from its last known value to what no core could exceed in the time it may have run, so they are wide; recordings without guest entries and exits (the \`-lean\` ones) have
the widest. No recorded value lies outside.
- **bounds of counters**: width of the predicted interval, in counts, over the counter reads that are not predicted exactly: the middle one and the widest.
- A counter that cannot have moved is confirmed without any count: all that three of the kvm-unit-tests read, and in S3-lean those whose event the host could not place.

${tableText(TABLES.blind, blind)}

## Why the texts of one recording differ
All recorders ran at once on the same run; yet the texts hold different numbers of events. What the guest read is the same in all of them: number, order, register, value, prediction and
verdict (**guest reads**). What differs was found by comparing \`trace-cmd report\` and \`perf script\` with tracefs text, record by record and column by column:
1. **Start and stop.** tracefs was switched on and off first, then trace-cmd, then perf (in S4-lean perf before trace-cmd). The vCPU threads live and die while all three record, so the extra
   records are those of other threads, mostly task switches of an idle machine. While two recorders were both on, they have the same number of records of other threads.
2. **\`hw_add\` in perf.data.** The probe on the PMU driver's add callback often fires while perf schedules its own events, and perf's recursion guard drops the record without counting it as lost.
   No other record of a vCPU thread is missing (**others less / more**). On 6.1 none is, and of the 205 refused placements in S3-lean none either.
3. **Order.** Where an interrupt came while a record was being taken, one recorder has the record first and another the interrupt's. **at another place** counts the records that do not stand where
   tracefs text has them, \`hw_add\` apart.
4. **Time.** Each recorder takes its own time stamp. **stamped later** is the median against tracefs text; that and \`trace-cmd report\` cut to µs, \`perf script --ns\` does not.
5. **Print**, not counted as a difference: \`trace-cmd report\` leaves out the \`+\` of a preempted task (\`R+\`); it and perf print \`kvm_wfx_arm64\` without its values (\`wf>c<\`), and the first
   \`kvm_userspace_exit\` as KVM_EXIT_UNKNOWN where tracefs has \`restart\`; perf prints the last task switches of an exiting thread with pid −1 (the importer goes by the record's own fields).

\`perf script\` without \`--guest-code\` (perf-script-default.txt) is not in the tables: it leaves out every record taken while a vCPU was loaded, and not one guest read is left.

${tableText(TABLES.forms, forms)}
`;
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
