import { Op } from './field-op.ts';
import type { ImportContext } from './importer.ts';

/** Ids remembered; the log knows them all anyway. */
const MAX_CACHED = 4096;

/** Collects the perf_event_attr that the fields of one record give, and turns it into its id. */
export class AttrCollector {
  private readonly context: ImportContext;
  private readonly ids = new Map<string, number>();
  private seen = false;
  private type = 0;
  private config1 = 0n;
  private flags = 0n;
  private cpu = -1;
  private task = -1;

  constructor(context: ImportContext) {
    this.context = context;
  }

  /** One field, by its op (an attr one) and the op's argument; signed halves. */
  field(op: number, shift: number, low: number, high: number): void {
    if (!this.seen) {
      this.seen = true;
      this.type = 0;
      this.config1 = 0n;
      this.flags = 0n;
      this.cpu = -1;
      this.task = -1;
    }
    switch (op) {
      case Op.attrType:
        this.type = low >>> 0;
        break;
      case Op.attrConfig1:
        this.config1 = u64(low, high);
        break;
      case Op.attrFlags:
        this.flags |= u64(low, high);
        break;
      case Op.attrBit:
        if (low !== 0) this.flags |= 1n << BigInt(shift);
        break;
      case Op.attrCpu:
        this.cpu = Math.max(-1, low | 0);
        break;
      case Op.attrTask:
        this.task = Math.max(-1, low | 0);
        break;
    }
  }

  /** Id of the attr the fields since the last call gave, 0 if they gave none. */
  id(): number {
    if (!this.seen) return 0;
    this.seen = false;
    const { type, config1, flags, cpu, task } = this;
    const key = `${type},${config1},${flags},${cpu},${task}`;
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.context.attrId({ type, config1, attrFlags: flags, cpu, task });
    if (this.ids.size >= MAX_CACHED) this.ids.clear();
    this.ids.set(key, id);
    return id;
  }
}

function u64(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
