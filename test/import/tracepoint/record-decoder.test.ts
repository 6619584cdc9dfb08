import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TracepointRule, tracepointRules } from '../../../src/arch/tracepoints.ts';
import { RuleCompiler } from '../../../src/import/compiled-rule.ts';
import { RawRecord } from '../../../src/import/raw-record.ts';
import type { FormatField } from '../../../src/import/tracepoint/event-format.ts';
import { RecordDecoder } from '../../../src/import/tracepoint/record-decoder.ts';

const SIZES = [1, 2, 4, 8] as const;

function field(name: string, rest: Partial<FormatField>): FormatField {
  return {
    name,
    type: 'u64',
    offset: 0,
    size: 8,
    signed: false,
    array: 0,
    location: 'here',
    ...rest,
  };
}

function decoder(
  rule: Omit<TracepointRule, 'name' | 'source'>,
  fields: readonly FormatField[],
): RecordDecoder {
  const compiled = new RuleCompiler(tracepointRules([{ name: 'thing', source: 'test', ...rule }]));
  return RecordDecoder.of({ id: 1, system: 's', name: 'thing', fields }, compiled.get('thing')!)!;
}

function u64(record: RawRecord, slot: number): bigint {
  return (BigInt(record.high[slot]! >>> 0) << 32n) | BigInt(record.low[slot]! >>> 0);
}

describe('fields by the format file', () => {
  it('numbers of every size and sign stand anywhere, packed or not', () => {
    const drawn = fc.array(
      fc.record({
        size: fc.constantFrom(...SIZES),
        signed: fc.boolean(),
        gap: fc.nat(3),
        value: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(drawn, fc.nat(9), fc.nat(40), (parts, start, cut) => {
        const targets = ['value', 'object', 'aux0', 'aux1', 'code', 'event'] as const;
        const fields: FormatField[] = [];
        let offset = 8;
        for (const [k, { size, signed, gap }] of parts.entries()) {
          offset += gap;
          fields.push(field(`f${k}`, { offset, size, signed }));
          offset += size;
        }
        const bytes = new Uint8Array(start + offset + 8).fill(0xa5);
        const view = new DataView(bytes.buffer);
        for (const [k, { size, value }] of parts.entries()) {
          for (let b = 0; b < size; b++) {
            view.setUint8(start + fields[k]!.offset + b, Number((value >> BigInt(8 * b)) & 0xffn));
          }
        }
        const read = decoder(
          {
            kind: 'event-read',
            fields: Object.fromEntries(parts.map((_, k) => [`f${k}`, targets[k]!])),
          },
          fields.toReversed(),
        );
        const record = new RawRecord();
        const end = start + Math.max(0, offset - cut);
        read.read(bytes, start, end, record);
        for (const [k, { size, signed, value }] of parts.entries()) {
          const inside = start + fields[k]!.offset + size <= end;
          expect((record.present >>> k) & 1).toBe(inside ? 1 : 0);
          if (!inside) continue;
          const bits = 8 * size;
          const expected = signed
            ? BigInt.asUintN(64, BigInt.asIntN(bits, value))
            : BigInt.asUintN(bits, value);
          expect(u64(record, k)).toBe(expected);
        }
      }),
    );
  });

  const NAMES = { kind: 'sched-switch', fields: { comm: 'name-of pid', pid: 'tid' } } as const;
  const pid = field('pid', { type: 'pid_t', offset: 12, size: 4, signed: true });

  function nameRead(
    comm: Partial<FormatField>,
    bytes: Uint8Array,
    end = bytes.length,
  ): string | undefined {
    const record = new RawRecord();
    decoder(NAMES, [field('comm', comm), pid]).read(bytes, 0, end, record);
    if ((record.present & 1) === 0) return undefined;
    return new TextDecoder().decode(record.bytes.subarray(record.start[0], record.end[0]));
  }

  it('task names end at NUL or with their array', () => {
    const bytes = new Uint8Array(40);
    const comm = { type: 'char', offset: 16, size: 16, array: 16 };
    bytes.set(new TextEncoder().encode('CPU 0/KVM\0junk'), 16);
    expect(nameRead(comm, bytes)).toBe('CPU 0/KVM');
    bytes.set(new TextEncoder().encode('0123456789abcdefXX'), 16);
    expect(nameRead(comm, bytes)).toBe('0123456789abcdef');
    expect(nameRead(comm, bytes, 31)).toBeUndefined();
    expect(nameRead({ ...comm, type: '__u8' }, bytes)).toBeUndefined();
  });

  it('located text is found from the record or from the field, never outside the record', () => {
    const bytes = new Uint8Array(40).fill(0x7a);
    const view = new DataView(bytes.buffer);
    bytes.set(new TextEncoder().encode('qemu\0'), 24);
    const data = { type: 'char[]', offset: 8, size: 4, location: 'data_loc' } as const;
    view.setUint32(8, (5 << 16) | 24, true);
    expect(nameRead(data, bytes)).toBe('qemu');
    view.setUint32(8, (5 << 16) | 12, true);
    expect(nameRead({ ...data, location: 'rel_loc' }, bytes)).toBe('qemu');
    for (const where of [(17 << 16) | 24, (1 << 16) | 40, 0xffffffff]) {
      view.setUint32(8, where, true);
      expect(nameRead(data, bytes)).toBeUndefined();
    }
  });

  it('what is no number is not taken for one', () => {
    const fields = { f: 'value' } as const;
    for (const odd of [
      { type: 'char', size: 16, array: 16 },
      { type: 'u32', size: 8, array: 2 },
      { type: 'struct x', size: 24 },
      { type: 'char[]', size: 4, location: 'data_loc' as const },
    ]) {
      const made = decoder({ kind: 'event-read', fields }, [field('f', odd)]);
      expect(made).toBeUndefined();
    }
  });
});
