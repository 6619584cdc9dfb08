import type { CompiledRule } from '../compiled-rule.ts';
import type { RawRecord } from '../raw-record.ts';
import { FieldReader } from './fields.ts';
import { Pattern } from './pattern.ts';

/** Reads the payload of one tracepoint: its print texts first, then `field=value`. */
export class PayloadReader {
  private readonly patterns: readonly Pattern[];
  private readonly fields: FieldReader;

  constructor(rule: CompiledRule) {
    this.patterns = (rule.rule.text ?? []).map((text) => new Pattern(text, rule));
    this.fields = new FieldReader(rule);
  }

  read(bytes: Uint8Array, from: number, end: number, record: RawRecord): void {
    // In the order of the table: a later pattern may also fit what an earlier one is for.
    for (const pattern of this.patterns) {
      if (pattern.match(bytes, from, end, record)) return;
    }
    record.present = 0;
    this.fields.read(bytes, from, end, record);
  }
}
