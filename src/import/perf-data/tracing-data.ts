import type { EventFormat } from '../tracepoint/event-format.ts';
import { parseEventFormat } from '../tracepoint/event-format.ts';
import { type Section, SectionError } from './section.ts';

const MAGIC = '\x17\x08\x44tracing';
/** Longest format file looked at (the longest of the kernel are some KiB). */
const MAX_FORMAT = 1 << 20;
const MAX_SYSTEMS = 4096;
const MAX_FORMATS = 65536;

/**
 * The tracing data section: what trace-cmd files of version 6 begin with. Gives each event format to `take`; the rest
 * (page header, ftrace's own formats, kallsyms, printk formats, task names) is not needed.
 */
export function readTracingData(section: Section, take: (format: EventFormat) => void): void {
  const start = section.at;
  const magic = section.bytes(MAGIC.length);
  if (textOfLatin(magic) !== MAGIC) throw new SectionError('it is no tracing data', start);
  section.zeroString(64);
  if (section.u8() !== 0) throw new SectionError('it is big-endian', section.at - 1);
  // Bytes of a long, and of a page.
  section.skip(5);
  named(section, 'header_page');
  named(section, 'header_event');
  for (let n = section.u32(); n > 0; n--) section.skip(section.size());
  const systems = section.u32();
  if (systems > MAX_SYSTEMS) throw new SectionError('too many groups of events', section.at - 4);
  let formats = 0;
  for (let n = 0; n < systems; n++) {
    const system = section.zeroString();
    for (let left = section.u32(); left > 0; left--) {
      if (++formats > MAX_FORMATS) throw new SectionError('too many events', section.at);
      const length = section.size();
      if (length > MAX_FORMAT) {
        section.skip(length);
        continue;
      }
      // Line ends matter here: textOf would take them out.
      const format = parseEventFormat(new TextDecoder().decode(section.bytes(length)), system);
      if (format !== undefined) take(format);
    }
  }
}

function named(section: Section, name: string): void {
  const at = section.at;
  if (section.zeroString(64) !== name) throw new SectionError(`${name} is missing`, at);
  section.skip(section.size());
}

function textOfLatin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
