import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../../src/domain/event-kind.ts';
import type { ImportOptions } from '../../../src/import/report.ts';
import { traceCmdReport } from '../../../src/import/text/ftrace-text.ts';
import { traceDat } from '../../../src/import/trace-dat/trace-dat-importer.ts';
import { compareForms, importForm, type Loss } from '../binary-against-text.ts';

const OPTIONS: ImportOptions = { importers: [traceDat, traceCmdReport] };

function path(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** libtraceevent prints R for a preempted task as for a running one. */
const preempted: Loss = (row) =>
  row.kind === EventKind.schedSwitch ? { ...row, flags: row.flags & ~EventFlag.preempted } : row;
/** It cannot print %c, with which WFI and WFE differ, nor what follows. */
const halt: Loss = (row) =>
  row.kind === EventKind.halt
    ? { ...row, code: 0, value: 0n, flags: row.flags & ~EventFlag.noValue }
    : row;
/** It takes a negative errno for none. */
const errno: Loss = (row) =>
  row.kind === EventKind.userspaceExit
    ? { ...row, code: 0, flags: row.flags & ~EventFlag.failed }
    : row;

describe('a recording and what trace-cmd report -t prints of it', () => {
  it.each([
    ['arm64-6.12', 5326, 1],
    ['x86-6.12', 1703, 2],
  ])('%s: the same rows in the same order', async (name, events, cpus) => {
    const binary = await importForm(path(`${name}.dat`), OPTIONS);
    const text = await importForm(path(`${name}.report-t.txt.zst`), OPTIONS);
    const compared = compareForms(binary.sink, text.sink, { losses: [preempted, halt, errno] });
    expect(compared.differences).toEqual([]);
    expect(compared.reordered).toBe(0);
    expect(compared.events).toEqual([events, events]);
    expect([...binary.sink.threads]).toEqual([...text.sink.threads]);
    expect(binary.sink.vcpuFacts).toEqual(text.sink.vcpuFacts);
    const seen = new Set<number>();
    for (let i = 0; i < events; i++) seen.add(binary.sink.event(i).pcpu);
    expect(seen.size).toBe(cpus);
    expect(binary.report.facts).toMatchObject({ arch: name.split('-')[0], clock: 'mono' });
    expect(binary.report.notices.filter(({ severity }) => severity !== 'info')).toEqual(
      text.report.notices.filter(({ severity }) => severity !== 'info'),
    );
  });

  it('keeps what the text loses', async () => {
    const { sink } = await importForm(path('x86-6.12.dat'), OPTIONS);
    let count = 0;
    for (let i = 0; i < sink.length; i++) {
      const { kind, flags } = sink.event(i);
      if (kind === EventKind.schedSwitch && flags & EventFlag.preempted) count++;
    }
    expect(count).toBeGreaterThan(0);
  });
});
