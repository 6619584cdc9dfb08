import { InputError } from '../../domain/errors.ts';
import type { ByteReader } from './byte-source.ts';
import { latin1, u32At } from './byte-source.ts';
import { readEventFormats, readFtraceFormats, readHeaderInfo, readSizedText } from './contents.ts';
import {
  type BufferData,
  type CpuData,
  type FormatText,
  MAX_BUFFERS,
  MAX_CPUS,
  MAX_STRETCHES,
  OptionId,
  type TraceDat,
} from './description.ts';
import { KeptOptions } from './kept-options.ts';

/** Where an instance's own description is (option BUFFER of version 6). */
interface Instance {
  readonly name: string;
  readonly offset: number;
}

/** The refusal of recordings of latency tracers, whose data is text. */
export function noRecords(name: string): InputError {
  return new InputError(
    `${name}: this trace.dat holds the text of a latency tracer, no records`,
    'import the text of trace-cmd report',
  );
}

/**
 * Version 6: one part after the other (trace-cmd.dat.v6(5)). `reader` stands after the page size; `open` gives a
 * reader that stands elsewhere.
 */
export function readVersion6(
  reader: ByteReader,
  pageSize: number,
  name: string,
  open: (at: number) => ByteReader,
): TraceDat {
  const header = readHeaderInfo(reader);
  const formats: FormatText[] = [];
  readFtraceFormats(reader, formats);
  readEventFormats(reader, formats);
  reader.skip(reader.u32(), 'kallsyms');
  reader.skip(reader.u32(), 'the trace_printk formats');
  const cmdlines = readSizedText(reader, 'the task names');
  const told = reader.u32();
  let cpus = told;
  const options = new KeptOptions();
  const instances: Instance[] = [];
  let clocked = false;
  let type = typeOf(reader);
  if (type === 'options') {
    for (;;) {
      const id = reader.u16();
      if (id === OptionId.done) break;
      const length = reader.u32();
      if (id === OptionId.buffer) {
        const end = reader.at + length;
        const offset = reader.size64();
        const instance = { offset, name: length > 8 ? reader.string('the name of a buffer') : '' };
        if (instances.length < MAX_BUFFERS) instances.push(instance);
        if (reader.at < end) reader.skip(end - reader.at, 'an option');
        continue;
      }
      if (id === OptionId.traceClock) clocked = true;
      if (!options.wants(id, length)) {
        reader.skip(length, 'an option');
        continue;
      }
      const bytes = reader.bytes(length, 'an option');
      if (id === OptionId.cpuCount && length >= 4) cpus = u32At(bytes, 0);
      options.add(id, bytes);
    }
    type = typeOf(reader);
  }
  if (type === 'latency') throw noRecords(name);
  if (type !== 'flyrecord') throw reader.damage('neither flyrecord nor latency data follows');
  const stretches = cpus * (1 + instances.length);
  if (told > MAX_CPUS || cpus > MAX_CPUS || stretches > MAX_STRETCHES) {
    throw reader.damage(`data of ${Math.max(told, cpus)} CPUs in ${1 + instances.length} buffers`);
  }
  const top = cpuTable(reader, cpus);
  // What a reader that does not know the option CPUCOUNT would take for the last CPU.
  if (told < cpus) reader.skip(16, 'the data of a CPU');
  let described = reader.at;
  if (clocked && reader.left > 8) {
    readClock(reader, options);
    described = reader.at;
  }
  // With instances, other things stand between the data.
  const stored =
    instances.length === 0 ? { start: described, end: reader.at + reader.left } : undefined;
  const buffers: BufferData[] = [buffer('', top, pageSize, stored)];
  for (const instance of instances) {
    const there = open(instance.offset);
    if (typeOf(there) !== 'flyrecord') throw there.damage(`no data of buffer ${instance.name}`);
    buffers.push(buffer(instance.name, cpuTable(there, cpus), pageSize, undefined));
  }
  return {
    version: 6,
    codec: 'none',
    headerPage: header.page,
    headerEvent: header.event,
    formats,
    cmdlines,
    options: options.list,
    buffers,
    described,
  };
}

function typeOf(reader: ByteReader): string {
  return latin1(reader.bytes(10, 'the kind of data')).replace(/[ \0]+$/, '');
}

function cpuTable(reader: ByteReader, cpus: number): CpuData[] {
  const table: CpuData[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    table.push({ cpu, offset: reader.size64(), size: reader.size64() });
  }
  return table;
}

function buffer(
  name: string,
  cpus: readonly CpuData[],
  pageSize: number,
  stored: BufferData['stored'],
): BufferData {
  return { name, clock: undefined, pageSize, packed: false, cpus, stored };
}

/** The content of trace_clock; early trace-cmd could write nonsense in its place. */
function readClock(reader: ByteReader, options: KeptOptions): void {
  const length = reader.size64();
  if (length > 4096 || length > reader.left) return;
  options.add(OptionId.traceClock, reader.bytes(length, 'the clock'));
}
