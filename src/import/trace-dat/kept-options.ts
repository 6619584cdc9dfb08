import { type Option, OptionId } from './description.ts';

/** Options that say something of the recording; what is longer than MAX_OPTION (memory maps) is none of them. */
const KEPT: ReadonlySet<number> = new Set([
  ...[OptionId.date, OptionId.cpuStat, OptionId.traceClock, OptionId.uname, OptionId.offset],
  ...[OptionId.cpuCount, OptionId.version, OptionId.traceId, OptionId.timeShift, OptionId.guest],
  OptionId.tscToNs,
]);
const MAX_OPTION = 1024 * 1024;
const MAX_OPTIONS = 65536;
const MAX_BYTES = 16 * 1024 * 1024;

/** The options of a recording that are kept, within bounds. */
export class KeptOptions {
  readonly list: Option[] = [];
  private bytes = 0;

  /** True if an option of this kind and length is kept. */
  wants(id: number, length: number): boolean {
    return (
      KEPT.has(id) &&
      length <= MAX_OPTION &&
      this.list.length < MAX_OPTIONS &&
      this.bytes + length <= MAX_BYTES
    );
  }

  add(id: number, bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.list.push({ id, bytes: new Uint8Array(bytes) });
  }
}
