import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_EVENTS, chunkOf, type Event } from '../../src/domain/event-chunk.ts';
import { CodecError, MAX_SEGMENT_BYTES } from '../../src/log/var1/layout.ts';
import { decodeColumns, decodeTimes, encodeColumns } from '../../src/log/var1/segment.ts';
import { anyEvent, columnsOf, randomOf, timeline } from './helpers.ts';

const roundTrip = (events: readonly Partial<Event>[]) => {
  const chunk = chunkOf(events);
  const bytes = encodeColumns(chunk);
  const back = decodeColumns(bytes, events.length, 77);
  expect(columnsOf(back)).toEqual(columnsOf(chunk));
  expect(Array.from(back.seq)).toEqual(events.map((_, i) => 77 + i));
  expect(decodeTimes(bytes, events.length)).toEqual(chunk.time);
  return bytes;
};

describe('var/1', () => {
  it('gives back any events, extremes included', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 60 }), (events) => {
        roundTrip(events);
      }),
      { numRuns: 300 },
    );
  });

  it('gives back full segments with dictionaries of every width and columns without one', () => {
    const random = randomOf(5);
    for (const different of [1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 4096]) {
      for (const size of [CHUNK_EVENTS, 4095, 1000, 300, 7]) {
        const events = Array.from({ length: size }, (_, i) => {
          const v = random() % different;
          return {
            time: BigInt(v) << 33n,
            kind: (v % 3) as Event['kind'],
            tid: v - 1,
            code: (v * 0x01000193) >>> 0,
            flags: v & 0xffff,
            value: BigInt(v) * 0x1_0000_0001n,
            aux0: BigInt(i * v),
            aux1: i % 2 === 0 ? 0n : BigInt(v),
          };
        });
        roundTrip(events);
      }
    }
  });

  it('gives back steps of either sign in every context', () => {
    const random = randomOf(9);
    const top = (1n << 64n) - 1n;
    const events = Array.from({ length: CHUNK_EVENTS }, (_, i) => ({
      time: top - BigInt(i),
      kind: (random() % 5) as Event['kind'],
      counter: random() % 4,
      code: random() % 9,
      object: BigInt(random() % 3),
      value: BigInt.asUintN(64, BigInt(random()) * BigInt(random()) * BigInt(random())),
      aux0: BigInt.asUintN(64, BigInt(i) * -3n),
      aux1: BigInt(i) << 40n,
    }));
    roundTrip(events);
  });

  it('spends next to nothing on columns that say nothing', () => {
    const silent = Array.from({ length: CHUNK_EVENTS }, () => ({ kind: 3 as const }));
    expect(roundTrip(silent).length).toBeLessThan(20);
    const constant = silent.map(() => ({
      time: 1n << 63n,
      kind: 4 as const,
      source: 9,
      tid: 4711,
      value: 1n << 60n,
    }));
    expect(roundTrip(constant).length).toBeLessThan(50);
  });

  it('spends 8 bytes, not a bit per event, on which kinds have a value', () => {
    const base = Array.from({ length: CHUNK_EVENTS }, (_, i) => ({
      kind: (i % 64 === 0 ? 14 : 3) as Event['kind'],
    }));
    const withValues = base.map((event, i) =>
      event.kind === 14 ? { ...event, value: BigInt(i) << 8n } : event,
    );
    const spent = roundTrip(withValues).length - roundTrip(base).length;
    expect(spent).toBeLessThan(64 * 3 + 12);
  });

  it('counts microseconds where a recording prints no more', () => {
    const micro = timeline(CHUNK_EVENTS, 3, 5_000_000n, 40_000).map(({ kind }, i) => ({
      kind,
      time: 1_000_000_000n + BigInt(i) * 7000n + BigInt(i % 5) * 1000n,
    }));
    const nano = micro.map(({ kind, time }, i) => ({ kind, time: time + BigInt(i % 5) }));
    expect(roundTrip(micro).length).toBeLessThan(roundTrip(nano).length - 4000);
  });

  it('depends on the events alone, not on the chunk they lie in', () => {
    const events = timeline(500, 11);
    const roomy = chunkOf([...events, ...timeline(3000, 12)]);
    const view = { ...roomy, length: 500 };
    expect(encodeColumns(view)).toEqual(encodeColumns(chunkOf(events)));
  });

  it('leaves nothing of what was packed before in unused bits', () => {
    const few = Array.from({ length: 13 }, (_, i) => ({
      code: 0xffff_0000 + (i % 3),
      object: 7n + BigInt(i % 3) * 0x3333_3333_3333_3333n,
    }));
    const packedAfter = (sameAtFirst: number) => {
      const wide = Array.from({ length: 4096 }, (_, i) => {
        const v = i < sameAtFirst ? 5 : i % 256;
        return { code: v, object: BigInt(v) };
      });
      encodeColumns(chunkOf(wide));
      return encodeColumns(chunkOf(few));
    };
    expect(packedAfter(0)).toEqual(packedAfter(20));
  });

  it('refuses kinds that no mask can hold, and more than a segment', () => {
    expect(() => encodeColumns(chunkOf([{ kind: 64 as Event['kind'] }]))).toThrow(RangeError);
    const many = Array.from({ length: CHUNK_EVENTS + 1 }, () => ({}));
    expect(() => encodeColumns(chunkOf(many))).toThrow(RangeError);
  });
});

/** Decoding hostile bytes may give events or a CodecError, nothing else. */
function survives(bytes: Uint8Array, total: number): boolean {
  try {
    return decodeColumns(bytes, total, 1).length === total;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return false;
  }
}

describe('var/1, hostile bytes', () => {
  const bytes = encodeColumns(chunkOf(timeline(300, 21)));

  it('ends with an error or with events, whatever byte is changed', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const copy = bytes.slice();
        copy[at]! ^= flip;
        survives(copy, 300);
      }
    }
  });

  it('refuses every truncation and every addition', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(survives(bytes.subarray(0, length), 300)).toBe(false);
    }
    expect(survives(Uint8Array.of(...bytes, 0), 300)).toBe(false);
  });

  it('refuses truncated times by themselves', () => {
    const times = encodeColumns(chunkOf(timeline(300, 21).map(({ time }) => ({ time }))));
    expect(decodeTimes(times, 300)).toHaveLength(300);
    for (let length = 0; length < 300; length++) {
      expect(() => decodeTimes(times.subarray(0, length), 300)).toThrow(CodecError);
    }
  });

  it('refuses what no packing makes: an index without entry, a step beyond all times', () => {
    const silent = (columns: number) => Array.from({ length: columns }, () => 0);
    const kinds = (packed: number) => Uint8Array.of(0, 2, 2, 0, 1, 2, packed, ...silent(11));
    expect(survives(kinds(0b10_01_00_10), 4)).toBe(true);
    expect(survives(kinds(0b10_11_00_10), 4)).toBe(false);
    const u32 = [0xff, 0xff, 0xff, 0xff, 0x0f];
    const times = (step: number[]) => Uint8Array.of(4, ...u32, ...step, ...silent(12));
    expect(survives(times([1]), 1)).toBe(true);
    expect(survives(times(u32), 1)).toBe(false);
    expect(survives(Uint8Array.of(9, ...silent(12)), 1)).toBe(false);
    expect(survives(Uint8Array.of(0x44, ...silent(30)), 1)).toBe(false);
  });

  it('refuses counts that no segment has', () => {
    for (const total of [0, -1, 1.5, CHUNK_EVENTS + 1, 2 ** 31, Number.NaN]) {
      expect(survives(bytes, total)).toBe(false);
      expect(() => decodeTimes(bytes, total)).toThrow(CodecError);
    }
  });

  it('takes any bytes at all', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: CHUNK_EVENTS }),
        (random, total) => {
          survives(random, total);
        },
      ),
      { numRuns: 500 },
    );
    survives(new Uint8Array(MAX_SEGMENT_BYTES).fill(0xff), CHUNK_EVENTS);
    survives(new Uint8Array(MAX_SEGMENT_BYTES).fill(0x43), CHUNK_EVENTS);
  });
});
