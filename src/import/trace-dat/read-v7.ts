import { InputError } from '../../domain/errors.ts';
import type { NoticeBook } from '../notices.ts';
import type { ByteReader, ByteSource } from './byte-source.ts';
import type { Codec } from './compression.ts';
import { readEventFormats, readFtraceFormats, readHeaderInfo, readSizedText } from './contents.ts';
import {
  type BufferData,
  type CpuData,
  type FormatText,
  MAX_BUFFERS,
  MAX_STRETCHES,
  OptionId,
  type TraceDat,
} from './description.ts';
import { KeptOptions } from './kept-options.ts';
import { noRecords } from './read-v6.ts';
import { recoverBuffer } from './recover-v7.ts';
import { SECTION_HEADER, type Sections } from './sections.ts';

/** Sections read because an option names them; trace-cmd writes one of each kind. */
const MAX_PARTS = 64;
/** Option sections followed at most. */
const MAX_OPTION_SECTIONS = 4096;

/** What the options name, as it is found. */
class Found {
  headerPage = '';
  headerEvent = '';
  readonly formats: FormatText[] = [];
  cmdlines: Uint8Array = new Uint8Array(0);
  readonly options = new KeptOptions();
  stretches = 0;
  readonly buffers: BufferData[] = [];
  hasText = false;
  described = 0;
}

/** Reads the description of a version 7 file: option sections from `first` on, and the sections they name. */
export class Version7 {
  private readonly name: string;
  private readonly sections: Sections;
  private readonly book: NoticeBook;
  private readonly pageSize: number;
  private readonly source: ByteSource;
  private readonly found = new Found();
  /** The end of the option section last read. */
  private behind = 0;
  private parts = 0;

  constructor(
    name: string,
    source: ByteSource,
    sections: Sections,
    book: NoticeBook,
    pageSize: number,
  ) {
    this.name = name;
    this.source = source;
    this.sections = sections;
    this.book = book;
    this.pageSize = pageSize;
  }

  read(first: number, codec: Codec): TraceDat {
    const { found } = this;
    const seen = new Set<number>();
    let next = first;
    let cutAt: number | undefined;
    while (next !== 0) {
      if (seen.has(next) || seen.size >= MAX_OPTION_SECTIONS) {
        this.damage(`the option sections lead back to byte ${next}`, next);
        break;
      }
      seen.add(next);
      try {
        next = this.optionSection(next);
      } catch (error) {
        if (!(error instanceof InputError) || seen.size === 1) throw error;
        // What is described before it can still be read.
        cutAt = next;
        this.damage(error.message.slice(this.name.length + 2), next);
        break;
      }
    }
    if (found.buffers.length === 0 && found.hasText) throw noRecords(this.name);
    if (found.buffers.length === 0 && cutAt !== undefined) this.recover();
    if (cutAt === undefined) this.checkEnd();
    if (found.hasText) {
      this.book.add('warning', 'latency-text', 'text of a latency tracer left out');
    }
    return {
      version: 7,
      codec,
      headerPage: found.headerPage,
      headerEvent: found.headerEvent,
      formats: found.formats,
      cmdlines: found.cmdlines,
      options: found.options.list,
      buffers: found.buffers,
      described: found.described,
    };
  }

  /** What follows the last option section is of no use, but must be whole: else the file was cut. */
  private checkEnd(): void {
    const { source, sections } = this;
    let at = this.behind;
    for (let i = 0; i < MAX_OPTION_SECTIONS && sections.has(at) && !sections.at(at).cut; i++) {
      at = sections.at(at).end;
    }
    if (at === source.size) return;
    const text = `the file ends at byte ${source.size} within the section at byte ${at}`;
    this.book.add('warning', 'recording-cut', text, at);
  }

  private recover(): void {
    const { name, sections, source, pageSize, found } = this;
    const buffer = recoverBuffer(name, source, sections, this.behind, found.options.list, pageSize);
    if (buffer === undefined) return;
    found.buffers.push(buffer);
    const numbers = buffer.cpus.map(({ cpu }) => cpu).join(', ');
    const text = `the file ends at byte ${source.size}, before its index: data of CPU ${numbers} found by its place`;
    this.book.add('error', 'index-missing', text, source.size);
  }

  /** One option section; returns where the next one is, 0 if there is none. */
  private optionSection(at: number): number {
    const section = this.sections.at(at);
    const reader = this.sections.read(section);
    if (section.id !== OptionId.done) throw reader.damage('no option section');
    this.found.described += section.end - at;
    this.behind = section.end;
    while (reader.left > 0) {
      const id = reader.u16();
      const length = reader.u32();
      if (id === OptionId.done) return length < 8 ? 0 : reader.size64();
      const start = reader.at;
      reader.skip(length, 'an option');
      const end = reader.at;
      reader.at = start;
      this.option(id, length, reader);
      reader.at = end;
    }
    return 0;
  }

  private option(id: number, length: number, reader: ByteReader): void {
    const { found } = this;
    switch (id) {
      case OptionId.buffer:
        if (found.buffers.length < MAX_BUFFERS) found.buffers.push(this.buffer(reader, length));
        break;
      case OptionId.bufferText:
        found.hasText = true;
        break;
      case OptionId.headerInfo:
        this.part(id, reader, (content) => {
          const { page, event } = readHeaderInfo(content);
          found.headerPage = page;
          found.headerEvent = event;
        });
        break;
      case OptionId.ftraceEvents:
        this.part(id, reader, (content) => readFtraceFormats(content, found.formats));
        break;
      case OptionId.eventFormats:
        this.part(id, reader, (content) => readEventFormats(content, found.formats));
        break;
      case OptionId.cmdlines:
        this.part(id, reader, (content) => {
          found.cmdlines = readSizedText(content, 'the task names');
        });
        break;
      case OptionId.kallsyms:
      case OptionId.printk: {
        // Counted as dealt with, never unpacked.
        if (length < 8) break;
        const at = reader.size64();
        if (this.sections.has(at)) found.described += this.sections.at(at).end - at;
        break;
      }
      default:
        if (found.options.wants(id, length)) {
          found.options.add(id, reader.bytes(length, 'an option'));
        }
    }
  }

  /** A section named by an option; if it is damaged the rest may still be good. */
  private part(id: number, reader: ByteReader, read: (content: ByteReader) => void): void {
    if (this.parts++ >= MAX_PARTS) return;
    const at = reader.left < 8 ? 0 : reader.size64();
    try {
      const section = this.sections.at(at);
      if (section.id !== id) {
        throw new InputError(`${this.name}: section ${section.id} where section ${id} should be`);
      }
      read(this.sections.read(section));
      this.found.described += section.end - at;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.damage(error.message.slice(this.name.length + 2), at);
    }
  }

  /** Option BUFFER: name, clock, page size, and where the data of each CPU is. */
  private buffer(reader: ByteReader, length: number): BufferData {
    const end = reader.at + length;
    const sectionAt = reader.size64();
    const name = reader.string('the name of a buffer');
    const clock = reader.string('the clock of a buffer');
    // The first releases did not write the page size.
    const entry = 20;
    const pageSize = (end - reader.at) % entry === 8 ? reader.u32() : this.pageSize;
    const count = reader.u32();
    this.found.stretches += count;
    if (count * entry > end - reader.at || this.found.stretches > MAX_STRETCHES) {
      throw reader.damage(`data of ${count} CPUs in an option of ${length} bytes`);
    }
    const cpus: CpuData[] = [];
    for (let i = 0; i < count; i++) {
      cpus.push({ cpu: reader.u32(), offset: reader.size64(), size: reader.size64() });
    }
    let packed = false;
    let stored: BufferData['stored'];
    if (this.sections.has(sectionAt)) {
      const section = this.sections.at(sectionAt);
      packed = section.packed;
      stored = section;
      this.found.described += SECTION_HEADER;
    } else if (cpus.some(({ size }) => size > 0)) {
      throw reader.damage(`the data of buffer '${name}' should begin at byte ${sectionAt}`);
    }
    return { name, clock, pageSize, packed, cpus, stored };
  }

  private damage(text: string, at: number): void {
    this.book.add('error', 'damaged-section', text, at, 1, String(at));
  }
}
