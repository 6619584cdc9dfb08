import { describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../../src/domain/event-kind.ts';
import { brief, problems, read } from './import-trace-dat.ts';
import {
  discarded,
  longRecord,
  padding,
  page,
  READ_MSR,
  readMsr,
  record,
  SCHED_SWITCH,
  schedSwitch,
  timeExtend,
  timeStamp,
} from './pages.ts';

const START = 1_000_000_000_000n;

describe('ring-buffer pages', () => {
  it('adds the deltas of records to the time of their page', async () => {
    const pages = [
      page(START, [record(0, readMsr(1)), record(5, readMsr(2))]),
      page(START + 100n, [record(0x7ffffff, readMsr(3))]),
    ];
    const { events, report } = await read([{ cpu: 0, pages }]);
    expect(brief(events)).toEqual([
      [START, 0, 1n],
      [START + 5n, 0, 2n],
      [START + 100n + 0x7ffffffn, 0, 3n],
    ]);
    expect(problems(report)).toEqual([]);
  });

  it('carries from the low to the high half of a time', async () => {
    const time = (7n << 32n) - 3n;
    const pages = [page(time, [record(2, readMsr(1)), record(1, readMsr(2))])];
    const { events } = await read([{ cpu: 0, pages }]);
    expect(events.map((event) => event.time)).toEqual([time + 2n, time + 3n]);
  });

  it('reads time extends, absolute times, padding, discarded and long records', async () => {
    const far = (9n << 32n) + 12345n;
    const later = START + (40n << 32n) + 77n;
    const pages = [
      page(START, [
        timeExtend(far),
        record(0, readMsr(1)),
        discarded(10, 12),
        longRecord(1, readMsr(2)),
        timeStamp(later),
        record(3, readMsr(3)),
        padding(),
        record(3, readMsr(4)),
      ]),
    ];
    const { events, report } = await read([{ cpu: 0, pages }]);
    expect(brief(events)).toEqual([
      [START + far, 0, 1n],
      // What was taken back still took its time.
      [START + far + 11n, 0, 2n],
      [later + 3n, 0, 3n],
    ]);
    expect(problems(report)).toEqual([]);
  });

  it('takes the upper bits of an absolute time from the time before it', async () => {
    const base = (0x1fn << 59n) + 1000n;
    const pages = [
      page(base, [record(0, readMsr(1)), timeStamp(base + 50n), record(1, readMsr(2))]),
    ];
    const { events } = await read([{ cpu: 0, pages }]);
    expect(events.map((event) => event.time)).toEqual([base, base + 51n]);
    const low = (0x03n << 59n) - 1n + (1n << 59n);
    const wrapped = [page(low, [timeStamp(low + 9n), record(0, readMsr(1))])];
    expect((await read([{ cpu: 0, pages: wrapped }])).events[0]!.time).toBe(low + 9n);
  });

  it('reads pages of other sizes, and of a kernel with 32-bit longs', async () => {
    const size = 65536;
    const many = Array.from({ length: 1500 }, (_, i) => record(1, readMsr(i)));
    const large = await read([{ cpu: 0, pages: [page(START, many, { size })] }], {
      pageSize: size,
    });
    expect(large.events).toHaveLength(1500);
    expect(large.events.at(-1)!.value).toBe(1499n);
    const headerPage = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;
\tfield: char data;\toffset:12;\tsize:4084;\tsigned:0;
`;
    const pages = [page(START, [record(0, readMsr(5))], { longSize: 4, missed: 6n })];
    const small = await read([{ cpu: 0, pages }], { headerPage, longSize: 4 });
    expect(small.events.map(({ kind, value }) => [kind, value])).toEqual([
      [EventKind.lost, 6n],
      [EventKind.hostRdmsr, 5n],
    ]);
  });

  it('makes lost events of missed records, counted or not', async () => {
    const pages = [
      page(START, [record(0, readMsr(1))]),
      page(START + 10n, [record(0, readMsr(2))], { missed: 738n }),
      page(START + 20n, [record(0, readMsr(3))], { missed: -1 }),
      // The number is far beyond 32 bits.
      page(START + 30n, [record(0, readMsr(4))], { missed: (1n << 40n) + 1n }),
    ];
    const { events } = await read([{ cpu: 3, pages }]);
    const lost = events.filter(({ kind }) => kind === EventKind.lost);
    expect(lost.map(({ time, pcpu, value, flags }) => [time, pcpu, value, flags])).toEqual([
      [START, 3, 738n, 0],
      [START + 10n, 3, 0n, EventFlag.noValue],
      [START + 20n, 3, (1n << 40n) + 1n, 0],
    ]);
    expect(events).toHaveLength(7);
  });

  it('merges CPUs and buffers by time, the earlier CPU first where times are equal', async () => {
    const cpu = (number: number, times: readonly number[]) => ({
      cpu: number,
      pages: times.map((time) => page(START + BigInt(time), [record(0, readMsr(time))])),
    });
    const { events, sink } = await read([], {
      buffers: [
        { name: 'other', cpus: [cpu(0, [20, 25, 60]), cpu(1, [20])] },
        { name: '', cpus: [cpu(0, [10, 20, 30]), cpu(1, [10, 20, 50]), cpu(2, [5])] },
      ],
    });
    // The top instance is printed before the others.
    expect(events.map(({ time, pcpu }) => [Number(time - START), pcpu])).toEqual([
      [5, 2],
      [10, 0],
      [10, 1],
      [20, 0],
      [20, 1],
      [20, 0],
      [20, 1],
      [25, 0],
      [30, 0],
      [50, 1],
      [60, 0],
    ]);
    expect([...sink.threads]).toEqual([[100, 'task one']]);
  });

  it('keeps records without a format by their number', async () => {
    const pages = [page(START, [record(0, readMsr(1)), record(1, readMsr(2, 200, 777))])];
    const { events, sink, report } = await read([{ cpu: 0, pages }]);
    expect(events[1]!.kind).toBe(EventKind.other);
    expect(sink.names[events[1]!.code]).toBe('event 777');
    expect(events[1]!.tid).toBe(200);
    expect(sink.threads.get(200)).toBe('two');
    expect(problems(report)).toEqual(['warning format-missing']);
  });

  it('names threads as the text does: what a record says of its own thread comes last', async () => {
    const pages = [
      page(START, [
        record(0, readMsr(1)),
        record(1, schedSwitch([100, 'other'], [300, 'three'])),
        record(1, readMsr(2)),
        record(1, schedSwitch([200, 'own name'], [300, 'three'])),
      ]),
    ];
    const formats = [['msr', READ_MSR] as const, ['sched', SCHED_SWITCH] as const];
    const { events, sink } = await read([{ cpu: 0, pages }], { formats });
    expect(events.map(({ kind }) => kind)).toEqual([
      EventKind.hostRdmsr,
      EventKind.schedSwitch,
      EventKind.hostRdmsr,
      EventKind.schedSwitch,
    ]);
    expect([...sink.threads].sort()).toEqual([
      [100, 'task one'],
      [200, 'own name'],
      [300, 'three'],
    ]);
  });

  it('goes on behind damage, and says where records are missing', async () => {
    const pages = [
      page(START, [record(0, readMsr(1))]),
      page(START + 10n, [record(0, readMsr(2))], { commit: 5000 }),
      page(START + 20n, [record(0, readMsr(3)), longRecord(1, readMsr(4)).subarray(0, 12)]),
      page(START + 30n, [record(0, readMsr(5)), new Uint8Array(8)]),
      page(START + 40n, [record(0, readMsr(6))]),
    ];
    const { events, report } = await read([{ cpu: 0, pages }]);
    expect(events.filter(({ kind }) => kind !== EventKind.lost).map(({ value }) => value)).toEqual([
      ...[1n, 3n, 5n, 6n],
    ]);
    expect(events.filter(({ kind }) => kind === EventKind.lost)).toHaveLength(3);
    expect(problems(report)).toEqual(['error damaged-data']);
    expect(report.notices.find(({ code }) => code === 'damaged-data')!.count).toBe(3);
  });

  it('leaves out records too short to tell their thread', async () => {
    const pages = [page(START, [record(0, readMsr(1)), record(1, readMsr(2).subarray(0, 4))])];
    const { events, report } = await read([{ cpu: 0, pages }]);
    expect(events).toHaveLength(1);
    expect(problems(report)).toEqual(['warning short-record']);
  });
});
