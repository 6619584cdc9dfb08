import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptySelectionText } from '../../src/cli/empty-selection.ts';
import { wordsOf } from '../../src/cli/event-words.ts';
import { machineOf, parsePmuEvents } from '../../src/cli/pmu-events.ts';
import { resolveRanges } from '../../src/cli/ranges.ts';
import { fieldsLine, parseFields } from '../../src/cli/render/event-fields.ts';
import { type SelectionOptions, selectEvents } from '../../src/cli/selection.ts';
import { UsageError } from '../../src/domain/errors.ts';
import { type Event, eventAt } from '../../src/domain/event-chunk.ts';
import { KIND_SPECS } from '../../src/domain/event-kind.ts';
import { importInto, type Log, openLog } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
let amd: Log;
let arm: Log;

beforeAll(async () => {
  const logOf = async (recording: string): Promise<Log> => {
    const path = join(folder, `${recording}.vpmu`);
    await importInto(path, [{ path: join('traces', recording, 'perf-script.txt.zst') }]);
    return openLog(path);
  };
  amd = await logOf('X9b-event-filter');
  arm = await logOf('S5-bare');
});

afterAll(() => {
  amd.close();
  arm.close();
  rmSync(folder, { recursive: true, force: true });
});

function selected(log: Log, options: SelectionOptions, ranges: readonly string[] = []): Event[] {
  return [...selectEvents(log, options, ranges)].flatMap((chunk) =>
    Array.from({ length: chunk.length }, (_, i) => eventAt(chunk, i)),
  );
}

describe('-e on x86', () => {
  it('finds selectors and backing events by name, number and raw config', () => {
    expect(machineOf(amd)).toBe('amd');
    const kinds = selected(amd, { event: ['cycles'] }).map(({ kind }) => KIND_SPECS[kind]!.name);
    expect(new Set(kinds)).toEqual(new Set(['write', 'event-create', 'host-wrmsr']));
    expect(selected(amd, { event: ['r76'] })).toEqual(selected(amd, { event: ['cpu-cycles:G'] }));
    expect(selected(amd, { event: ['branches'] })).not.toEqual(
      selected(amd, { event: ['cycles'] }),
    );
  });

  it('knows which vendor counts what', () => {
    expect([...parsePmuEvents(['branches'], 'amd')]).toEqual([0xc2]);
    expect([...parsePmuEvents(['branches'], 'intel')]).toEqual([0xc4]);
    expect([...parsePmuEvents(['branches'], 'x86')]).toEqual([0xc4, 0xc2]);
    expect([...parsePmuEvents(['cpu/event=0x1c2,umask=0x3/', 'r5301c2'], 'amd')]).toEqual([
      0x1_0000_03c2, 0x1c2,
    ]);
    expect(() => parsePmuEvents(['slots'], 'amd')).toThrow('no such PMU event of AMD');
    expect(() => parsePmuEvents(['cycels'], 'intel')).toThrow('did you mean cycles?');
  });

  it('names what an x86 config counts, not what arm64 counts under that number', () => {
    const create = selected(amd, { kind: ['event-create'] })[0]!;
    const [chunk] = selectEvents(amd, {}, [`@${create.seq}`]);
    expect(fieldsLine(parseFields(['config']), ',', chunk!, 0, wordsOf(amd))).toBe('cycles:0x76');
  });
});

describe('a selection of nothing', () => {
  it('is refused where it names what the log does not have', () => {
    expect(() => selected(arm, { vcpu: '9' })).toThrow('--vcpu 9: no such vCPU');
    for (const range of ['1000,1001', ',0.5', '@99999999', '@20000-@20010']) {
      expect(() => resolveRanges([range], arm)).toThrow(`${range}: the log has nothing there`);
    }
    expect(() => selected(arm, { register: ['PERF_CTL99'] })).toThrow(UsageError);
    expect(selected(amd, { register: ['perf_ctln'] }).length).toBeGreaterThan(4);
  });

  it('says which condition nothing meets, and what there is', () => {
    expect(emptySelectionText(arm, { kind: ['host-rdmsr'], vcpu: '0' }, [])).toMatch(
      /^no event matches --kind host-rdmsr: the log has other, irq-level, .* and \d+ more$/,
    );
    expect(emptySelectionText(arm, { register: ['msr:0x38f'] }, [])).toMatch(
      /^no event matches --register msr:0x38f: the log has accesses to PM/,
    );
    expect(emptySelectionText(arm, { event: ['l2d_cache'] }, [])).toBe(
      'no event matches -e l2d_cache: the event exists, but no record names it',
    );
    expect(emptySelectionText(arm, { kind: ['write'], event: ['instructions'] }, ['@1'])).toBe(
      'no event matches --kind write and -e instructions and @1 together; each alone matches some',
    );
  });
});

describe('-F', () => {
  it('prints what an event has and nothing for what it has not, exact', () => {
    const [event] = selected(arm, { kind: ['event-read'] });
    const [chunk] = selectEvents(arm, {}, [`@${event!.seq}`]);
    const names = ['seq', 'time', 'time-ns', 'kind', 'count', 'register', 'config'];
    expect(fieldsLine(parseFields(names), ',', chunk!, 0, wordsOf(arm)).split(',')).toEqual([
      `${event!.seq}`,
      `${event!.time / 1_000_000_000n}.${`${event!.time % 1_000_000_000n}`.padStart(9, '0')}`,
      `${event!.time}`,
      'event-read',
      `${event!.value}`,
      '',
      '',
    ]);
  });

  it('quotes what holds the separator, and knows perf names', () => {
    const [event] = selected(arm, { kind: ['write'] });
    const [chunk] = selectEvents(arm, {}, [`@${event!.seq}`]);
    expect(fieldsLine(parseFields(['comm', 'cpu']), ' ', chunk!, 0, wordsOf(arm))).toMatch(
      /^"CPU 0\/KVM" \d$/,
    );
    expect(() => parseFields(['vlaue'])).toThrow('did you mean value?');
    expect(() => parseFields(['constructor'])).toThrow(UsageError);
  });
});
