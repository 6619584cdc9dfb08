/** Writes perf.data files for tests: little-endian, everything settable, nothing checked. */

export class Writer {
  private readonly parts: number[] = [];

  get length(): number {
    return this.parts.length;
  }

  u8(...values: number[]): this {
    for (const value of values) this.parts.push(value & 255);
    return this;
  }

  u16(value: number): this {
    return this.u8(value, value >> 8);
  }

  u32(...values: number[]): this {
    for (const value of values) this.u8(value, value >> 8, value >> 16, value >> 24);
    return this;
  }

  u64(...values: (bigint | number)[]): this {
    for (const value of values) {
      const wide = BigInt.asUintN(64, BigInt(value));
      this.u32(Number(wide & 0xffffffffn), Number(wide >> 32n));
    }
    return this;
  }

  text(text: string, length = text.length): this {
    for (let k = 0; k < length; k++) this.u8(k < text.length ? text.charCodeAt(k) : 0);
    return this;
  }

  bytes(bytes: Iterable<number>): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }

  take(): Uint8Array {
    return Uint8Array.from(this.parts);
  }
}

export const SAMPLE = {
  IP: 1,
  TID: 2,
  TIME: 4,
  ADDR: 8,
  READ: 16,
  CALLCHAIN: 32,
  ID: 64,
  CPU: 128,
  PERIOD: 256,
  STREAM: 512,
  RAW: 1024,
  IDENTIFIER: 65536,
} as const;

export const USUAL =
  SAMPLE.IP |
  SAMPLE.TID |
  SAMPLE.TIME |
  SAMPLE.CPU |
  SAMPLE.PERIOD |
  SAMPLE.RAW |
  SAMPLE.IDENTIFIER;

export interface AttrSpec {
  readonly type?: number;
  readonly config: number;
  readonly sampleType?: number;
  readonly readFormat?: number;
  /** Bit 18 is sample_id_all. */
  readonly flags?: number;
  readonly ids: readonly number[];
  readonly name?: string;
}

export function attrBytes(spec: AttrSpec, size: number): Uint8Array {
  const w = new Writer()
    .u32(spec.type ?? 2, size)
    .u64(spec.config, 1, spec.sampleType ?? USUAL, spec.readFormat ?? 0, spec.flags ?? 1 << 18);
  while (w.length < size) w.u8(0);
  return w.take();
}

export function record(type: number, body: Uint8Array, misc = 0): Uint8Array {
  return new Writer()
    .u32(type)
    .u16(misc)
    .u16(8 + body.length)
    .bytes(body)
    .take();
}

export interface SampleSpec {
  readonly id: number;
  readonly time: bigint | number;
  readonly pid?: number;
  readonly tid?: number;
  readonly cpu?: number;
  readonly misc?: number;
  readonly raw?: Uint8Array;
  readonly read?: Uint8Array;
  readonly callchain?: readonly bigint[];
}

/** A sample as its event's sample_type says. */
export function sample(type: number, spec: SampleSpec): Uint8Array {
  const w = new Writer();
  const { pid = 10, tid = 11, cpu = 0, raw = new Uint8Array(0) } = spec;
  if (type & SAMPLE.IDENTIFIER) w.u64(spec.id);
  if (type & SAMPLE.IP) w.u64(0xffff800000000000n);
  if (type & SAMPLE.TID) w.u32(pid, tid);
  if (type & SAMPLE.TIME) w.u64(spec.time);
  if (type & SAMPLE.ADDR) w.u64(0);
  if (type & SAMPLE.ID) w.u64(spec.id);
  if (type & SAMPLE.STREAM) w.u64(spec.id);
  if (type & SAMPLE.CPU) w.u32(cpu, 0);
  if (type & SAMPLE.PERIOD) w.u64(1);
  if (type & SAMPLE.READ) w.bytes(spec.read ?? new Uint8Array(0));
  if (type & SAMPLE.CALLCHAIN) {
    w.u64(spec.callchain?.length ?? 0, ...(spec.callchain ?? []));
  }
  if (type & SAMPLE.RAW) {
    const padded = Math.ceil((raw.length + 4) / 8) * 8 - 4;
    w.u32(padded).bytes(raw);
    for (let k = raw.length; k < padded; k++) w.u8(0);
  }
  return record(9, w.take(), spec.misc ?? 1);
}

/** What follows records that are no samples, with USUAL and sample_id_all. */
export function trailer(time: bigint | number, of: { cpu?: number; id?: number } = {}): Uint8Array {
  return new Writer()
    .u32(10, 11)
    .u64(time)
    .u32(of.cpu ?? 0, 0)
    .u64(of.id ?? 0)
    .take();
}

export function comm(tid: number, name: string, time = 0): Uint8Array {
  const body = new Writer().u32(10, tid).text(name, 16).bytes(trailer(time));
  return record(3, body.take());
}

export function fork(tid: number, parent: number, time = 0): Uint8Array {
  const body = new Writer().u32(10, 10, tid, parent).u64(time).bytes(trailer(time));
  return record(7, body.take());
}

export const ROUND: Uint8Array = record(68, new Uint8Array(0));

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const w = new Writer();
  for (const part of parts) w.bytes(part);
  return w.take();
}

function perfString(text: string): Uint8Array {
  const length = Math.ceil((text.length + 1) / 64) * 64;
  return new Writer().u32(length).text(text, length).take();
}

const FORMAT = (id: number, name: string, fields: readonly string[]): string =>
  `name: ${name}\nID: ${id}\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n${fields
    .map((field) => `\tfield:${field}\n`)
    .join('')}\nprint fmt: ""\n`;

export interface FormatSpec {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  readonly fields: readonly string[];
}

/** The tracing data section. */
export function tracingData(formats: readonly FormatSpec[]): Uint8Array {
  const w = new Writer().bytes([0x17, 8, 0x44]).text('tracing').text('0.6\0');
  w.u8(0, 8).u32(4096);
  w.text('header_page\0').u64(3).text('abc').text('header_event\0').u64(2).text('de');
  w.u32(1).u64(4).text('ftra');
  const systems = [...new Set(formats.map(({ system }) => system))];
  w.u32(systems.length);
  for (const system of systems) {
    const own = formats.filter((format) => format.system === system);
    w.text(`${system}\0`).u32(own.length);
    for (const { id, name, fields } of own) {
      const text = FORMAT(id, name, fields);
      w.u64(text.length).text(text);
    }
  }
  w.u32(5).text('kalls').u32(0).u64(0);
  return w.take();
}

export interface FileSpec {
  readonly attrs: readonly AttrSpec[];
  readonly attrSize?: number;
  readonly records: readonly Uint8Array[];
  readonly formats?: readonly FormatSpec[];
  /** Written into the header instead of the true size. */
  readonly dataSize?: number;
  readonly compressedMost?: number;
}

const HEADER = 104;

/** A whole file in file mode. */
export function perfFile(spec: FileSpec): Uint8Array {
  const { attrs, attrSize = 128, records, formats = [] } = spec;
  const stride = attrSize + 16;
  const ids = new Writer();
  const entries = new Writer();
  const idsAt = HEADER;
  const idCount = attrs.reduce((sum, attr) => sum + attr.ids.length, 0);
  for (const attr of attrs) {
    entries.bytes(attrBytes(attr, attrSize)).u64(idsAt + ids.length, attr.ids.length * 8);
    ids.u64(...attr.ids);
  }
  const attrsAt = idsAt + idCount * 8;
  const dataAt = attrsAt + entries.length;
  const data = joined(...records);
  const sections: [number, Uint8Array][] = [];
  if (formats.length > 0) sections.push([1, tracingData(formats)]);
  sections.push([3, perfString('host')], [4, perfString('6.12.0')], [6, perfString('aarch64')]);
  sections.push([
    11,
    new Writer().u32(2).bytes(perfString('perf')).bytes(perfString('record')).take(),
  ]);
  const desc = new Writer().u32(attrs.length, attrSize);
  for (const attr of attrs) {
    desc
      .bytes(attrBytes(attr, attrSize))
      .u32(attr.ids.length)
      .bytes(perfString(attr.name ?? ''));
    desc.u64(...attr.ids);
  }
  sections.push([12, desc.take()]);
  if (spec.compressedMost !== undefined) {
    sections.push([27, new Writer().u32(1, 1, 1, 2, spec.compressedMost).take()]);
  }
  let at = dataAt + data.length + sections.length * 16;
  const table = new Writer();
  const bits = new Uint8Array(32);
  for (const [feature, bytes] of sections) {
    bits[feature >> 3]! |= 1 << (feature & 7);
    table.u64(at, bytes.length);
    at += bytes.length;
  }
  const header = new Writer()
    .text('PERFILE2')
    .u64(HEADER, stride, attrsAt, entries.length, dataAt, spec.dataSize ?? data.length, 0, 0)
    .bytes(bits);
  return joined(
    header.take(),
    ids.take(),
    entries.take(),
    data,
    table.take(),
    ...sections.map(([, bytes]) => bytes),
  );
}

/** The same recording as perf writes it to a pipe. */
export function perfPipe(spec: FileSpec): Uint8Array {
  const { attrs, attrSize = 128, records, formats = [] } = spec;
  const parts: Uint8Array[] = [new Writer().text('PERFILE2').u64(16).take()];
  for (const attr of attrs) {
    parts.push(
      record(
        64,
        new Writer()
          .bytes(attrBytes(attr, attrSize))
          .u64(...attr.ids)
          .take(),
      ),
    );
  }
  parts.push(record(80, new Writer().u64(6).bytes(perfString('aarch64')).take()));
  if (formats.length > 0) {
    const section = tracingData(formats);
    const padded = Math.ceil(section.length / 8) * 8;
    parts.push(record(66, new Writer().u32(padded).take()), section);
    parts.push(new Uint8Array(padded - section.length));
  }
  return joined(...parts, ...records);
}

/** A zstd frame of stored blocks, as one stream: the frame header with the first part, no end. */
export function stored(parts: readonly Uint8Array[]): Uint8Array[] {
  return parts.map((part, n) => {
    const w = new Writer();
    // Magic, no checksum, no size; a window of 1 MiB.
    if (n === 0) w.u32(0xfd2fb528).u8(0, 10 << 3);
    const header = part.length << 3;
    return w
      .u8(header, header >> 8, header >> 16)
      .bytes(part)
      .take();
  });
}
