// The page docs/recordings.md: its tables, and the text around them. Made by recordings-table.mjs.

/** The forms of a recording, texts and files of the recorders; the first is what the others are compared with. */
export const FORMS = [
  'trace-raw',
  'trace-cmd-report',
  'trace.dat',
  'trace-v6.dat',
  'perf-script',
  'perf.data',
];
/** Third cell of a row that only somebody who has the recording can make again. */
export const NOT_SHIPPED = 'not shipped';

/** The tables of the page; a row is keyed by its first two cells and says in the third whether it can be made again. */
export const TABLES = {
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

/** How numbers are printed in the page: 1,234. */
export const count = (number) => number.toString().replace(/\B(?=(\d{3})+$)/g, ',');
export const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

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

/** The whole page from the rows of its tables, by `recording form`. */
export function renderPage({ full, blind, forms }) {
  const recordings = new Set([...full.values()].map(([recording]) => recording)).size;
  return `# What replay says about each recording

Made by \`npm run recordings\`; do not edit. ${count(recordings)} recordings in ${count(full.size)} forms, ${sum(full, 'events')} events, ${sum(full, 'guest reads: counters / all')} guest reads of PMU registers:
${sum(full, 'confirmed')} confirmed, ${sum(full, 'bounded')} within bounds, ${sum(full, 'unknown')} unknown, ${sum(full, 'contradicted')} contradicted. A test makes the rows of the shipped recordings again and compares them with this page.
Recordings too large to ship keep the rows they had when they were last at hand, marked \`${NOT_SHIPPED}\`; \`node bench/recordings-table.mjs --write DIR\` makes them again from a folder that has them.

Each form, a text or the recorder's own file, is imported by itself, without a word about its kernel, and checked twice: with all evidence, and blind, without any recorded count of a backing event.

## All evidence
- **kernel rules**, **chosen by**: most texts do not name the kernel they were recorded on, a trace.dat or perf.data does. Otherwise what a record shows that only one kernel does decides; \`--kernel\` and \`--rules\`
  override it. Recordings whose names begin with X are of x86 hosts.
- **events**: records in it. **lost**: records that the recorder says it lost.
- **guest reads**: completed guest accesses whose value was recorded, of counters / of all PMU registers; the four verdicts likewise.
- **confirmed**: the value was predicted exactly before it was looked at. **bounded**: it lies inside the predicted bounds, or agrees in all bits that were predicted. **unknown**: nothing
  was predicted. **contradicted**: it cannot have been read.
- **not confirmed because**: \`constant-not-seen-elsewhere\` are reads of PMCEID0 and PMCEID1, constants of the VM: one that is read only once could only be predicted from itself.
  \`initial-state-not-recorded\`: S7-storm-lossy begins in the middle of a run, and nothing tells the value of a counter before it is first read.
- **backing events predicted**: host perf events that KVM created for guest counters with the configuration and sample period the model predicted, of all that were created or predicted.
- **interrupt levels predicted**: changes of the PMU's interrupt line, of all recorded. None (–) where no counter overflowed, or vgic_update_irq_pending was not recorded.

${tableText(TABLES.full, full)}

## Blind
The same with \`--without counts\`: what follows from the guest's register writes and earlier reads, the life of the backing events, and when the vCPU ran. The bounds of a counter that may have
moved reach from its last known value to what no core could exceed in the time the vCPU may have run since, so they are wide, and wider the longer ago that was.
No recorded value lies outside.
- **bounds of counters**: width of the predicted interval, in counts, over the counter reads that are not predicted exactly: the middle one and the widest.
- A counter that cannot have moved is confirmed without any count: all that three of the kvm-unit-tests read, for one, and in S3-lean those whose event the host could not place.

${tableText(TABLES.blind, blind)}

## Why the forms of one recording differ
All recorders ran at once on the same run; yet what they recorded holds different numbers of events. What the guest read is the same in all of them: number, order, register, value, prediction and
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
