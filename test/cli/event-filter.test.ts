import { describe, expect, it } from 'vitest';
import { sysregCode } from '../../src/arch/arm64-registers.ts';
import { eventMatcher, parseKinds, parseRegisters } from '../../src/cli/event-filter.ts';
import { parsePmuEvents } from '../../src/cli/pmu-events.ts';
import { UsageError } from '../../src/domain/errors.ts';
import { chunkOf, type Event } from '../../src/domain/event-chunk.ts';
import { EventKind, RegisterSpace, spaceFlags } from '../../src/domain/event-kind.ts';

const PMCR = sysregCode(3, 3, 9, 12, 0);
const VCPUS = [
  { slot: 0, index: 0, tid: 281, pid: 275, learnedFrom: 'vcpu= of sysreg_in', seq: 1 },
  { slot: 1, index: 1, tid: 282, pid: 275, learnedFrom: 'vcpu= of sysreg_in', seq: 2 },
];

describe('--kind', () => {
  it('takes names and patterns', () => {
    expect([...parseKinds(['write', 'hw-*'])]).toEqual([
      EventKind.write,
      EventKind.hwAdd,
      EventKind.hwDel,
      EventKind.hwUpdate,
    ]);
  });

  it.each(['writes', 'x-*', ''])('refuses %j and says what there is', (word) => {
    expect(() => parseKinds([word])).toThrow(UsageError);
  });

  it('guesses what was meant', () => {
    expect(() => parseKinds(['hw-ad'])).toThrow('did you mean hw-add?');
  });
});

describe('--register', () => {
  it('takes names, encodings, MSRs and RDPMC indices', () => {
    expect(parseRegisters(['PMCR_EL0'])).toEqual([{ space: RegisterSpace.sysreg, code: PMCR }]);
    expect(parseRegisters(['3,3,9,12,0'])).toEqual([{ space: RegisterSpace.sysreg, code: PMCR }]);
    expect(parseRegisters(['msr:0x38f', 'rdpmc:1'])).toEqual([
      { space: RegisterSpace.msr, code: 0x38f },
      { space: RegisterSpace.rdpmc, code: 1 },
    ]);
    expect(parseRegisters(['PMEVCNTRn_EL0'])).toHaveLength(31);
  });

  it('refuses what is no register', () => {
    expect(() => parseRegisters(['PMCR_EL9'])).toThrow('--register PMCR_EL9: no PMU register');
  });
});

describe('-e', () => {
  it('takes every name of an event', () => {
    expect([...parsePmuEvents(['cycles', 'L1-dcache-load-misses', 'inst_retired', 'r1e'])]).toEqual(
      [0x11, 0x03, 0x08, 0x1e],
    );
  });

  it('refuses what is none, and guesses', () => {
    expect(() => parsePmuEvents(['cycels'])).toThrow('did you mean cycles?');
    expect(() => parsePmuEvents(['ref-cycles'])).toThrow(UsageError);
  });

  const typer = sysregCode(3, 3, 14, 12, 2);
  const rows: [name: string, event: Partial<Event>, matches: readonly number[]][] = [
    ['a type write', { kind: EventKind.write, code: typer, value: 0x8000_0008n }, [0x08]],
    ['PMCCFILTR', { kind: EventKind.write, code: sysregCode(3, 3, 14, 15, 7) }, [0x11]],
    ['another write', { kind: EventKind.write, code: PMCR, value: 0x08n }, []],
    ['a type KVM takes', { kind: EventKind.eventTypeSet, counter: 2, value: 0x03n }, [0x03]],
    ['of the cycle counter', { kind: EventKind.eventTypeSet, counter: 31, value: 3n }, [0x11]],
    ['a creation by KVM', { kind: EventKind.eventCreate, code: 8, aux0: 0x08n }, [0x08]],
    ['a hardware one', { kind: EventKind.eventCreate, code: 1, aux0: 1n }, [0x08]],
    ['a cache one', { kind: EventKind.eventCreate, code: 3, aux0: 0x1_0000n }, [0x03]],
    ['a placement', { kind: EventKind.hwAdd, aux0: 0x11n }, [0x11]],
    ['of a generic config', { kind: EventKind.hwAdd, aux0: 0n }, [0x11]],
    ['a perf stat count', { kind: EventKind.count, code: 5 }, [0x08]],
    ['an entry', { kind: EventKind.guestEnter }, []],
  ];
  const words = {
    name: (id: number) => (id === 5 ? 'instructions:G' : ''),
    attr: (id: number) => ({ type: id === 1 ? 0 : id === 3 ? 3 : 8 }),
  };

  it.each(rows)('finds %s', (_, event, expected) => {
    const chunk = chunkOf([event]);
    const found = [0x03, 0x08, 0x11].filter((number) =>
      eventMatcher(
        { pmuEvents: { machine: 'arm64', numbers: new Set([number]) } },
        [],
        words,
      )(chunk, 0),
    );
    expect(found).toEqual(expected);
  });
});

describe('eventMatcher', () => {
  const events: Partial<Event>[] = [
    { kind: EventKind.write, vcpu: 0, tid: 281, code: PMCR, source: 1 },
    { kind: EventKind.write, vcpu: -1, tid: 282, code: PMCR + 1, source: 1 },
    { kind: EventKind.schedSwitch, tid: 7, value: 282n, source: 2 },
    { kind: EventKind.schedSwitch, tid: 7, value: 8n, source: 2 },
    { kind: EventKind.read, vcpu: 0, code: PMCR, flags: spaceFlags(RegisterSpace.msr), source: 2 },
    { kind: EventKind.count, code: PMCR, source: 2 },
  ];
  const chunk = chunkOf(events);
  const matching = (filter: Parameters<typeof eventMatcher>[0]): number[] => {
    const matches = eventMatcher(filter, VCPUS);
    return events.flatMap((_, i) => (matches(chunk, i) ? [i] : []));
  };

  it('lets all pass without a restriction', () => {
    expect(matching({})).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('knows a vCPU by its slot, by its thread, and as the task switched to', () => {
    expect(matching({ vcpus: new Set([0]) })).toEqual([0, 4]);
    expect(matching({ vcpus: new Set([1]) })).toEqual([1, 2]);
  });

  it('tells registers of different name spaces and other meanings of code apart', () => {
    expect(matching({ registers: parseRegisters(['PMCR_EL0']) })).toEqual([0]);
  });

  it('selects by source, and by everything at once', () => {
    expect(matching({ sources: new Set([2]) })).toEqual([2, 3, 4, 5]);
    expect(matching({ sources: new Set([2]), vcpus: new Set([1]) })).toEqual([2]);
  });
});
