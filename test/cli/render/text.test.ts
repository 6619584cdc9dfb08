import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toJson } from '../../../src/cli/render/json.ts';
import {
  formatBytes,
  formatDuration,
  nearest,
  plural,
  printable,
} from '../../../src/cli/render/text.ts';

describe('printable', () => {
  it('lets no recording drive the terminal', () => {
    expect(printable('CPU 0/KVM')).toBe('CPU 0/KVM');
    expect(printable('a\x1b[31mb\x07\r\nc')).toBe('a\\x1b[31mb\\x07\\x0d\\x0ac');
    expect(printable('\u202egnp.exe\u200b')).toBe('\\u{202e}gnp.exe\\u{200b}');
  });

  it('leaves no control character, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0x10ffff)), (codes) => {
        expect(printable(String.fromCodePoint(...codes))).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});

describe('numbers for people', () => {
  it.each([
    [0n, '0 ns'],
    [999n, '999 ns'],
    [1_000n, '1 us'],
    [1_234_500n, '1.2345 ms'],
    [4_149_000_001n, '4.149000001 s'],
    [-20_000n, '-20 us'],
  ])('%d ns is %s', (ns, text) => {
    expect(formatDuration(ns)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [3_800_806, '3.6 MiB'],
    [200 * 1024 ** 3, '200 GiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('counts things', () => {
    expect(plural(1, 'event')).toBe('1 event');
    expect(plural(1_302_476, 'event')).toBe('1,302,476 events');
    expect(plural(2n, 'entry', 'entries')).toBe('2 entries');
  });

  it('keeps 64 bits in JSON', () => {
    expect(toJson({ value: 0xffff_ffff_ffff_ffffn, list: [1n] })).toBe(
      '{"value":"18446744073709551615","list":["1"]}',
    );
  });
});

describe('nearest', () => {
  const verbs = ['import', 'info', 'events', 'verify', 'export', 'models', 'replay'];

  it('finds what was meant and nothing when nothing is near', () => {
    expect(nearest('evnts', verbs)).toBe('events');
    expect(nearest('imp', verbs)).toBe('import');
    expect(nearest('verfy', verbs)).toBe('verify');
    expect(nearest('frobnicate', verbs)).toBeUndefined();
  });
});
