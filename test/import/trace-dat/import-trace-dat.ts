import type { Event } from '../../../src/domain/event-chunk.ts';
import { importRecordings } from '../../../src/import/import-recordings.ts';
import type { InputReport } from '../../../src/import/report.ts';
import { traceDat } from '../../../src/import/trace-dat/trace-dat-importer.ts';
import { MemorySink } from '../memory-sink.ts';
import { READ_MSR } from './pages.ts';
import { type Built, type BuiltCpu, build } from './trace-dat-builder.ts';

export interface Read {
  readonly events: readonly Event[];
  readonly sink: MemorySink;
  readonly report: InputReport;
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Imports the bytes of a trace.dat. */
export async function readBytes(bytes: Uint8Array): Promise<Read> {
  const sink = new MemorySink();
  const input = { path: 'trace.dat', stream: whole(bytes) };
  const { inputs } = await importRecordings(sink, [input], { importers: [traceDat] });
  return { events: sink.events, sink, report: inputs[0]! };
}

/** A recording of read_msr records with these pages. */
export function recording(cpus: readonly BuiltCpu[], more: Partial<Built> = {}): Built {
  return {
    version: 7,
    formats: [['msr', READ_MSR]],
    cmdlines: '100 task one\n200 two\n',
    buffers: [{ name: '', cpus }],
    ...more,
  };
}

export function read(cpus: readonly BuiltCpu[], more: Partial<Built> = {}): Promise<Read> {
  return readBytes(build(recording(cpus, more)));
}

/** Time, CPU and value of each event. */
export function brief(events: readonly Event[]): (readonly [bigint, number, bigint])[] {
  return events.map(({ time, pcpu, value }) => [time, pcpu, value]);
}

/** Severity and code of each notice that is more than information. */
export function problems(report: InputReport): string[] {
  return report.notices
    .filter(({ severity }) => severity !== 'info')
    .map(({ severity, code }) => `${severity} ${code}`);
}
