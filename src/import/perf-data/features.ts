import type { RecordingFacts } from '../../domain/log-facts.ts';
import { archOf, CLOCKS } from '../text/header-facts.ts';
import type { EventFormat } from '../tracepoint/event-format.ts';
import { parseAttr } from './attr.ts';
import type { Attrs } from './attrs.ts';
import { Feature } from './format.ts';
import { type Section, SectionError } from './section.ts';
import { readTracingData } from './tracing-data.ts';

/** What the features of a recording tell. */
export class Features {
  readonly found: { -readonly [K in keyof RecordingFacts]?: RecordingFacts[K] } = {};
  /** Formats of tracepoints by number. */
  readonly formats = new Map<number, EventFormat>();
  /** Most bytes one COMPRESSED record may become, 0 if the recording does not say. */
  compressedMost = 0;
  isStat = false;
  hasAuxtrace = false;
  /** The samples are in other files (perf record --threads). */
  isDirectory = false;
  /** Wall clock and the recording's clock at one instant, ns. */
  wallClock: { readonly wall: bigint; readonly here: bigint } | undefined;
  private readonly names: { readonly ids: readonly bigint[]; readonly name: string }[] = [];

  /** One feature's section. SectionError if it is not what it should be. */
  read(feature: number, section: Section): void {
    const { found } = this;
    switch (feature) {
      case Feature.tracingData:
        readTracingData(section, (format) => this.formats.set(format.id, format));
        break;
      case Feature.hostname:
        found.hostname = section.string().trim();
        break;
      case Feature.osrelease:
        found.kernelRelease = section.string().trim();
        break;
      case Feature.version:
        found.toolVersion = `perf ${section.string().trim()}`;
        break;
      case Feature.arch: {
        const arch = archOf(section.string());
        if (arch !== undefined) found.arch = arch;
        break;
      }
      case Feature.cmdline: {
        const words: string[] = [];
        const at = section.at;
        const count = section.u32();
        if (count * 4 > section.left) throw new SectionError('more words than fit', at);
        for (let n = 0; n < count; n++) words.push(section.string());
        found.commandLine = words.join(' ').trim();
        break;
      }
      case Feature.eventDesc:
        this.eventDesc(section);
        break;
      case Feature.auxtrace:
        this.hasAuxtrace = true;
        break;
      case Feature.stat:
        this.isStat = true;
        break;
      case Feature.dirFormat:
        this.isDirectory = true;
        break;
      case Feature.compressed:
        // version, type, level, ratio
        section.skip(16);
        this.compressedMost = section.u32();
        break;
      case Feature.clockData: {
        section.skip(8);
        const wall = section.u64();
        this.wallClock = { wall, here: section.u64() };
        break;
      }
    }
  }

  /** Gives the events the names that EVENT_DESC has for them, and ids the attr section did not have. */
  nameEvents(attrs: Attrs): void {
    // EVENT_DESC has the events in their order; where it does not, ids tell.
    const inOrder = this.names.length === attrs.list.length;
    this.names.forEach(({ ids, name }, n) => {
      const own = inOrder ? attrs.list[n] : undefined;
      if (own !== undefined && own.name === '') own.name = name;
      for (const id of ids) {
        const low = Number(id & 0xffffffffn);
        const high = Number(id >> 32n);
        const attr = attrs.find(low, high);
        if (attr === undefined && own !== undefined) attrs.addId(low, high, own);
        else if (attr !== undefined && attr.name === '') attr.name = name;
      }
    });
    const clock = attrs.list.find(({ clockid }) => clockid !== undefined)?.clockid;
    if (clock !== undefined) this.found.clock = CLOCKS[String(clock)] ?? `clockid ${clock}`;
  }

  private eventDesc(section: Section): void {
    const at = section.at;
    const count = section.u32();
    const size = section.u32();
    if (size < 64 || count > section.left / size) {
      throw new SectionError('more events than fit', at);
    }
    for (let n = 0; n < count; n++) {
      if (parseAttr(section.bytes(size)) === undefined) return;
      const ids = section.u32();
      const name = section.string();
      if (ids > section.left / 8) throw new SectionError('more ids than fit', section.at);
      const bytes = section.bytes(ids * 8);
      const list = Array.from(new BigUint64Array(bytes.slice().buffer));
      this.names.push({ ids: list, name });
    }
  }
}
