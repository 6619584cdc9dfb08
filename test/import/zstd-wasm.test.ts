import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/domain/errors.ts';
import { ZstdDecoder } from '../../src/import/zstd.ts';
import { loadZstd, unpackFrames, ZstdError } from '../../src/import/zstd-wasm.ts';

/** A frame of one raw block that asks for a window of 64 MiB, the largest taken. */
const WIDE = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3, 0x09, 0, 0, 0x61);
/** More of these windows than the 2 GiB the library can have. */
const MANY = 40;

describe('the memory of zstd', () => {
  it('is given back by a decoder that is closed, in whatever state', async () => {
    for (let n = 0; n < 2 * MANY; n++) {
      const decoder = await ZstdDecoder.create('recording');
      const cut = n % 2 === 0 ? WIDE.length : WIDE.length - 1;
      const content = [...decoder.push(WIDE.subarray(0, cut))];
      expect(content.map((piece) => [...piece])).toEqual(n % 2 === 0 ? [[0x61]] : []);
      decoder.close();
    }
    expect(process.resourceUsage().maxRSS / 1024).toBeLessThan(500);
  });

  it('ends with one line where there is no more', async () => {
    const open: ZstdDecoder[] = [];
    try {
      expect(() => {
        for (let n = 0; n < MANY; n++) {
          const decoder = new ZstdDecoder('recording');
          open.push(decoder);
          for (const _ of decoder.push(WIDE));
        }
      }).toThrow(InputError);
    } finally {
      for (const decoder of open) decoder.close();
    }
    const decoder = await ZstdDecoder.create('recording');
    expect([...decoder.push(WIDE)]).toHaveLength(1);
    decoder.close();
  });

  it('is that of the content for whole frames, whatever window they ask for', async () => {
    await loadZstd();
    const huge = Uint8Array.from(WIDE);
    huge[5] = 0xff;
    const into = new Uint8Array(3);
    expect(unpackFrames(WIDE, into, 1, 1)).toBe(1);
    expect([...into]).toEqual([0, 0x61, 0]);
    expect(() => unpackFrames(huge, into, 1, 1)).toThrow(ZstdError);
    expect(() => unpackFrames(WIDE, into, 0, 0)).toThrow(ZstdError);
    expect(() => unpackFrames(WIDE.subarray(0, 9), into, 0, 3)).toThrow(ZstdError);
  });
});
