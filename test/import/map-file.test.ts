import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/domain/errors.ts';
import { EventFlag, EventKind, RegisterSpace, registerSpace } from '../../src/domain/event-kind.ts';
import { parseMapFile, readMapFile } from '../../src/import/map-file.ts';
import { importText } from './import-text.ts';

const perf = (event: string, n = 1): string =>
  `       CPU 0/KVM   281 [000]     1.00000000${n}: ${event}\n`;

function map(events: object): string {
  return JSON.stringify({ format: 'vpmu-map/1', events }, null, 2);
}

function refusal(text: string): UsageError {
  try {
    parseMapFile(text, 'own.json');
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error('was taken');
}

describe('map files', () => {
  it('take a built-in rule over under other names', async () => {
    const rules = parseMapFile(
      map({
        my_get: { like: 'get_counter', fields: { n: 'idx', result: 'val', cpu_id: 'vcpu' } },
        my_in: { like: 'sysreg_in', entryOf: 'my_out' },
        my_out: { like: 'sysreg' },
      }),
      'own.json',
    );
    const { events, report } = await importText(
      perf('x:my_get: (ffff) cpu_id=0 n=3 result=0x7') +
        perf('x:my_in: (ffff) vcpu=0 op0=3 op1=3 crn=9 crm=12 op2=0 wr=1 val=0x9', 2) +
        perf('x:my_out: (ffff <- ffff) op0=3 op1=3 crn=9 crm=12 op2=0 wr=1 val=0x9 ok=1', 3) +
        perf('vpmu:get_counter: (ffff) vcpu=0 idx=4 val=0x8', 4),
      { map: rules },
    );
    expect(events.map(({ kind, counter, value, flags }) => [kind, counter, value, flags])).toEqual([
      [EventKind.counterGet, 3, 7n, 0],
      [EventKind.write, -1, 9n, EventFlag.entry],
      [EventKind.write, -1, 9n, 0],
      [EventKind.counterGet, 4, 8n, 0],
    ]);
    expect(report.notices).toEqual([]);
  });

  it('say themselves what a record is, with texts and words', async () => {
    const rules = parseMapFile(
      map({
        hv_msr: {
          kind: ['read', 'write'],
          space: 'msr',
          fields: { way: 'select', msr: 'code', val: 'value', bad: 'failed' },
          required: ['msr', 'val'],
          text: ['{way:w} of {msr:x} is {val}{bad? !}'],
          words: { way: { get: 0, put: 1 } },
        },
        kvm_msr: { kind: 'other' },
      }),
      'own.json',
    );
    const { events } = await importText(
      perf('hv:hv_msr: put of c1 is 18446744073709551615 !') +
        perf('hv:hv_msr: way=0 msr=0x186 val=5 bad=0', 2) +
        perf('kvm:kvm_msr: msr_read c1 = 0x5', 3),
      { map: rules },
    );
    expect(
      events.map(({ kind, code, value, flags }) => [kind, code, value, flags & EventFlag.failed]),
    ).toEqual([
      [EventKind.write, 0xc1, 0xffff_ffff_ffff_ffffn, EventFlag.failed],
      [EventKind.read, 0x186, 5n, 0],
      [EventKind.other, 1, 0n, 0],
    ]);
    expect(registerSpace(events[0]!.flags)).toBe(RegisterSpace.msr);
  });

  it.each<[string, string | object, string]>([
    ['no JSON', '{\n "format": "vpmu-map/1",\n oops', 'own.json: line 3: not valid JSON'],
    ['an unfinished file', '{\n', 'own.json: line 2: not valid JSON'],
    [
      'another format',
      '{"format": "x", "events": {}}',
      'own.json: line 1: format: must be "vpmu-map/1"',
    ],
    ['no events', '{"format": "vpmu-map/1"}', 'own.json: line 1: events: is missing'],
    ['a list', '[]', 'own.json: line 1: must be an object'],
    [
      'a group',
      { 'x:y': { kind: 'other' } },
      'own.json: line 4: events.x:y: a tracepoint or probe is named without its group',
    ],
    ['no kind', { a: {} }, 'own.json: line 4: events.a.kind: is missing'],
    [
      'an unknown kind',
      { a: { kind: 'raed' } },
      "own.json: line 5: events.a.kind: no event kind 'raed'",
    ],
    [
      'three kinds',
      { a: { kind: ['read', 'write', 'read'], space: 'msr' } },
      'own.json: line 5: events.a.kind: one kind, or two of which select chooses',
    ],
    [
      'an unknown column',
      { a: { kind: 'marker', fields: { x: 'cod' } } },
      "own.json: line 7: events.a.fields.x: no column 'cod'",
    ],
    [
      'a column the kind has not',
      { a: { kind: 'marker', fields: { x: 'value' } } },
      'own.json: line 7: events.a.fields.x: marker has no value',
    ],
    [
      'select without a choice',
      { a: { kind: 'wakeup', fields: { x: 'select' } } },
      'own.json: line 7: events.a.fields.x: select needs two kinds',
    ],
    [
      'a name of no field',
      { a: { kind: 'wakeup', fields: { x: 'name-of y' } } },
      "own.json: line 7: events.a.fields.x: 'name-of y' names no field of this entry",
    ],
    [
      'an access without a space',
      { a: { kind: 'read', fields: { x: 'code' } } },
      'own.json: line 4: events.a: register accesses need "space": one of sysreg, msr, rdpmc',
    ],
    [
      'an unknown space',
      { a: { kind: 'read', space: 'io' } },
      'own.json: line 6: events.a.space: must be one of sysreg, msr, rdpmc',
    ],
    [
      'an unknown member',
      { a: { kind: 'wakeup', flag: [] } },
      'own.json: line 6: events.a.flag: not a member here: only like, kind, fields, required, text, words, flags, space, entryOf, onVcpuThread',
    ],
    [
      'an unknown flag',
      { a: { kind: 'wakeup', flags: ['x'] } },
      'own.json: line 6: events.a.flags: must be one of entry, trap',
    ],
    [
      'a required field that is none',
      { a: { kind: 'wakeup', required: ['x'] } },
      "own.json: line 6: events.a.required: 'x' is not in fields",
    ],
    [
      'nothing like it',
      { a: { like: 'sysregg' } },
      "own.json: line 5: events.a.like: no built-in rule 'sysregg'",
    ],
    [
      'a field the original has not',
      { a: { like: 'sysreg', fields: { x: 'y' } } },
      "own.json: line 7: events.a.fields.x: sysreg has no field 'y'",
    ],
    [
      'half of nothing',
      { a: { kind: 'wakeup', entryOf: 'b' } },
      "own.json: line 6: events.a.entryOf: no rule for 'b'",
    ],
    [
      'a broken text',
      { a: { kind: 'wakeup', text: ['{x'] } },
      "own.json: line 6: events.a.text: '{x' is no pattern",
    ],
    [
      'a word without words',
      { a: { kind: 'wakeup', text: ['{x:w}'] } },
      'own.json: line 6: events.a.text: {x:w} has no words',
    ],
    [
      'a word that is no number',
      { a: { kind: 'wakeup', words: { x: { y: -1 } } } },
      'own.json: line 8: events.a.words.x.y: must be a whole number below 2^32',
    ],
    [
      'too many fields',
      {
        a: {
          kind: 'wakeup',
          fields: Object.fromEntries(Array.from({ length: 32 }, (_, k) => [`f${k}`, 'vcpu'])),
        },
      },
      'own.json: line 6: events.a.fields: more than 31 fields',
    ],
  ])('refuse %s and say where', (_, content, message) => {
    const error = refusal(typeof content === 'string' ? content : map(content));
    expect(error.message).toBe(message);
    expect(error.hint).toBeTruthy();
    expect(error.exitCode).toBe(2);
  });

  it('are read from a file, which has to be there', async () => {
    await expect(readMapFile('/no/such/file.json')).rejects.toThrow(
      '/no/such/file.json: no such file',
    );
  });
});
