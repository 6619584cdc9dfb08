import { deflateSync } from 'node:zlib';

/** Bytes put one after the other, little-endian. */
export class ByteWriter {
  private bytes = new Uint8Array(4096);
  length = 0;

  put(part: Uint8Array): this {
    if (this.length + part.length > this.bytes.length) {
      const larger = new Uint8Array((this.length + part.length) * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(part, this.length);
    this.length += part.length;
    return this;
  }

  number(value: number | bigint, size: 1 | 2 | 4 | 8): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
    return this.put(bytes.subarray(0, size));
  }

  text(text: string): this {
    return this.put(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  }

  string(text: string): this {
    return this.text(`${text}\0`);
  }

  align(size: number): this {
    const rest = this.length % size;
    return rest === 0 ? this : this.put(new Uint8Array(size - rest));
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

export type Codec = 'none' | 'zlib' | 'zstd';

export interface BuiltCpu {
  readonly cpu: number;
  /** Whole pages. */
  readonly pages: readonly Uint8Array[];
}

export interface BuiltBuffer {
  readonly name: string;
  readonly clock?: string;
  readonly cpus: readonly BuiltCpu[];
}

/** What a trace.dat is to hold. */
export interface Built {
  readonly version: 6 | 7;
  readonly codec?: Codec;
  readonly pageSize?: number;
  readonly longSize?: number;
  readonly headerPage?: string;
  readonly headerEvent?: string;
  readonly formats: readonly (readonly [system: string, text: string])[];
  readonly cmdlines?: string | Uint8Array;
  readonly options?: readonly (readonly [id: number, data: Uint8Array])[];
  readonly buffers: readonly BuiltBuffer[];
  /** Pages in one packed piece. */
  readonly pagesInPiece?: number;
  /** Version 6: the data is that of a latency tracer. */
  readonly latency?: boolean;
}

export const HEADER_PAGE = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
`;
export const HEADER_EVENT = `# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits
`;

function packed(codec: Codec, content: Uint8Array): Uint8Array {
  if (codec === 'zlib') return deflateSync(content);
  // Frames of blocks that are not compressed: any zstd decoder reads them.
  const out = new ByteWriter().number(0xfd2fb528, 4).number(0, 1).number(0x38, 1);
  let at = 0;
  do {
    const length = Math.min(65536, content.length - at);
    const last = at + length === content.length ? 1 : 0;
    const header = (length << 3) | last;
    out.number(header & 0xff, 1).number(header >>> 8, 2);
    out.put(content.subarray(at, at + length));
    at += length;
  } while (at < content.length);
  return out.done();
}

function headerInfo(built: Built): ByteWriter {
  const page = built.headerPage ?? HEADER_PAGE;
  const event = built.headerEvent ?? HEADER_EVENT;
  const out = new ByteWriter().string('header_page').number(page.length, 8).text(page);
  return out.string('header_event').number(event.length, 8).text(event);
}

function ftraceFormats(built: Built): ByteWriter {
  const own = built.formats.filter(([system]) => system === 'ftrace');
  const out = new ByteWriter().number(own.length, 4);
  for (const [, text] of own) out.number(text.length, 8).text(text);
  return out;
}

function eventFormats(built: Built): ByteWriter {
  const systems = [...new Set(built.formats.map(([system]) => system))].filter(
    (system) => system !== 'ftrace',
  );
  const out = new ByteWriter().number(systems.length, 4);
  for (const system of systems) {
    const texts = built.formats.filter(([own]) => own === system);
    out.string(system).number(texts.length, 4);
    for (const [, text] of texts) out.number(text.length, 8).text(text);
  }
  return out;
}

function cmdlines(built: Built): Uint8Array {
  const given = built.cmdlines ?? '';
  return typeof given === 'string' ? new TextEncoder().encode(given) : given;
}

/** The bytes of a trace.dat. */
export function build(built: Built): Uint8Array {
  return built.version === 6 ? buildVersion6(built) : buildVersion7(built);
}

function beginning(built: Built): ByteWriter {
  const out = new ByteWriter().put(Uint8Array.of(0x17, 0x08, 0x44)).text('tracing');
  out
    .string(String(built.version))
    .number(0, 1)
    .number(built.longSize ?? 8, 1);
  return out.number(built.pageSize ?? 4096, 4);
}

function buildVersion6(built: Built): Uint8Array {
  const pageSize = built.pageSize ?? 4096;
  const out = beginning(built).put(headerInfo(built).done()).put(ftraceFormats(built).done());
  out.put(eventFormats(built).done());
  out.number(8, 4).text('kallsyms').number(6, 4).text('printk');
  out.number(cmdlines(built).length, 8).put(cmdlines(built));
  const [top, ...instances] = built.buffers;
  const cpus = Math.max(...built.buffers.map((buffer) => buffer.cpus.length));
  out.number(cpus, 4).string('options  ');
  const clock = `local [${top?.clock ?? 'mono'}] boot`;
  // Where each table will be is known once the length of the options is.
  const own = (built.options ?? []).reduce((sum, [, data]) => sum + 6 + data.length, 0);
  const named = instances.reduce((sum, { name }) => sum + 6 + 9 + name.length, 0);
  let table = out.length + own + named + 6 + 2 + 10 + 16 * cpus + 8 + clock.length;
  const firstTable = table;
  for (const [id, data] of built.options ?? []) out.number(id, 2).number(data.length, 4).put(data);
  for (const { name } of instances) {
    out
      .number(3, 2)
      .number(9 + name.length, 4)
      .number(table, 8)
      .string(name);
    table += 10 + 16 * cpus;
  }
  out.number(4, 2).number(0, 4).number(0, 2);
  out.string(built.latency ? 'latency  ' : 'flyrecord');
  let at = Math.ceil((firstTable + instances.length * (10 + 16 * cpus)) / pageSize) * pageSize;
  const places = (buffer: BuiltBuffer | undefined): ByteWriter => {
    const written = new ByteWriter();
    for (let cpu = 0; cpu < cpus; cpu++) {
      const pages = buffer?.cpus.find((own) => own.cpu === cpu)?.pages ?? [];
      const size = pages.reduce((sum, page) => sum + page.length, 0);
      written.number(at, 8).number(size, 8);
      at += size;
    }
    return written;
  };
  out.put(places(top).done()).number(clock.length, 8).text(clock);
  for (const instance of instances) out.string('flyrecord').put(places(instance).done());
  out.align(pageSize);
  for (const { cpus: own } of built.buffers) {
    for (const { pages } of [...own].sort((a, b) => a.cpu - b.cpu)) {
      for (const page of pages) out.put(page);
    }
  }
  return out.done();
}

function buildVersion7(built: Built): Uint8Array {
  const codec = built.codec ?? 'none';
  const pageSize = built.pageSize ?? 4096;
  const out = beginning(built).string(codec).string('1');
  const firstOption = out.length;
  out.number(0, 8);
  const section = (id: number, content: Uint8Array): number => {
    const at = out.length;
    const isPacked = codec !== 'none' && id !== 0;
    const pack = isPacked ? packed(codec, content) : content;
    out
      .number(id, 2)
      .number(isPacked ? 1 : 0, 2)
      .number(0, 4);
    out.number(pack.length + (isPacked ? 8 : 0), 8);
    if (isPacked) out.number(pack.length, 4).number(content.length, 4);
    out.put(pack);
    return at;
  };
  const options = new ByteWriter();
  const named = (id: number, content: Uint8Array): void => {
    options.number(id, 2).number(8, 4).number(section(id, content), 8);
  };
  named(16, headerInfo(built).done());
  named(17, ftraceFormats(built).done());
  named(18, eventFormats(built).done());
  named(19, new ByteWriter().number(8, 4).text('kallsyms').done());
  named(20, new ByteWriter().number(6, 4).text('printk').done());
  named(21, new ByteWriter().number(cmdlines(built).length, 8).put(cmdlines(built)).done());
  const count = Math.max(...built.buffers.map((buffer) => buffer.cpus.length));
  options.number(8, 2).number(4, 4).number(count, 4);
  for (const [id, data] of built.options ?? []) {
    options.number(id, 2).number(data.length, 4).put(data);
  }
  // The options so far, the data, then the options that tell where it is: as trace-cmd writes them.
  const between = out.length + 16 + options.length + 14;
  const data = new ByteWriter();
  const second = new ByteWriter();
  for (const buffer of built.buffers) {
    const at = between + data.length;
    const header = data.length;
    data.put(new Uint8Array(16));
    const entry = new ByteWriter()
      .number(at, 8)
      .string(buffer.name)
      .string(buffer.clock ?? 'mono');
    entry.number(pageSize, 4).number(buffer.cpus.length, 4);
    for (const { cpu, pages } of buffer.cpus) {
      const rest = (between + data.length) % pageSize;
      data.put(new Uint8Array(rest === 0 ? 0 : pageSize - rest));
      const start = data.length;
      if (codec === 'none') for (const page of pages) data.put(page);
      else putPieces(data, codec, pages, built.pagesInPiece ?? 10);
      const counted = codec === 'none' ? 0 : 4;
      entry.number(cpu, 4).number(between + start, 8);
      entry.number(pages.length === 0 ? 0 : data.length - start - counted, 8);
    }
    const content = data.length - header - 16;
    patches.push([between + header, content, codec === 'none' ? 0 : 1]);
    second.number(3, 2).number(entry.length, 4).put(entry.done());
  }
  const next = between + data.length;
  options.number(0, 2).number(8, 4).number(next, 8);
  const first = section(0, options.done());
  out.put(data.done());
  section(0, second.number(0, 2).number(8, 4).number(0, 8).done());
  section(15, new ByteWriter().string('strings').done());
  const bytes = out.done();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(firstOption, BigInt(first), true);
  for (const [at, size, flags] of patches.splice(0)) {
    view.setUint16(at, 3, true);
    view.setUint16(at + 2, flags, true);
    view.setBigUint64(at + 8, BigInt(size), true);
  }
  return bytes;
}

/** Headers of data sections, filled in at the end: place, size, flags. */
const patches: [at: number, size: number, flags: number][] = [];

function putPieces(
  data: ByteWriter,
  codec: Codec,
  pages: readonly Uint8Array[],
  inPiece: number,
): void {
  if (pages.length === 0) return;
  data.number(Math.ceil(pages.length / inPiece), 4);
  for (let i = 0; i < pages.length; i += inPiece) {
    const content = new ByteWriter();
    for (const page of pages.slice(i, i + inPiece)) content.put(page);
    const pack = packed(codec, content.done());
    data.number(pack.length, 4).number(content.length, 4).put(pack);
  }
}
