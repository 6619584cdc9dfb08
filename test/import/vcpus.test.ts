import { describe, expect, it } from 'vitest';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import { importText, inPieces } from './import-text.ts';
import { MemorySink } from './memory-sink.ts';

let clock = 0;
/** One line of `perf script -F comm,pid,tid,…`, each a µs later. */
function line(comm: string, ids: string, event: string): string {
  clock++;
  return `${comm.padStart(16)} ${ids.padStart(9)} [000]     1.${`${clock}`.padStart(6, '0')}: ${event}\n`;
}

const enter = 'kvm:kvm_entry: PC: 0x1';
const reset = (vcpu: number): string => `vpmu:vcpu_reset: (ffff) vcpu=${vcpu} tid="x"`;
const irq = (vcpu: number): string =>
  `kvm:vgic_update_irq_pending: VCPU: ${vcpu}, IRQ 23, level: 1`;
const access = (vcpu: number): string =>
  `vpmu:sysreg: (ffff <- ffff) vcpu=${vcpu} op0=3 op1=3 crn=9 crm=12 op2=0 wr=0 val=0x1 ok=1`;

async function slots(text: string): Promise<number[]> {
  return (await importText(text)).events.map(({ vcpu }) => vcpu);
}

describe('which thread runs which vCPU', () => {
  it('a thread name tells, and then every record of the thread is the vCPU’s', async () => {
    const { events, sink } = await importText(
      line('CPU 1/KVM', '10/12', enter) +
        line('[guest/10]', '10/12', enter) +
        line('bash', '7/7', 'a:b: x'),
    );
    expect(events.map(({ vcpu }) => vcpu)).toEqual([1, 1, -1]);
    expect(sink.vcpuFacts).toEqual([
      { slot: 1, index: 1, tid: 12, pid: 10, learnedFrom: 'thread name CPU 1/KVM', seq: 1 },
    ]);
    expect(sink.threads.get(12)).toBe('CPU 1/KVM');
  });

  it('a name that a helper thread of KVM inherited makes no second vCPU', async () => {
    const entry = 'kvm:kvm_entry: vcpu 0, rip 0x100000';
    const host = 'msr:write_msr: c0010201, value 1';
    const named = line('CPU 0/KVM', '10/12', entry) + line('CPU 0/KVM', '10/15', host);
    expect(await slots(named)).toEqual([0, -1]);
    // Another process has a vCPU 0 of its own.
    expect(await slots(named + line('CPU 0/KVM', '20/21', entry))).toEqual([0, -1, 1]);
    // Without processes the one that enters the guest is it.
    expect(await slots(line('CPU 0/KVM', '12', entry) + line('CPU 0/KVM', '15', host))).toEqual([
      0, -1,
    ]);
  });

  it('a register access tells without any name, also which process it is', async () => {
    const { events, sink } = await importText(
      line('[guest/44]', '12', enter) +
        line('[guest/44]', '12', access(3)) +
        line('[guest/44]', '12', enter),
    );
    expect(events.map(({ vcpu }) => vcpu)).toEqual([-1, 3, 3]);
    expect(sink.vcpuFacts).toEqual([
      { slot: 3, index: 3, tid: 12, pid: 44, learnedFrom: 'vcpu= of sysreg', seq: 2 },
    ]);
  });

  it('x86 records that name the vCPU tell too', async () => {
    const { events, sink } = await importText(
      line('a', '9', 'kvm:kvm_entry: vcpu 2, rip 0x1') +
        line('a', '9', 'kvm:kvm_msr: msr_read c1 = 0x5'),
    );
    expect(events.map(({ vcpu }) => vcpu)).toEqual([2, 2]);
    expect(sink.vcpuFacts[0]).toMatchObject({
      index: 2,
      tid: 9,
      learnedFrom: 'vcpu_id= of kvm_entry',
    });
  });

  it('records other threads make too teach nothing, but are about the vCPU they name', async () => {
    const { events, sink } = await importText(
      line('qemu', '10/10', reset(0)) +
        line('CPU 0/KVM', '10/12', enter) +
        line('qemu', '10/10', reset(0)) +
        line('CPU 1/KVM', '10/13', irq(0)) +
        line('CPU 1/KVM', '10/13', irq(1)) +
        line('qemu', '10/10', irq(-1)),
    );
    expect(events.map(({ vcpu }) => vcpu)).toEqual([0, 0, 0, 0, 1, -1]);
    expect(sink.vcpuFacts.map(({ slot, tid }) => [slot, tid])).toEqual([
      [0, 12],
      [1, 13],
    ]);
  });

  it('a vCPU that is only named gets a row without a thread', async () => {
    const { sink } = await importText(line('qemu', '10/10', reset(2)));
    expect(sink.vcpuFacts).toMatchObject([{ slot: 2, index: 2, tid: -1, seq: -1 }]);
  });

  it('several VMs: the process decides, else the lowest slot is assumed and said to be', async () => {
    const text =
      line('CPU 0/KVM', '10/12', enter) +
      line('CPU 0/KVM', '20/22', enter) +
      line('qemu', '20/20', irq(0)) +
      line('qemu', '30', irq(0));
    const { events, sink } = await importText(text);
    expect(sink.vcpuFacts.map(({ slot, index, tid }) => [slot, index, tid])).toEqual([
      [0, 0, 12],
      [1, 0, 22],
    ]);
    expect(events.map(({ vcpu }) => vcpu)).toEqual([0, 1, 1, 0]);
    expect(events.map(({ flags }) => (flags & EventFlag.vcpuAmbiguous) !== 0)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it('sched_switch and sched_migrate_task are about the task they name', async () => {
    const text =
      line(
        'bash',
        '7/7',
        'sched:sched_switch: prev_comm=bash prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=CPU 0/KVM next_pid=12 next_prio=120',
      ) +
      line(
        ':-1',
        '-1',
        'sched:sched_switch: prev_comm=CPU 0/KVM prev_pid=12 prev_prio=120 prev_state=R+ ==> next_comm=bash next_pid=7 next_prio=120',
      ) +
      line(
        'bash',
        '7/7',
        'sched:sched_migrate_task: comm=CPU 0/KVM pid=12 prio=120 orig_cpu=0 dest_cpu=3',
      );
    const { events } = await importText(text);
    expect(events.map(({ tid, vcpu, value, code }) => [tid, vcpu, value, code])).toEqual([
      [7, -1, 12n, 1],
      [12, 0, 7n, 0],
      [12, 0, 0n, 3],
    ]);
  });

  it('a guest’s own recording teaches nothing about the host’s vCPUs', async () => {
    const { events, sink } = await importText(
      line('CPU 0/KVM', '10/12', enter) + line('x', '3', 'msr:write_msr: 186, value 5300c0'),
      { role: 'guest' },
    );
    expect(sink.vcpuFacts).toEqual([]);
    expect(events.map(({ vcpu }) => vcpu)).toEqual([-1, -1]);
  });

  it('without names the slots are -1', async () => {
    expect(await slots(line('x', '3', enter))).toEqual([-1]);
  });
});

describe('entry and return halves', () => {
  const half = (name: string, fields: string, tid = '10/12'): string =>
    line('CPU 0/KVM', tid, `vpmu:${name}: (ffff) ${fields}`);

  it('a return takes what it lacks from the entry before it on its thread', async () => {
    const { events, sink, report } = await importText(
      half('get_counter_in', 'vcpu=0 idx=3') +
        half('get_counter_in', 'vcpu=0 idx=9', '10/13') +
        half('get_counter', 'val=0x7') +
        half(
          'ev_create_in',
          'type=8 config=0x11 period=99 flags=0x80045 config1=0x1 cpu=-1 task=12 ctx=0x1 idx=31',
        ) +
        half('ev_create', 'event=0xffff0000c1b44e70') +
        half('hw_update_in', 'event=0xabc count=5 config=0x11') +
        half('hw_update', 'raw=0x9') +
        half('ev_read_in', 'event=0xabc state=-1') +
        half('ev_read', 'val=6'),
    );
    expect(report.notices).toEqual([]);
    const [, , get, createIn, create, , update, , read] = events;
    expect(get).toMatchObject({ kind: EventKind.counterGet, counter: 3, value: 7n, flags: 0 });
    expect(createIn).toMatchObject({ object: 0n, value: 99n, flags: EventFlag.entry });
    expect(create).toMatchObject({
      object: 0xffff0000c1b44e70n,
      value: 99n,
      aux0: 0x11n,
      counter: 31,
      flags: 0,
    });
    expect(sink.attrs[create!.code]).toEqual({
      type: 8,
      config1: 1n,
      attrFlags: 0x80045n,
      cpu: -1,
      task: 12,
    });
    // The count at entry is not the count after the update.
    expect(update).toMatchObject({ object: 0xabcn, value: 0n, aux1: 9n, flags: EventFlag.noValue });
    expect(read).toMatchObject({
      object: 0xabcn,
      value: 6n,
      code: 0xffffffff,
      flags: EventFlag.stateKnown,
    });
  });

  it('an entry serves one return, and only its own', async () => {
    const { events, report } = await importText(
      half('sysreg_in', 'vcpu=0 op0=3 op1=3 crn=9 crm=12 op2=0 wr=0 val=0x1') +
        half('sysreg', 'op0=3 op1=3 crn=9 crm=13 op2=0 wr=0 val=0x2 ok=1') +
        half('get_counter_in', 'vcpu=0 idx=3') +
        half('get_counter', 'val=0x7') +
        half('get_counter', 'val=0x8'),
    );
    expect(events.map(({ counter, value }) => [counter, value])).toEqual([
      [-1, 0n],
      [-1, 2n],
      [3, 0n],
      [3, 7n],
      [-1, 8n],
    ]);
    expect(report.notices.map(({ code, count, firstAt }) => [code, count, firstAt])).toEqual([
      ['unjoined-return', 1, 2],
      ['unjoined-return', 1, 5],
    ]);
  });

  it('a failed call is one, whatever it returns', async () => {
    const { events } = await importText(
      half(
        'ev_create',
        'event=0xfffffffffffffff4 type=4 config=0x1 period=0 flags=0x1 config1=0x0 cpu=-1 task=1 idx=0',
      ) +
        half('hw_add', 'event=0x1 ret=-11 config=0x1') +
        half('sysreg', 'vcpu=0 op0=3 op1=3 crn=9 crm=12 op2=0 wr=0 val=0x2 ok=0'),
    );
    expect(events.map(({ flags }) => flags & EventFlag.failed)).toEqual(
      Array(3).fill(EventFlag.failed),
    );
    expect(events[1]!.code | 0).toBe(-11);
  });
});

describe('several recordings', () => {
  const at = (us: number, event: string, comm = 'x', tid = 3): string =>
    `${comm.padStart(16)} ${`${tid}`.padStart(7)} [000]     0.${`${us}`.padStart(6, '0')}: ${event}\n`;
  const first = [10, 20, 20, 40, 30, 60]
    .map((us, k) => at(us, `kvm:kvm_entry: PC: 0x1${k}`))
    .join('');
  const second = [5, 20, 25, 40, 41].map((us, k) => at(us, `kvm:kvm_entry: PC: 0x2${k}`)).join('');
  const third = [20, 100].map((us, k) => at(us, `kvm:kvm_entry: PC: 0x3${k}`)).join('');

  async function merged(...texts: readonly string[]): Promise<MemorySink> {
    const sink = new MemorySink();
    await importRecordings(
      sink,
      texts.map((text, k) => ({
        path: `r${k}`,
        stream: inPieces(new TextEncoder().encode(text), 50),
      })),
    );
    return sink;
  }

  it('are merged in time order, ties by input, a time that runs back staying in its place', async () => {
    const { events } = await merged(first, second, third);
    expect(events.map(({ value }) => value.toString(16)).join(' ')).toBe(
      '20 10 11 12 21 30 22 13 14 23 24 15 31',
    );
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, k) => k + 1));
    expect(events.map(({ source }) => source)).toEqual(
      events.map(({ value }) => Number(value >> 4n) - 1),
    );
  });

  it('a vCPU is known from the event that told, wherever that came to stand', async () => {
    const { vcpuFacts, events } = await merged(
      at(50, enter, 'CPU 0/KVM', 12),
      at(10, 'a:b: x') + at(60, enter, 'CPU 1/KVM', 13),
    );
    expect(vcpuFacts.map(({ index, seq }) => [index, seq])).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect(events.map(({ vcpu }) => vcpu)).toEqual([-1, 0, 1]);
  });

  it('many chunks of each flow through one at a time', async () => {
    const many = (offset: number): string =>
      Array.from({ length: 9000 }, (_, k) =>
        at(2 * k + offset, `kvm:kvm_entry: PC: 0x${k.toString(16)}`),
      ).join('');
    const { events } = await merged(many(0), many(1));
    expect(events).toHaveLength(18_000);
    for (let k = 1; k < events.length; k++)
      expect(events[k]!.time).toBeGreaterThan(events[k - 1]!.time);
    expect(events.map(({ source }) => source)).toEqual(events.map((_, k) => k % 2));
  });
});
