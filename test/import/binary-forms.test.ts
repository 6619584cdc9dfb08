import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HaltInstruction } from '../../src/arch/tracepoints.ts';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import { compareForms, type Form, importForm, type Loss } from './binary-against-text.ts';

/** Recordings beside the shipped ones: `VPMU_RECORDINGS=DIR:DIR npx vitest run …`. */
const FOLDERS = [
  fileURLToPath(new URL('../../traces', import.meta.url)),
  ...(process.env['VPMU_RECORDINGS'] ?? '').split(':').filter((path) => path !== ''),
];
const RECORDINGS = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, folder: join(folder, name) })),
);

function formOf(folder: string, name: string): string | undefined {
  return ['', '.zst', '.gz']
    .map((end) => join(folder, name + end))
    .find((path) => existsSync(path));
}

/**
 * What libtraceevent prints, and so both tools: a wfx tracepoint cut off at its %c, an exit to the VMM after an error as if
 * there had been none (it compares errno with 0 as unsigned).
 */
const printed: Loss = (row) => {
  if (row.kind === EventKind.userspaceExit) return { ...row, flags: row.flags & ~EventFlag.failed };
  if (row.kind !== EventKind.halt) return row;
  return { ...row, code: HaltInstruction.unknown, value: 0n, flags: row.flags | EventFlag.noValue };
};

/** What its sched plugin prints besides: a task state without `+`. Without -R trace-cmd uses the plugins. */
const byPlugin: Loss = (row) =>
  row.kind === EventKind.schedSwitch ? { ...row, flags: row.flags & ~EventFlag.preempted } : row;

/** Text of a binary form: its times' unit (half of it is the tolerance), what it loses. */
interface TextForm {
  readonly name: string;
  readonly tolerance: bigint;
  readonly losses: readonly Loss[];
}

const NS = 0n;
const US = 500n;
const TEXTS: Readonly<Record<string, readonly TextForm[]>> = {
  'perf.data': [
    { name: 'perf-script.txt', tolerance: NS, losses: [printed] },
    { name: 'perf-script-F.txt', tolerance: NS, losses: [printed] },
  ],
  'trace.dat': [
    { name: 'trace-cmd-report-R.txt', tolerance: US, losses: [] },
    { name: 'trace-cmd-report-t.txt', tolerance: NS, losses: [printed, byPlugin] },
    { name: 'trace-report.txt', tolerance: NS, losses: [printed, byPlugin] },
    { name: 'trace-cmd-report.txt', tolerance: US, losses: [printed, byPlugin] },
  ],
};

const pairs = RECORDINGS.flatMap(({ name, folder }) =>
  Object.entries(TEXTS).flatMap(([binary, texts]) => {
    const path = formOf(folder, binary);
    if (path === undefined) return [];
    return texts.flatMap((text) => {
      const textPath = formOf(folder, text.name);
      return textPath === undefined ? [] : [{ name, binary, path, text, textPath }];
    });
  }),
);

/**
 * Threads that only the text takes for a vCPU's: it prints a new thread under its parent's name until it gets its own.
 */
function renamed(binary: Form, printed: Form): ReadonlySet<number> {
  const own = new Set(binary.sink.vcpuFacts.map(({ tid }) => tid));
  const others = printed.sink.vcpuFacts.filter(({ tid }) => !own.has(tid));
  for (const { tid, learnedFrom } of others) {
    expect(learnedFrom).toMatch(/^thread name CPU/);
    expect(binary.sink.threads.get(tid) ?? '').not.toMatch(/^CPU/);
  }
  return new Set(others.map(({ tid }) => tid));
}

let last: { readonly path: string; readonly form: Promise<Form> } | undefined;
/** The last binary form, once for all its texts. */
function binaryForm(path: string): Promise<Form> {
  if (last?.path !== path) last = { path, form: importForm(path) };
  return last.form;
}

describe.each(pairs)('$name: $binary is what $text.name says', ({ path, text, textPath }) => {
  it('event by event, field by field', async () => {
    const [binary, printed] = [await binaryForm(path), await importForm(textPath)];
    const named = renamed(binary, printed);
    const nobody: Loss = (row) => (named.has(row.tid) ? { ...row, vcpu: -1 } : row);
    const { tolerance } = text;
    const losses = [...text.losses, nobody];
    const compared = compareForms(binary.sink, printed.sink, { tolerance, losses });
    expect(compared.differences).toEqual([]);
    expect(compared.reordered).toBe(0);
    expect(compared.events[0]).toBeGreaterThan(0);
    // Threads and vCPUs are the same; a text does not name every process.
    const vcpus = ({ sink }: Form) =>
      sink.vcpuFacts.map(({ slot, index, tid }) => [slot, index, tid]);
    expect(vcpus(binary)).toEqual(vcpus(printed).filter(([, , tid]) => !named.has(tid!)));
    for (const [tid, name] of printed.sink.threads) {
      if (!named.has(tid)) expect([tid, binary.sink.threads.get(tid)]).toEqual([tid, name]);
    }
    expect(binary.report.facts?.arch).toBe(printed.report.facts?.arch);
    const severe = binary.report.notices.filter(({ severity }) => severity !== 'info');
    const known = new Set(printed.report.notices.map(({ code }) => code));
    expect(severe.filter(({ code }) => !known.has(code))).toEqual([]);
  }, 300_000);
});

const versions = RECORDINGS.flatMap(({ name, folder }) => {
  const seven = formOf(folder, 'trace.dat');
  const six = formOf(folder, 'trace-v6.dat');
  return seven === undefined || six === undefined ? [] : [{ name, seven, six }];
});

describe.each(versions)('$name', ({ seven, six }) => {
  it('is the same as trace.dat version 6 and 7', async () => {
    const forms = [await importForm(seven), await importForm(six)] as const;
    const compared = compareForms(forms[0].sink, forms[1].sink);
    expect(compared).toEqual({
      events: [forms[0].sink.length, forms[0].sink.length],
      differences: [],
      reordered: 0,
    });
    const [one, other] = forms.map(({ sink, report }) => {
      // Of the files themselves, packed as they are.
      const { contentDigest: _c, contentBytes: _b, ...said } = report.facts!;
      const { name: _, toolVersion: __, ...facts } = said;
      return { facts, notices: report.notices, vcpus: sink.vcpuFacts, threads: [...sink.threads] };
    });
    expect(one).toEqual(other);
  });
});
