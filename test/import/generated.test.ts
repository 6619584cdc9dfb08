import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_SECONDS, nanoseconds, parseHex, parseNumber } from '../../src/import/text/number.ts';
import { importText } from './import-text.ts';
import { slowRead } from './slow-reader.ts';

const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const low = new Int32Array(1);
const high = new Int32Array(1);
const got = (): bigint => (BigInt(high[0]! >>> 0) << 32n) | BigInt(low[0]! >>> 0);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('numbers', () => {
  it('are exact over 64 bits, in both bases and with a sign', () => {
    fc.assert(
      fc.property(u64, fc.bigInt({ min: -(1n << 63n), max: -1n }), (value, negative) => {
        const cases: readonly (readonly [string, bigint])[] = [
          [`${value}`, value],
          [`0x${value.toString(16)}`, value],
          [`0x00${value.toString(16).toUpperCase()}`, value],
          [`${negative}`, BigInt.asUintN(64, negative)],
        ];
        for (const [text, want] of cases) {
          const bytes = bytesOf(text);
          expect(parseNumber(bytes, 0, bytes.length, low, high, 0)).toBe(bytes.length);
          expect(got()).toBe(want);
        }
      }),
    );
  });

  it.each([
    ['', -1],
    ['-', -1],
    ['x', -1],
    ['0x', -1],
    ['0xg', -1],
    ['18446744073709551616', -1],
    ['0x10000000000000000', -1],
    ['-9223372036854775809', -1],
    ['99999999999999999999999999', -1],
    ['18446744073709551615', 20],
    ['-9223372036854775808', 20],
    ['0x00000000000000000001', 22],
    ['12ab', 2],
  ])('%j ends at %i', (text, end) => {
    const bytes = bytesOf(text);
    expect(parseNumber(bytes, 0, bytes.length, low, high, 0)).toBe(end);
  });

  it('hex needs no 0x and stops at what is none', () => {
    expect(parseHex(bytesOf('ffff80009,'), 0, 10, low, high, 0)).toBe(9);
    expect(got()).toBe(0xffff80009n);
  });

  it('seconds become ns exactly up to the end of 64 bits', () => {
    const out = new Int32Array(2);
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(20_000_000), fc.integer({ min: 0, max: MAX_SECONDS + 1 })),
        fc.nat(999_999_999),
        (seconds, ns) => {
          const want = BigInt(seconds) * 1_000_000_000n + BigInt(ns);
          expect(nanoseconds(seconds, ns, out)).toBe(want < 1n << 64n);
          if (want < 1n << 64n)
            expect((BigInt(out[1]! >>> 0) << 32n) | BigInt(out[0]! >>> 0)).toBe(want);
        },
      ),
    );
    expect(nanoseconds(MAX_SECONDS, 709_551_615, out)).toBe(true);
    expect(nanoseconds(MAX_SECONDS, 709_551_616, out)).toBe(false);
  });
});

/** Task names: up to 15 bytes, with everything that looks like a part of a line. */
const comm = fc
  .oneof(
    fc.constantFrom(
      'CPU 0/KVM',
      'CPU 12/KVM',
      'a b:c [1] 2.5:',
      'x-12',
      '0/0',
      'qemu: x',
      '1 [000] 1.5:',
    ),
    fc.constantFrom(' prev_pid=1', ' next_pid=2', ' prev_state=R', 'x ==> y', '(x)', 'k:v [1] S'),
    fc.string({ unit: fc.constantFrom(...'aZ09 :/-_[]()<>=.#'), minLength: 1, maxLength: 15 }),
  )
  .map((text) => text.trim().slice(0, 15))
  .filter((text) => text !== '' && !/^[<#[]/.test(text));

const state = fc.constantFrom('R', 'R+', 'S', 'D', 'T', 't', 'X', 'Z', 'P', 'I', 'D|K');
const small = fc.nat(31);

const payload = fc.oneof(
  fc
    .tuple(small, u64)
    .map(([idx, val]) => [
      'set_counter',
      `(ffff8000800912b0) vcpu=0 idx=${idx} val=0x${val.toString(16)}`,
    ]),
  fc
    .record({
      op: fc.tuple(fc.nat(3), fc.nat(7), fc.nat(15), fc.nat(15), fc.nat(7)),
      wr: fc.nat(1),
      val: u64,
      ok: fc.nat(1),
    })
    .map(({ op, wr, val, ok }) => [
      'sysreg',
      `(ffff <- ffff) vcpu=0 op0=${op[0] || 3} op1=${op[1]} crn=${op[2]} crm=${op[3]} op2=${op[4]} wr=${wr} val=0x${val.toString(16)} ok=${ok}`,
    ]),
  fc
    .tuple(u64, u64, u64, u64, fc.integer({ min: -4, max: 1 }))
    .map(([event, val, enabled, running, s]) => [
      'ev_read',
      `(ffff <- ffff) event=0x${event.toString(16)} val=${val} enabled=${enabled} running=${running} state=${s}`,
    ]),
  fc
    .tuple(u64, fc.integer({ min: -4095, max: 0 }), u64)
    .map(([event, ret, config]) => [
      'hw_add',
      `(ffff <- ffff) event=0x${event.toString(16)} ret=${ret} config=0x${config.toString(16)}`,
    ]),
  fc
    .tuple(fc.nat(1), fc.integer({ min: 0, max: 0xffffffff }), u64, fc.boolean())
    .map(([write, ecx, data, gp]) => [
      'kvm_msr',
      `msr_${write ? 'write' : 'read'} ${ecx.toString(16)} = 0x${data.toString(16)}${gp ? ' (#GP)' : ''}`,
    ]),
  fc
    .tuple(comm, comm, state, fc.nat(99999), fc.nat(99999))
    .map(([prev, next, letters, p, n]) => [
      'sched_switch',
      `prev_comm=${prev} prev_pid=${p} prev_prio=120 prev_state=${letters} ==> next_comm=${next} next_pid=${n} next_prio=120`,
    ]),
) as fc.Arbitrary<[string, string]>;

const line = fc.record({
  comm,
  tid: fc.integer({ min: 1, max: 4194304 }),
  cpu: fc.nat(999),
  seconds: fc.nat(30_000_000),
  fraction: fc.nat(999_999_999),
  payload,
});

type Line = typeof line extends fc.Arbitrary<infer T> ? T : never;

const pad = (value: number, width: number): string => `${value}`.padStart(width, '0');

function perfLine({ comm: who, tid, cpu, seconds, fraction, payload: [name, rest] }: Line): string {
  return `${who.padStart(16)} ${`${tid}`.padStart(7)} [${pad(cpu, 3)}] ${`${seconds}.${pad(fraction, 9)}`.padStart(16)}: ${`vpmu:${name}`.padStart(20)}: ${rest}`;
}

function ftraceLine({
  comm: who,
  tid,
  cpu,
  seconds,
  fraction,
  payload: [name, rest],
}: Line): string {
  return `${who.padStart(16)}-${`${tid}`.padEnd(7)} [${pad(cpu, 3)}] d.h.. ${seconds}.${pad(Math.floor(fraction / 1000), 6)}: ${name}: ${rest}`;
}

describe('generated lines', () => {
  it.each([
    ['perf', perfLine],
    ['ftrace', ftraceLine],
  ] as const)('%s: any task name and any 64-bit value come through', async (format, print) => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
        const text = `${lines.map(print).join('\n')}\n`;
        const { events } = await importText(text);
        expect(events).toHaveLength(lines.length);
        // The task name is given back by the columns it stands in, which a search from the left cannot know.
        const slow = lines.map((one) => {
          const plain = {
            ...one,
            comm: 'x',
            payload: [one.payload[0], plainNames(one.payload[1])],
          };
          return slowRead(print(plain as Line), format)[0]!;
        });
        for (const [k, event] of events.entries()) {
          const want = slow[k]!;
          for (const name of [
            'time',
            'kind',
            'pcpu',
            'tid',
            'code',
            'value',
            'object',
            'aux0',
            'aux1',
          ] as const) {
            expect(event[name]).toBe(want[name] ?? (typeof event[name] === 'bigint' ? 0n : 0));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** sched_switch with task names that mislead nobody. */
function plainNames(rest: string): string {
  const found =
    /( prev_pid=\d+ prev_prio=120 prev_state=\S+ ==> next_comm=).*( next_pid=\d+ next_prio=120)$/.exec(
      rest,
    );
  return found === null ? rest : `prev_comm=x${found[1]}x${found[2]}`;
}
