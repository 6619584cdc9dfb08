import { InputError } from '../../domain/errors.ts';
import { ByteReader, type ByteSource, latin1, u32At } from './byte-source.ts';
import { type BufferData, type CpuData, MAX_CPUS, type Option, OptionId } from './description.ts';
import type { Section, Sections } from './sections.ts';

/** Sections walked over at most. */
const MAX_SECTIONS = 256;

/**
 * The index of the ring-buffer data is behind it: a file that was cut (a full disk, a broken copy) has lost it. Finds
 * the data of the first buffer again, as trace-cmd lays it out: the CPUs one after the other, each beginning on a page.
 * `from` is where sections follow one another, `options` those that were read. undefined: it is not there.
 */
export function recoverBuffer(
  name: string,
  source: ByteSource,
  sections: Sections,
  from: number,
  options: readonly Option[],
  pageSize: number,
): BufferData | undefined {
  if (pageSize < 1) return undefined;
  const section = dataSection(sections, from);
  if (section === undefined) return undefined;
  const numbers = cpusWithData(options);
  const cpus: CpuData[] = [];
  let at = Math.ceil(section.start / pageSize) * pageSize;
  for (const cpu of numbers) {
    if (at >= source.size) break;
    const end = section.packed ? packedEnd(name, source, at) : source.size;
    // Without the sizes nothing tells where plain pages of the next CPU begin.
    if (!section.packed && numbers.length > 1) return undefined;
    cpus.push({ cpu, offset: at, size: (end ?? source.size + 4) - at - (section.packed ? 4 : 0) });
    if (end === undefined) break;
    at = Math.ceil(end / pageSize) * pageSize;
  }
  return { name: '', clock: undefined, pageSize, packed: section.packed, cpus, stored: undefined };
}

function dataSection(sections: Sections, from: number): Section | undefined {
  let at = from;
  for (let i = 0; i < MAX_SECTIONS && sections.has(at); i++) {
    const section = sections.at(at);
    if (section.id === OptionId.buffer) return section;
    if (section.end <= at) return undefined;
    at = section.end;
  }
  return undefined;
}

/** The CPUs that had records when recording ended, by their statistics; all there are if nothing tells. */
function cpusWithData(options: readonly Option[]): number[] {
  const count = options.findLast(({ id, bytes }) => id === OptionId.cpuCount && bytes.length >= 4);
  const all = Math.min(MAX_CPUS, count === undefined ? 1 : u32At(count.bytes, 0));
  const filled: number[] = [];
  let told = 0;
  for (const { id, bytes } of options) {
    if (id !== OptionId.cpuStat) continue;
    const text = latin1(bytes);
    const cpu = /^CPU: (\d{1,5})/m.exec(text);
    if (cpu === null) continue;
    told++;
    const [inBuffer, read] = [/^entries: (\d+)/m, /^read events: (\d+)/m].map((pattern) =>
      Number(pattern.exec(text)?.[1] ?? 0),
    );
    if (inBuffer! + read! > 0) filled.push(Number(cpu[1]));
  }
  return told >= all ? filled : Array.from({ length: all }, (_, cpu) => cpu);
}

/** Where the packed data that begins at `at` ends; undefined: behind the end of the file. */
function packedEnd(name: string, source: ByteSource, at: number): number | undefined {
  const reader = new ByteReader(name, source, at);
  try {
    const pieces = reader.u32();
    for (let i = 0; i < pieces; i++) {
      const length = reader.u32();
      reader.u32();
      reader.skip(length, 'a piece');
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
  return reader.at;
}
