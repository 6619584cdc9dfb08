import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/domain/errors.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import { parseMapFile } from '../../src/import/map-file.ts';
import { NullSink } from '../import/memory-sink.ts';
import { fixture } from './survive.ts';

const get = { kind: 'counter-get', fields: { val: 'value' } };

/** Map files nobody would write by hand, as entries of `events`. All are wrong. */
const WRONG: Readonly<Record<string, object>> = {
  'an entry half of itself': { get_counter: { ...get, entryOf: 'get_counter' } },
  'two entry halves of each other': {
    get_counter: { ...get, entryOf: 'set_counter' },
    set_counter: { ...get, entryOf: 'get_counter' },
  },
  'a column of every object': { kvm_exit: { kind: 'counter-get', fields: { val: 'toString' } } },
  'a required field of every object': { kvm_exit: { ...get, required: ['toString'] } },
  'a name of a field of every object': {
    kvm_exit: { kind: 'counter-get', fields: { val: 'name-of toString' } },
  },
  'a like field of every object': { a: { like: 'get_counter', fields: { x: 'toString' } } },
  'too many fields in a pattern': {
    kvm_exit: { ...get, text: [Array.from({ length: 60 }, (_, i) => `{f${i}:x}`).join(' ')] },
  },
  'a name of 100000 letters': { ['a'.repeat(100_000)]: { kind: 'nothing' } },
};

async function use(events: object): Promise<void> {
  const map = parseMapFile(JSON.stringify({ format: 'vpmu-map/1', events }), 'map.json');
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield fixture('arm64-6.12.tracefs.txt');
  }
  await importRecordings(new NullSink(), [{ path: 'recording', stream: bytes() }], { map });
}

describe('a map file', () => {
  it.each(Object.entries(WRONG))('with %s is refused in one line', async (_, events) => {
    const error: unknown = await use(events).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toMatch(/^[^\n]{1,400}$/);
    expect((error as UsageError).message).not.toMatch(/native code|\[object/);
  });

  it('may use words that every object has as names', async () => {
    await use({ toString: { kind: 'other' }, constructor: { kind: 'other' } });
    await use({ kvm_exit: { ...get, fields: { val: 'value' }, text: ['TRAP: {toString} {*}'] } });
  });
});
