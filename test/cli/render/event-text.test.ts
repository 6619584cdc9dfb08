import { describe, expect, it } from 'vitest';
import { sysregCode } from '../../../src/arch/arm64-registers.ts';
import { type EventWords, eventLayout, eventLine } from '../../../src/cli/render/event-text.ts';
import { chunkOf, type Event, eventAt } from '../../../src/domain/event-chunk.ts';
import {
  EventFlag,
  EventKind,
  KIND_SPECS,
  RegisterSpace,
  spaceFlags,
} from '../../../src/domain/event-kind.ts';

const WORDS: EventWords = {
  name: (id) => ['', 'cycles:G', 'evil\x1b[2J'][id] ?? `name ${id}`,
  attr: (id) =>
    id === 1 ? { type: 10, config1: 3n, attrFlags: 0x80045n, cpu: -1, task: 281 } : undefined,
  threadName: (tid) => (tid === 281 ? 'CPU 0/KVM' : undefined),
};
const LAYOUT = eventLayout(9999, 999_000_000_000n);
const PMCR = sysregCode(3, 3, 9, 12, 0);
const POINTER = 0xffff_0000_c15e_3340n;

function line(event: Partial<Event>): string {
  const base = { seq: 42, time: 16_459_472_944n, pcpu: 0, vcpu: 0, tid: 281, ...event };
  return eventLine(eventAt(chunkOf([base]), 0), WORDS, LAYOUT);
}

/** The part after the kind. */
function details(event: Partial<Event>): string {
  const name = KIND_SPECS[event.kind!]!.name;
  const text = line(event);
  return text.slice(text.indexOf(` ${name}`) + name.length + 1).trim();
}

describe('eventLine', () => {
  it('puts seq, exact time, CPU, vCPU, thread and kind into columns', () => {
    expect(line({ kind: EventKind.write, code: PMCR, value: 0x30c1n })).toBe(
      '  @42  16.459472944 [000] vcpu0 CPU 0/KVM-281        write              PMCR_EL0 = 0x30c1',
    );
    expect(line({ kind: EventKind.vmCreate, pcpu: -1, vcpu: -1, tid: -1 })).toBe(
      '  @42  16.459472944 [---] -     -                    vm-create',
    );
  });

  it('shows a value as far as it was recorded', () => {
    const read = { kind: EventKind.read, code: PMCR, object: 0x4008_812cn };
    expect(details({ ...read, value: 0xffff_ffff_ffff_ffffn })).toBe(
      'PMCR_EL0 = 0xffffffffffffffff pc=0x4008812c',
    );
    expect(details({ ...read, flags: EventFlag.trap | EventFlag.noValue })).toBe(
      'PMCR_EL0 pc=0x4008812c (trap)',
    );
    expect(details({ ...read, flags: EventFlag.entry | EventFlag.noValue })).toBe(
      'PMCR_EL0 = ? pc=0x4008812c (entry)',
    );
  });

  it('names registers in the spelling of their name space', () => {
    const at = (space: RegisterSpace, code: number): string =>
      details({ kind: EventKind.write, code, value: 1n, flags: spaceFlags(space) });
    expect(at(RegisterSpace.msr, 0x38f)).toBe('IA32_PERF_GLOBAL_CTRL = 0x1');
    expect(at(RegisterSpace.msr, 0x1d9)).toBe('MSR 0x1d9 = 0x1');
    expect(at(RegisterSpace.rdpmc, 0)).toBe('RDPMC 0x0 = 0x1');
    expect(at(RegisterSpace.cp15, 0x4e0)).toBe('PMCR = 0x1');
  });

  it('tells the life of a perf event with states and errors by name', () => {
    expect(
      details({
        kind: EventKind.eventCreate,
        code: 1,
        object: POINTER,
        value: 16n,
        aux0: 8n,
        counter: 0,
      }),
    ).toBe(
      'type=10 config1=0x3 task=281 disabled pinned exclude_hv exclude_host counter=0 event=0xffff0000c15e3340 sample-period=16 config=INST_RETIRED:0x08',
    );
    expect(details({ kind: EventKind.hwAdd, code: -11 >>> 0, object: POINTER, aux0: 0x11n })).toBe(
      'ret=EAGAIN event=0xffff0000c15e3340 config=0x11',
    );
    expect(
      details({
        kind: EventKind.eventRead,
        code: -2 >>> 0,
        flags: EventFlag.stateKnown | EventFlag.timesKnown,
        object: POINTER,
        value: 0n,
        aux0: 5n,
        aux1: 4n,
      }),
    ).toBe('state=error event=0xffff0000c15e3340 count=0 time-enabled-ns=5 time-running-ns=4');
    expect(details({ kind: EventKind.eventRead, object: POINTER, value: 7n })).toBe(
      'event=0xffff0000c15e3340 count=7',
    );
  });

  it('keeps a count that was not made distinct from 0', () => {
    const count = { kind: EventKind.count, code: 1, object: 100n, aux0: 9_100n, aux1: 91n };
    expect(details({ ...count, value: 0n })).toBe(
      'cycles:G interval-ns=100 count=0 running-permyriad=91% time-running-ns=91',
    );
    expect(details({ ...count, flags: EventFlag.notCounted })).toBe(
      'cycles:G interval-ns=100 running-permyriad=91% time-running-ns=91 (not counted)',
    );
  });

  it('reads reasons and states of the tracepoints in their words', () => {
    expect(details({ kind: EventKind.guestExit, code: 0x0300_0218, value: 0x10n })).toBe(
      'reason=TRAP SYS64 pc=0x10',
    );
    expect(
      details({ kind: EventKind.schedSwitch, code: 2, value: 281n, flags: EventFlag.preempted }),
    ).toBe('state=D next-tid=CPU 0/KVM-281 (preempted)');
    expect(details({ kind: EventKind.schedSwitch, code: 0, value: 5n })).toBe('state=R next-tid=5');
    expect(details({ kind: EventKind.halt, code: 0, value: 0x10n })).toBe('wfi pc=0x10');
    expect(details({ kind: EventKind.schedMigrate, code: 3, value: 1n })).toBe(
      'to-pcpu=3 from-pcpu=1',
    );
  });

  it('shows the text of a recording without obeying it', () => {
    expect(details({ kind: EventKind.other, code: 2 })).toBe('evil\\x1b[2J');
  });

  it('has a line for every kind', () => {
    for (const kind of Object.values(EventKind)) {
      expect(line({ kind })).toContain(` ${KIND_SPECS[kind]!.name}`);
    }
  });
});
