import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/domain/errors.ts';
import type { Event } from '../../../src/domain/event-chunk.ts';
import { EventFlag, EventKind, KIND_SPECS } from '../../../src/domain/event-kind.ts';
import type { RecordingFacts } from '../../../src/domain/log-facts.ts';
import { jsonLines } from '../../../src/import/jsonl/jsonl-importer.ts';
import { COMMON_MEMBERS, KIND_MEMBERS } from '../../../src/import/jsonl/members.ts';
import { exported, MemoryLog, readInto } from './memory-log.ts';

const FACTS: RecordingFacts = {
  name: 'perf.data',
  format: 'perf-data',
  role: 'host',
  kernelRelease: '6.12.117+deb12-arm64',
  arch: 'arm64',
  hostname: 'l1',
  toolVersion: '6.1.187',
  commandLine: 'perf record -a',
  clock: 'mono',
  timeResolution: 1,
};
const HEADER =
  '{"format":"vpmu-events/1","recordings":[{"name":"a","format":"perf-script","role":"host"}]';

function event(fields: Partial<Event>): Omit<Event, 'seq'> {
  return {
    time: 0n,
    kind: EventKind.marker,
    flags: 0,
    source: 1,
    pcpu: -1,
    vcpu: -1,
    tid: -1,
    counter: -1,
    code: 0,
    object: 0n,
    value: 0n,
    aux0: 0n,
    aux1: 0n,
    ...fields,
  };
}

function logOf(events: readonly Partial<Event>[]): MemoryLog {
  const log = new MemoryLog();
  log.addRecording({
    source: 1,
    facts: FACTS,
    digest: 'a'.repeat(64),
    bytes: 123,
    notices: [
      { severity: 'warning', code: 'lost', text: 'records were lost', count: 2, firstAt: 7 },
    ],
  });
  for (const fields of events) log.append(event(fields));
  return log;
}

function reread(text: string, every?: number): MemoryLog {
  const log = new MemoryLog();
  readInto(log, text, every === undefined ? {} : { every });
  return log;
}

function failure(text: string | Uint8Array): InputError {
  try {
    readInto(new MemoryLog(), text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(/^export\.jsonl: [^\n]*$/);
    return error as InputError;
  }
  throw new Error('nothing was refused');
}

describe('writing vpmu-events/1', () => {
  it('says every kind with the names of its columns', () => {
    const log = logOf([]);
    log.append(
      event({
        time: 616_793_612_498n,
        kind: EventKind.read,
        flags: EventFlag.entry | (2 << 4) | EventFlag.noValue,
        pcpu: 1,
        vcpu: 0,
        tid: 1328,
        code: 0xc1,
        object: 0xffff_8000_1234_5678n,
      }),
    );
    log.learnVcpu(0, 1328, 1320, 'vcpu= of sysreg_in');
    log.threadName(1328, 'CPU 0/KVM');
    log.threadName(7, 'kworker');
    log.append(
      event({
        kind: EventKind.eventCreate,
        code: log.attrId({ type: 10, config1: 3n, attrFlags: 524_357n, cpu: -1, task: 1328 }),
        object: 2n ** 64n - 1n,
        counter: 31,
        aux0: 17n,
      }),
    );
    log.append(event({ kind: EventKind.hwAdd, code: -11 >>> 0, flags: EventFlag.failed }));
    log.append(event({ kind: EventKind.schedMigrate, pcpu: 0, code: 1, value: 0n }));
    log.append(
      event({
        kind: EventKind.count,
        flags: EventFlag.notCounted | EventFlag.total,
        code: log.nameId('cycles:G'),
        object: 5n,
      }),
    );
    log.append(event({ kind: EventKind.vcpuReset, code: 9, aux1: 4n, flags: 0x30 }));
    expect(exported(log)).toBe(
      [
        '{"format":"vpmu-events/1","events":6,"recordings":[{"name":"perf.data","format":"perf-data","role":"host","kernelRelease":"6.12.117+deb12-arm64","arch":"arm64","hostname":"l1","toolVersion":"6.1.187","commandLine":"perf record -a","clock":"mono","timeResolution":1,"digest":"' +
          'a'.repeat(64) +
          '","bytes":123,"notices":[{"severity":"warning","code":"lost","text":"records were lost","count":2,"firstAt":7}]}],"vcpus":[{"slot":0,"index":0,"tid":1328,"pid":1320,"learnedFrom":"vcpu= of sysreg_in","event":1}],"threads":[{"tid":7,"name":"kworker"},{"tid":1328,"name":"CPU 0/KVM"}]}',
        '{"time":"616793612498","source":1,"kind":"read","pcpu":1,"vcpu":0,"tid":1328,"register":193,"space":"msr","pc":"18446603336526616184","flags":["entry","noValue"]}',
        '{"time":"0","source":1,"kind":"event-create","counter":31,"attr":{"type":10,"config1":"3","attrFlags":"524357","cpu":-1,"task":1328},"event":"18446744073709551615","sample-period":"0","config":"17"}',
        '{"time":"0","source":1,"kind":"hw-add","error":-11,"event":"0","config":"0","flags":["failed"]}',
        '{"time":"0","source":1,"kind":"sched-migrate","pcpu":0,"to-pcpu":1,"from-pcpu":"0"}',
        '{"time":"0","source":1,"kind":"count","name":"cycles:G","interval-ns":"5","running-permyriad":"0","time-running-ns":"0","flags":["notCounted","total"]}',
        '{"time":"0","source":1,"kind":"vcpu-reset","code":9,"aux1":"4","flags":["spaceLow","spaceHigh"]}',
        '',
      ].join('\n'),
    );
  });

  it('has one member name for each column of each kind', () => {
    for (const { kind, code, payload } of KIND_MEMBERS) {
      const members = [...COMMON_MEMBERS, code.member, ...payload.map(({ member }) => member)];
      expect([kind, new Set(members).size]).toEqual([kind, members.length]);
    }
    expect(KIND_MEMBERS).toHaveLength(KIND_SPECS.length);
  });

  it('refuses a log whose events point nowhere', () => {
    expect(() => exported(logOf([{ source: 9 }]))).toThrow('event @1: recording 9 is unknown');
    expect(() => exported(logOf([{ kind: 63 as EventKind }]))).toThrow('event @1: kind 63');
    expect(() => exported(logOf([{ kind: EventKind.eventCreate, code: 5 }]))).toThrow('attr 5');
    const log = logOf([{}]);
    const once = log.chunks();
    log.chunks = () => once;
    expect(() => exported(log)).toThrow('1 events surveyed, 0 written');
  });
});

const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('cycles:G', 'CPU 0/KVM', '":"\\', '\u2028\n\u0000', '\ufeff', 'ÄÖ😀'),
);
const drawnEvent = fc.record({
  time: u64,
  kind: fc.nat(KIND_SPECS.length - 1),
  flags: fc.oneof(fc.constant(0), fc.nat(0xffff)),
  source: fc.nat(2),
  pcpu: fc.integer({ min: -1, max: 32_767 }),
  vcpu: fc.nat(5),
  tid: fc.integer({ min: -1, max: 0x7fff_ffff }),
  counter: fc.integer({ min: -1, max: 127 }),
  code: fc.oneof(fc.nat(3), fc.nat(0xffff_ffff)),
  object: u64,
  value: u64,
  aux0: u64,
  aux1: u64,
  learn: fc.option(fc.record({ index: fc.nat(3), tid: fc.nat(6) }), { freq: 4 }),
});
const drawnLog = fc.record({
  recordings: fc.array(
    fc.record({
      name: text,
      kernelRelease: fc.option(text, { nil: undefined }),
      arch: fc.constantFrom('arm64', 'x86', undefined),
      clock: fc.constantFrom('mono', undefined),
      role: fc.constantFrom('host', 'guest'),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  early: fc.array(fc.record({ index: fc.nat(3), tid: fc.nat(6) }), { maxLength: 2 }),
  names: fc.uniqueArray(text, { minLength: 1, maxLength: 4 }),
  threads: fc.array(fc.tuple(fc.nat(9999), text), { maxLength: 4 }),
  events: fc.array(drawnEvent, { maxLength: 40 }),
});

/** Builds the drawn log the way an import would: a slot is used only once its vCPU is known. */
function build(drawn: DrawnLog): MemoryLog {
  const log = new MemoryLog();
  drawn.recordings.forEach(({ kernelRelease, arch, clock, ...facts }, i) => {
    log.addRecording({
      source: i * 3 + 1,
      facts: {
        ...facts,
        format: 'perf-script',
        timeResolution: 1000,
        ...(kernelRelease === undefined ? {} : { kernelRelease }),
        ...(arch === undefined ? {} : { arch: arch as 'arm64' | 'x86' }),
        ...(clock === undefined ? {} : { clock }),
      } as RecordingFacts,
      digest: `${i}`.repeat(64),
      bytes: i,
      notices: [],
    });
  });
  for (const { index, tid } of drawn.early) log.learnVcpu(index, tid, 1, 'early');
  const names = drawn.names.map((name) => log.nameId(name));
  const attrs = [0, log.attrId({ type: 4, config1: 7n, attrFlags: 2n ** 63n, cpu: 1, task: -1 })];
  for (const { learn, ...fields } of drawn.events) {
    const { code: form } = KIND_MEMBERS[fields.kind]!;
    const ids = form.form === 'name' ? names : form.form === 'attr' ? attrs : undefined;
    const slots = log.vcpus().map(({ slot }) => slot);
    log.append({
      ...fields,
      kind: fields.kind as EventKind,
      source: (fields.source % drawn.recordings.length) * 3 + 1,
      vcpu: fields.vcpu < slots.length ? slots[fields.vcpu]! : -1,
      code: ids ? ids[fields.code % ids.length]! : fields.code,
    });
    if (learn) log.learnVcpu(learn.index, learn.tid, -1, 'thread');
  }
  for (const [tid, name] of drawn.threads) log.threadName(tid, name);
  return log;
}

type DrawnLog = typeof drawnLog extends fc.Arbitrary<infer T> ? T : never;

/** Everything of the events that does not depend on ids. */
function content(log: MemoryLog): readonly object[] {
  const order = log.order ?? log.events.map((_, i) => i);
  return order.map((i) => {
    const { seq: _, source, code, ...rest } = log.events[i]!;
    const { form } = KIND_MEMBERS[rest.kind]!.code;
    return {
      ...rest,
      source: log.imports().findIndex((recording) => recording.source === source),
      code: form === 'name' ? log.name(code) : form === 'attr' ? (log.attr(code) ?? 0) : code,
    };
  });
}

describe('export, import, export', () => {
  it('gives the same bytes and the same log', () => {
    fc.assert(
      fc.property(drawnLog, fc.integer({ min: 1, max: 50 }), (drawn, chunkLength) => {
        const log = build(drawn);
        log.chunkLength = chunkLength;
        const first = exported(log);
        const again = reread(first);
        expect(exported(again)).toBe(first);
        expect(content(again)).toEqual(content(log));
        expect(again.vcpus()).toEqual(log.vcpus());
        expect(again.threads()).toEqual(log.threads());
        expect(again.imports().map(({ source: _, ...rest }) => rest)).toEqual(
          log.imports().map(({ source: _, ...rest }) => rest),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the order of interleaved imports, where a vCPU is used before the event that told', () => {
    fc.assert(
      fc.property(drawnLog, fc.infiniteStream(fc.nat()), (drawn, picks) => {
        const log = build({
          ...drawn,
          early: [],
          // One VM: no two vCPUs share an index.
          events: drawn.events.map((e) => ({
            ...e,
            learn: e.learn && { index: e.learn.tid, tid: e.learn.tid },
          })),
        });
        const left = log.events.map((_, i) => i);
        const order: number[] = [];
        for (const pick of picks) {
          if (left.length === 0) break;
          order.push(...left.splice(pick % left.length, 1));
        }
        log.order = order;
        const first = exported(log);
        const again = reread(first);
        expect(exported(again)).toBe(first);
        expect(content(again)).toEqual(content(log));
      }),
    );
  });

  it('keeps names of any length', () => {
    const log = logOf([]);
    for (const length of [10, 131_000, 131_072, 400_000, 20]) {
      log.append(event({ code: log.nameId('é'.repeat(length)) }));
    }
    const first = exported(log);
    expect(exported(reread(first))).toBe(first);
  });

  it('does not depend on how the bytes are cut', () => {
    fc.assert(
      fc.property(drawnLog, fc.integer({ min: 1, max: 64 }), (drawn, every) => {
        const first = exported(build(drawn));
        expect(exported(reread(first, every))).toBe(first);
        expect(exported(reread(first.replaceAll('\n', '\r\n'), every))).toBe(first);
        expect(exported(reread(first.trimEnd(), every))).toBe(first);
      }),
      { numRuns: 30 },
    );
  });

  it('of a part keeps the vCPUs whose telling event is not in it', () => {
    const log = logOf([{ kind: EventKind.guestEnter }]);
    log.learnVcpu(0, 77, 70, 'a');
    log.append(event({ kind: EventKind.guestEnter, vcpu: 0 }));
    log.append(event({ kind: EventKind.guestEnter, vcpu: -1 }));
    log.order = [2];
    expect(exported(log).split('\n')[0]).toContain('"learnedFrom":"a"}],');
    const again = reread(exported(log));
    expect(again.vcpus()).toEqual([
      { slot: 0, index: 0, tid: 77, pid: 70, learnedFrom: 'a', seq: -1 },
    ]);
    expect(exported(again)).toBe(exported(log));
    log.order = [1, 2];
    expect(exported(log).split('\n')[0]).toContain('"learnedFrom":"a"}],');
    log.order = [2, 1, 0];
    // It is used before the event that told comes.
    expect(exported(log).split('\n')[0]).toContain('"event":2}');
  });
});

describe('reading vpmu-events/1', () => {
  it('takes a file made by hand: what is left out is not recorded', () => {
    const log = reread(
      [
        `${HEADER},"vcpus":[{"slot":5,"index":1,"tid":9,"pid":-1,"learnedFrom":"drawn"}]}`,
        ' { "kind" : "read", "time" : "7", "vcpu" : 5, "register" : 193, "space" : "msr", "value" : "3" } ',
        '{"time":"8","kind":"guest-exit"}',
      ].join('\n'),
    );
    expect(log.events).toEqual([
      {
        ...event({ time: 7n, kind: EventKind.read, vcpu: 1, code: 193, value: 3n }),
        seq: 1,
        source: log.imports()[0]!.source,
        flags: 2 << 4,
      },
      {
        ...event({ time: 8n, kind: EventKind.guestExit }),
        seq: 2,
        source: log.imports()[0]!.source,
      },
    ]);
    expect(log.vcpus()[0]).toMatchObject({ slot: 1, index: 1, tid: 9, seq: -1 });
    expect(log.imports()[0]).toMatchObject({ digest: 'f'.repeat(64) });
  });

  it('adds to a log that has vCPUs and recordings of its own', () => {
    const other = logOf([{ kind: EventKind.guestEnter }]);
    other.learnVcpu(0, 77, 70, 'a');
    other.append(event({ kind: EventKind.guestEnter, vcpu: 0 }));
    const log = logOf([{ time: 1n }]);
    log.learnVcpu(0, 11, 10, 'b');
    const text = exported(other).replaceAll('aaaa', 'bbbb');
    readInto(log, text);
    expect(log.vcpus().map(({ slot, tid }) => [slot, tid])).toEqual([
      [0, 11],
      [1, 77],
    ]);
    expect(log.events.map(({ vcpu }) => vcpu)).toEqual([-1, -1, 1]);
    expect(log.imports().map(({ source }) => source)).toEqual([1, 5]);
    expect(log.events.map(({ source }) => source)).toEqual([1, 5, 5]);
  });

  it('does nothing when the log has all of it, and refuses when it has a part', () => {
    const log = logOf([{ time: 1n }]);
    const text = exported(log);
    expect(readInto(log, text, { every: 3 }).alreadyImported?.()).toBe(1);
    expect(log.events).toHaveLength(1);
    log.addRecording({ ...log.imports()[0]!, source: 2, digest: 'c'.repeat(64) });
    expect(() => readInto(logOf([]), exported(log))).toThrow(
      'export.jsonl: its recording 1 (perf.data) is in the log already, others are not',
    );
  });

  it.each<[string, string, string]>([
    ['nothing at all', '', 'empty'],
    ['a blank header', '\n', 'line 1: the header is not JSON'],
    ['no header', '{"time":"1","kind":"read"}', 'line 1: the header does not say'],
    [
      'a newer version',
      '{"format":"vpmu-events/2","x":1}',
      'line 1: the file is vpmu-events/2, this vpmu reads up to vpmu-events/1',
    ],
    ['a version 0', '{"format":"vpmu-events/0"}', 'line 1: there is no vpmu-events/0'],
    ['no recording list', '{"format":"vpmu-events/1"}', 'recordings is missing'],
    ['no recording', '{"format":"vpmu-events/1","recordings":[]}', 'lists no recording'],
    ['a header member', `${HEADER},"extra":1}`, 'the header: unknown member "extra"'],
    ['a header member __proto__', `${HEADER},"__proto__":1}`, 'unknown member "__proto__"'],
    [
      'two recordings without digest',
      '{"format":"vpmu-events/1","recordings":[{"name":"a","format":"b","role":"host"},{"name":"a","format":"b","role":"host"}]}',
      'no digest',
    ],
    [
      'a bad digest',
      `${HEADER.replace('"name"', '"digest":"AB","name"')}}`,
      'recording 1: digest is no SHA-256',
    ],
    ['a bad role', `${HEADER.replace('host', 'Host')}}`, 'recording 1: role is not host or guest'],
    [
      'too few events',
      `${HEADER},"events":2}\n{"time":"1","kind":"marker"}`,
      '1 events, its header says 2',
    ],
    [
      'too many events',
      `${HEADER},"events":0}\n{"time":"1","kind":"marker"}`,
      '1 events, its header says 0',
    ],
    [
      'a slot twice',
      `${HEADER},"vcpus":[${'{"slot":0,"index":0,"tid":1,"pid":1,"learnedFrom":""},'.repeat(2).slice(0, -1)}]}`,
      'same slot',
    ],
    [
      'a vCPU of a later event',
      `${HEADER},"vcpus":[{"slot":0,"index":0,"tid":1,"pid":1,"learnedFrom":"","event":3}]}`,
      'vCPU 0 is known from event 3, there are 0',
    ],
  ])('refuses %s', (_, text, why) => {
    expect(failure(text).message).toContain(why);
  });

  it.each<[string, string]>([
    ['', 'blank line'],
    ['{', 'not JSON'],
    ['{"time":"1","kind":"marker"} x', 'not JSON'],
    ['[]', 'no object'],
    ['null', 'no object'],
    ['1', 'no object'],
    ['{"time":"1"}', 'no kind'],
    ['{"kind":"marker"}', 'no time'],
    ['{"time":"1","kind":"Marker"}', 'unknown kind "Marker"'],
    ['{"time":"1","kind":35}', 'unknown kind 35'],
    [
      '{"time":"1","kind":"marker","value2":"1"}',
      'unknown member "value2" in an event of kind marker',
    ],
    ['{"time":"1","kind":"marker","__proto__":"1"}', 'unknown member "__proto__"'],
    ['{"time":"1","kind":"marker","space":"msr"}', 'unknown member "space"'],
    ['{"time":"1","kind":"guest-enter","value":"1"}', 'unknown member "value"'],
    ['{"time":1,"kind":"marker"}', 'time is a string of decimal digits below 2^64, not 1'],
    ['{"time":"0x1","kind":"marker"}', 'time is a string of decimal digits'],
    ['{"time":"01","kind":"marker"}', 'time is a string'],
    ['{"time":"-1","kind":"marker"}', 'time is a string'],
    ['{"time":"1.5","kind":"marker"}', 'time is a string'],
    ['{"time":"1e3","kind":"marker"}', 'time is a string'],
    ['{"time":"","kind":"marker"}', 'time is a string'],
    ['{"time":"18446744073709551616","kind":"marker"}', 'time is a string'],
    [
      '{"time":"1","kind":"read","register":"0xc1"}',
      'register is a whole number of 32 bits, not "0xc1"',
    ],
    ['{"time":"1","kind":"read","register":4294967296}', 'register is'],
    ['{"time":"1","kind":"read","register":1.5}', 'register is'],
    [
      '{"time":"1","kind":"hw-add","error":4294967285}',
      'error is a whole number of 32 bits with sign',
    ],
    ['{"time":"1","kind":"read","space":"cpu"}', 'space is one of sysreg, cp15, msr, rdpmc'],
    ['{"time":"1","kind":"count","name":1}', 'name is a string'],
    ['{"time":"1","kind":"event-create","attr":null}', 'attr is an object'],
    [
      '{"time":"1","kind":"event-create","attr":{"type":1,"config1":"0","attrFlags":"0","cpu":-1}}',
      'attr is an object',
    ],
    [
      '{"time":"1","kind":"event-create","attr":{"type":1,"config1":"0","attrFlags":"0","cpu":-1,"task":-1,"x":1}}',
      'attr is an object',
    ],
    ['{"time":"1","kind":"marker","pcpu":32768}', 'pcpu is a whole number'],
    ['{"time":"1","kind":"marker","pcpu":-2}', 'pcpu is'],
    ['{"time":"1","kind":"marker","tid":2147483648}', 'tid is'],
    ['{"time":"1","kind":"marker","counter":128}', 'counter is'],
    ['{"time":"1","kind":"marker","vcpu":0}', 'vcpu 0: the header has no such vCPU'],
    ['{"time":"1","kind":"marker","source":2}', 'source 2: the header has no such recording'],
    ['{"time":"1","kind":"marker","source":0}', 'source is the number of a recording'],
    [
      '{"time":"1","kind":"marker","flags":["entry","entry"]}',
      'flags is an array of different flag names',
    ],
    ['{"time":"1","kind":"marker","flags":["Entry"]}', 'flags is'],
    ['{"time":"1","kind":"marker","flags":[1]}', 'flags is'],
    ['{"time":"1","kind":"read","flags":["spaceLow"]}', 'flags is'],
    ['{"time":"1","kind":"marker","flags":"entry"}', 'flags is'],
    ['{"time":"1","time":"2","kind":"marker"}', 'a member stands twice'],
    ['{"time":"1","kind":"marker","tid":1,"tid":2}', 'a member stands twice'],
    [
      '{"time":"1","kind":"event-create","attr":{"type":1,"type":1,"config1":"0","attrFlags":"0","cpu":-1,"task":-1}}',
      'a member stands twice',
    ],
    [`{"time":"1","kind":"count","name":"${'x'.repeat(17 << 20)}"}`, 'the line is too long'],
  ])('refuses the line %.60s', (line, why) => {
    const { message } = failure(
      `${HEADER}}\n{"time":"1","kind":"marker"}\n${line}\n{"time":"1","kind":"marker"}\n`,
    );
    expect(message).toMatch(/^export\.jsonl: line 3: /);
    expect(message).toContain(why);
  });

  it('does not overlook a byte order mark, wherever the bytes are cut', () => {
    const text = `${HEADER}}\n\ufeff{"time":"1","kind":"marker"}\n{"time":"1","kind":"marker"}\n`;
    for (const every of [1, 7, 1000]) {
      expect(() => reread(text, every)).toThrow('line 2: not JSON');
    }
    expect(failure(`\ufeff${text}`).message).toContain('line 1: the header is not JSON');
  });

  it('says itself whose its recordings are', () => {
    expect(() => readInto(new MemoryLog(), `${HEADER}}\n`, { role: 'guest' })).toThrow(
      'export.jsonl: a vpmu-events file says itself whose its recordings are',
    );
  });

  it('counts escaped quotes right', () => {
    const name = 'a"b\\":"\\\\"c\u0000';
    const line = `{"time":"1","kind":"marker","name":${JSON.stringify(name)}}`;
    const log = reread(`${HEADER}}\n${line}\n`);
    expect(log.name(log.events[0]!.code)).toBe(name);
  });

  it('refuses bytes that are not UTF-8, and names the line', () => {
    const head = new TextEncoder().encode(
      `${HEADER}}\n{"time":"1","kind":"marker"}\n{"time":"1","kind":"marker","name":"`,
    );
    const bytes = Uint8Array.of(...head, 0xff, 0xfe, 0x22, 0x7d, 10, 0x7b, 0x7d, 10);
    expect(failure(bytes).message).toBe('export.jsonl: line 3: not UTF-8');
  });

  it('refuses whatever else is broken with one line, never anything worse', () => {
    const good = exported(
      logOf([
        { time: 1n, kind: EventKind.read, code: 3, value: 2n ** 64n - 1n, flags: EventFlag.failed },
        { time: 2n, kind: EventKind.count, tid: 5 },
      ]),
    );
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.nat(3),
        fc.string({ maxLength: 3 }),
        (at, cut, put) => {
          const bad = good.slice(0, at) + put + good.slice(at + cut);
          try {
            readInto(new MemoryLog(), bad);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
            expect((error as Error).message).toMatch(/^export\.jsonl: [^\n]{1,300}$/);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('sniffing vpmu-events', () => {
  it.each<[string, number]>([
    [`${HEADER}}\n`, 1],
    ['{ "format" : "vpmu-events/7" }', 1],
    ['', 0],
    ['{"format":"other/1"}', 0],
    ['{"counter-value" : "1", "event" : "vpmu-events/1"}', 0],
    ['x{"format":"vpmu-events/1"}', 0],
  ])('%j: %d', (head, score) => {
    expect(jsonLines.sniff(new TextEncoder().encode(head))).toBe(score);
  });
});
