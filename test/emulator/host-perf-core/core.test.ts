import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type HostEventAttr,
  HostEventState,
} from '../../../src/emulator/host-perf-core/host-event.ts';
import { HostPerfCore } from '../../../src/emulator/host-perf-core/host-perf-core.ts';
import {
  EBUSY,
  EOPNOTSUPP,
  MEDIATED_HOST_7_0,
  MEDIATED_HOST_2024,
} from '../../../src/emulator/host-perf-core/mediated-rules.ts';
import {
  amdCore,
  arm64Pmuv3,
  fixedCounter,
  intelCore,
  type PmuDescription,
} from '../../../src/emulator/host-perf-core/pmu-description.ts';
import { predictPlacement } from '../../../src/emulator/host-perf-core/predict-placement.ts';

const CYCLES = 0x11;
const INSTRUCTIONS = 0x08;
const { error, off, inactive, active } = HostEventState;

function stateOf(core: HostPerfCore, ...ids: readonly string[]): readonly number[] {
  return ids.map((id) => core.view(id)!.state);
}

function open(core: HostPerfCore, ...attrs: readonly HostEventAttr[]): void {
  for (const attr of attrs) expect(core.open(attr, 0)).toBe(0);
}

describe('states (semantics F.1)', () => {
  it('go OFF, INACTIVE, ACTIVE, and back', () => {
    const core = new HostPerfCore({ pmu: amdCore(4) });
    open(core, { id: 'a', event: 1, task: 't', disabled: true });
    expect(stateOf(core, 'a')).toEqual([off]);
    core.enable('a', 0);
    expect(stateOf(core, 'a')).toEqual([inactive]); // its task does not run
    core.switchTo(0, 't', 0);
    expect(stateOf(core, 'a')).toEqual([active]);
    core.switchTo(0, undefined, 0);
    expect(stateOf(core, 'a')).toEqual([inactive]);
    core.disable('a', 0);
    expect(stateOf(core, 'a')).toEqual([off]);
    core.release('a', 0);
    expect(core.view('a')).toBeUndefined();
  });

  it('a pinned event without a counter is in ERROR until the next enable, whatever becomes free', () => {
    const core = new HostPerfCore({ pmu: amdCore(1) });
    open(core, { id: 'host', event: 1, pinned: true });
    open(core, { id: 'guest', event: 1, pinned: true, task: 't' });
    core.switchTo(0, 't', 0);
    expect(stateOf(core, 'host', 'guest')).toEqual([active, error]);
    core.release('host', 10);
    core.switchTo(0, undefined, 20);
    core.switchTo(0, 't', 30);
    expect(stateOf(core, 'guest')).toEqual([error]);
    core.enable('guest', 40);
    expect(stateOf(core, 'guest')).toEqual([active]);
    core.advance(50);
    // K14: in ERROR neither time runs.
    expect(core.view('guest')).toMatchObject({ enabledNs: 10, runningNs: 10 });
  });

  it('after one refused pinned event the others of the same pass are not tried', () => {
    const tried: string[] = [];
    const core = new HostPerfCore({
      pmu: amdCore(2),
      attempted: ({ id, placed }) => tried.push(`${id} ${placed}`),
    });
    open(core, { id: 'host', event: 1, pinned: true });
    for (const id of ['a', 'b', 'c']) open(core, { id, event: 1, pinned: true, task: 't' });
    tried.length = 0;
    core.switchTo(0, 't', 0);
    expect(tried).toEqual(['a true', 'b false']);
    expect(stateOf(core, 'a', 'b', 'c')).toEqual([active, error, error]);
  });

  it('a flexible one waits, and counts enabled but not running time (F.4)', () => {
    const core = new HostPerfCore({ pmu: amdCore(1) });
    open(core, { id: 'a', event: 1 }, { id: 'b', event: 1 });
    core.advance(1000);
    expect(core.view('a')).toMatchObject({ enabledNs: 1000, runningNs: 1000 });
    expect(core.view('b')).toMatchObject({ state: inactive, enabledNs: 1000, runningNs: 0 });
  });
});

describe('order (semantics F.2)', () => {
  it('is CPU-pinned, task-pinned, CPU-flexible, task-flexible', () => {
    for (const [counters, expected] of [
      [1, [active, error, inactive, inactive]],
      [2, [active, active, inactive, inactive]],
      [3, [active, active, active, inactive]],
      [4, [active, active, active, active]],
    ] as const) {
      const core = new HostPerfCore({ pmu: amdCore(counters) });
      // Opened in the opposite order: it does not matter.
      open(core, { id: 'tf', event: 1, task: 't' }, { id: 'cf', event: 1 });
      open(core, { id: 'tp', event: 1, task: 't', pinned: true });
      open(core, { id: 'cp', event: 1, pinned: true });
      core.switchTo(0, 't', 0);
      expect(stateOf(core, 'cp', 'tp', 'cf', 'tf')).toEqual(expected);
    }
  });

  it('a CPU-pinned event that comes later takes a running guest counter: the NMI watchdog', () => {
    const core = new HostPerfCore({ pmu: amdCore(2) });
    open(core, { id: 'g0', event: 1, pinned: true, task: 't' });
    open(core, { id: 'g1', event: 1, pinned: true, task: 't' });
    core.switchTo(0, 't', 0);
    core.open({ id: 'watchdog', event: 2, pinned: true }, 100);
    expect(stateOf(core, 'watchdog', 'g0', 'g1')).toEqual([active, active, error]);
  });

  it('guest counters take the counters of flexible host events (cause 41)', () => {
    const core = new HostPerfCore({ pmu: amdCore(2) });
    open(core, { id: 'stat', event: 1 });
    open(core, { id: 'g0', event: 1, pinned: true, task: 't' });
    open(core, { id: 'g1', event: 1, pinned: true, task: 't' });
    core.advance(100);
    core.switchTo(0, 't', 100);
    core.switchTo(0, undefined, 400);
    expect(core.view('stat')).toMatchObject({ state: inactive, enabledNs: 400, runningNs: 100 });
    // The freed counter is given out at the next rotation.
    expect(core.rotate(0, 404)).toBe(true);
    expect(stateOf(core, 'stat')).toEqual([active]);
  });

  it('rotates flexible events that do not all fit: three on two counters run two thirds each', () => {
    const core = new HostPerfCore({ pmu: amdCore(2) });
    open(core, { id: 'a', event: 1 }, { id: 'b', event: 1 }, { id: 'c', event: 1 });
    for (let tick = 1; tick <= 300; tick++) core.rotate(0, tick * 4_000_000);
    for (const id of ['a', 'b', 'c']) {
      const { enabledNs, runningNs } = core.view(id)!;
      expect(enabledNs).toBe(1_200_000_000);
      expect(runningNs).toBe(800_000_000);
    }
  });

  it('a group goes on as a whole or not at all', () => {
    const core = new HostPerfCore({ pmu: amdCore(2) });
    open(core, { id: 'p', event: 1, pinned: true }, { id: 'l', event: 1 });
    core.release('p', 0);
    open(core, { id: 'm', event: 1, leader: 'l' });
    expect(stateOf(core, 'l', 'm')).toEqual([active, active]);
    open(core, { id: 'q', event: 1, pinned: true });
    expect(stateOf(core, 'q', 'l', 'm')).toEqual([active, inactive, inactive]);
  });
});

describe('counters (semantics F.2)', () => {
  it('arm64: cycles take the cycle counter first, then an event counter', () => {
    const core = new HostPerfCore({ pmu: arm64Pmuv3(2, true) });
    open(core, { id: 'a', event: CYCLES }, { id: 'b', event: CYCLES });
    open(core, { id: 'c', event: INSTRUCTIONS }, { id: 'd', event: INSTRUCTIONS });
    expect(core.view('a')!.counters).toEqual([31]);
    expect(core.view('b')!.counters).toEqual([0]);
    expect(core.view('c')!.counters).toEqual([1]);
    expect(stateOf(core, 'd')).toEqual([inactive]);
  });

  it('arm64 before PMUv3p5: a 64-bit event takes an even and the odd counter after it', () => {
    const core = new HostPerfCore({ pmu: arm64Pmuv3(6, false) });
    open(core, { id: 'short', event: INSTRUCTIONS });
    open(core, { id: 'long', event: INSTRUCTIONS, long: true });
    open(core, { id: 'cycles', event: CYCLES, long: true });
    open(core, { id: 'cycles2', event: CYCLES, long: true });
    expect(core.view('short')!.counters).toEqual([0]);
    expect(core.view('long')!.counters).toEqual([2, 3]);
    expect(core.view('cycles')!.counters).toEqual([31]); // 64 bits wide by itself
    expect(core.view('cycles2')!.counters).toEqual([4, 5]);
    open(core, { id: 'third', event: INSTRUCTIONS, long: true });
    expect(stateOf(core, 'third')).toEqual([inactive]); // counter 1 alone is no pair
  });

  it('arm64 PMUv3p5: a 64-bit event takes one counter', () => {
    const core = new HostPerfCore({ pmu: arm64Pmuv3(2, true) });
    for (const id of ['a', 'b']) open(core, { id, event: INSTRUCTIONS, long: true });
    expect(stateOf(core, 'a', 'b')).toEqual([active, active]);
  });

  it('Intel: fixed counters first, moved events make room, reference cycles have one place', () => {
    const core = new HostPerfCore({ pmu: intelCore(1, 3) });
    open(core, { id: 'i', event: 0xc0 }, { id: 'i2', event: 0xc0 });
    expect(core.view('i')!.counters).toEqual([fixedCounter(0)]);
    expect(core.view('i2')!.counters).toEqual([0]);
    open(core, { id: 'r', event: 0x0300 }, { id: 'r2', event: 0x0300 });
    expect(core.view('r')!.counters).toEqual([fixedCounter(2)]);
    expect(stateOf(core, 'r2')).toEqual([inactive]);
    // An event that only runs on counter 1 makes one that can move do so.
    const only: PmuDescription = intelCore(2, 0, [
      { event: 0x48, mask: 0xff, counters: [0], source: 'drawn' },
    ]);
    const moved = new HostPerfCore({ pmu: only });
    open(moved, { id: 'any', event: 1 }, { id: 'picky', event: 0x48 });
    expect(moved.view('picky')!.counters).toEqual([0]);
    expect(moved.view('any')!.counters).toEqual([1]);
  });
});

describe('modes (semantics F.3)', () => {
  it('count what their exclude bits leave in', () => {
    const core = new HostPerfCore({ pmu: amdCore(6) });
    open(core, { id: 'all', event: 1 }, { id: 'G', event: 1, excludeHost: true });
    open(
      core,
      { id: 'H', event: 1, excludeGuest: true },
      { id: 'u', event: 1, excludeKernel: true },
    );
    open(core, { id: 'none', event: 1, excludeHost: true, excludeGuest: true });
    const once = new Map([[1, 10n]]);
    core.happened(0, { guest: true, level: 'user' }, once);
    core.happened(0, { guest: false, level: 'kernel' }, once);
    core.happened(0, { guest: false, level: 'hv' }, new Map([[2, 7n]]));
    const counts = ['all', 'G', 'H', 'u', 'none'].map((id) => core.view(id)!.count);
    expect(counts).toEqual([20n, 10n, 10n, 10n, 0n]);
    expect(core.pause('all', 0)).toBe(20n);
    expect(core.view('all')).toMatchObject({ count: 0n, state: off });
  });
});

describe('mediated guests (semantics E.1)', () => {
  it('2024: events that count guests go to ERROR for good; the others out and in again', () => {
    const core = new HostPerfCore({ pmu: amdCore(4), mediated: MEDIATED_HOST_2024 });
    open(core, { id: 'all', event: 1 }, { id: 'H', event: 1, excludeGuest: true });
    open(core, { id: 'uncore', event: 1, pmu: 'other' });
    expect(core.createMediatedVm()).toBe(0);
    core.loadGuest(0, 100);
    expect(stateOf(core, 'all', 'H', 'uncore')).toEqual([error, inactive, active]);
    // Refused only where a guest is loaded, and only what would count it.
    expect(core.open({ id: 'x', event: 1 }, 100)).toBe(EBUSY);
    expect(core.open({ id: 'y', event: 1, excludeGuest: true }, 100)).toBe(0);
    expect(core.open({ id: 'z', event: 1, pmu: 'other' }, 100)).toBe(0);
    core.putGuest(0, 300);
    expect(stateOf(core, 'all', 'H', 'uncore', 'y')).toEqual([error, active, active, active]);
    expect(core.open({ id: 'x', event: 1 }, 300)).toBe(0);
    core.advance(400);
    // The context's time goes on while the guest has the counters.
    expect(core.view('H')).toMatchObject({ enabledNs: 400, runningNs: 200 });
    expect(core.view('all')).toMatchObject({ enabledNs: 100, runningNs: 100 });
    core.enable('all', 400);
    expect(stateOf(core, 'all')).toEqual([active]);
    core.loadGuest(0, 500);
    expect(stateOf(core, 'all')).toEqual([error]);
  });

  it('2024: an event that waits for its turn is not marked, and of a group it is the leader', () => {
    const one = new HostPerfCore({ pmu: amdCore(1), mediated: MEDIATED_HOST_2024 });
    open(one, { id: 'first', event: 1 }, { id: 'waits', event: 2 });
    expect(stateOf(one, 'first', 'waits')).toEqual([active, inactive]);
    one.loadGuest(0, 100);
    expect(stateOf(one, 'first', 'waits')).toEqual([error, inactive]);
    one.putGuest(0, 200);
    expect(stateOf(one, 'first', 'waits')).toEqual([error, active]);

    const group = new HostPerfCore({ pmu: amdCore(4), mediated: MEDIATED_HOST_2024 });
    open(
      group,
      { id: 'lead', event: 1, excludeGuest: true },
      { id: 'sib', event: 2, leader: 'lead' },
    );
    group.loadGuest(0, 100);
    expect(stateOf(group, 'lead', 'sib')).toEqual([error, inactive]);
  });

  it('2024: a task that is no vCPU may open events beside a loaded guest; the vCPU thread may not', () => {
    const core = new HostPerfCore({ pmu: amdCore(4), mediated: MEDIATED_HOST_2024 });
    core.switchTo(0, 'vcpu', 0);
    core.loadGuest(0, 0);
    expect(core.open({ id: 'a', event: 1, task: 'other' }, 0)).toBe(0);
    expect(core.open({ id: 'b', event: 1, task: 'vcpu' }, 0)).toBe(EBUSY);
  });

  it('7.0: -EBUSY for the VM, then -EOPNOTSUPP for events that count guests, on every pCPU', () => {
    const core = new HostPerfCore({ pmu: amdCore(4), cpus: 2, mediated: MEDIATED_HOST_7_0 });
    open(core, { id: 'all', event: 1, cpu: 1 });
    expect(core.createMediatedVm()).toBe(EBUSY);
    core.release('all', 0);
    open(core, { id: 'uncore', event: 1, pmu: 'other' });
    expect(core.createMediatedVm()).toBe(0);
    expect(core.open({ id: 'x', event: 1, cpu: 1 }, 0)).toBe(EOPNOTSUPP);
    core.releaseMediatedVm();
    expect(core.open({ id: 'x', event: 1, cpu: 1 }, 0)).toBe(0);
  });

  it('7.0: guest time is in neither time of an exclude_guest event: 100 % running', () => {
    const core = new HostPerfCore({ pmu: amdCore(4), mediated: MEDIATED_HOST_7_0 });
    open(core, { id: 'H', event: 1, excludeGuest: true }, { id: 'uncore', event: 1, pmu: 'other' });
    core.createMediatedVm();
    core.loadGuest(0, 100);
    core.putGuest(0, 900);
    core.advance(1000);
    expect(core.view('H')).toMatchObject({ enabledNs: 200, runningNs: 200 });
    expect(core.view('uncore')).toMatchObject({ enabledNs: 1000, runningNs: 1000 });
  });
});

describe('predictPlacement', () => {
  it('names who holds the counters: S3-lean, seven pinned events beside cycles and instructions', () => {
    const host = [CYCLES, INSTRUCTIONS, CYCLES, INSTRUCTIONS, CYCLES, INSTRUCTIONS, CYCLES].map(
      (event, i) => ({ id: `h${i}`, event, pinned: true, boundTo: 'cpu' as const }),
    );
    const guest = [
      { id: 'cycles', event: CYCLES, long: true },
      { id: 'instructions', event: INSTRUCTIONS, long: true },
      { id: 'idle', event: INSTRUCTIONS, disabled: true },
    ];
    const full = predictPlacement(arm64Pmuv3(6, true), host, guest);
    expect(full.slice(7)).toEqual([
      {
        id: 'cycles',
        outcome: 'refused',
        counters: [],
        because: ['h0', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'],
      },
      {
        id: 'instructions',
        outcome: 'not-tried',
        counters: [],
        because: ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'],
      },
      { id: 'idle', outcome: 'off', counters: [], because: [] },
    ]);
    const six = predictPlacement(arm64Pmuv3(6, true), host.slice(1), guest);
    expect(six.slice(6).map(({ outcome }) => outcome)).toEqual(['placed', 'refused', 'off']);
  });
});

type Act =
  | { readonly do: 'open'; readonly attr: Omit<HostEventAttr, 'id'> }
  | { readonly do: 'enable' | 'disable' | 'release'; readonly nth: number }
  | { readonly do: 'switch'; readonly task: string | undefined }
  | { readonly do: 'rotate' };

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    do: fc.constant('open' as const),
    attr: fc.record({
      event: fc.constantFrom(CYCLES, INSTRUCTIONS, 1),
      long: fc.boolean(),
      pinned: fc.boolean(),
      disabled: fc.boolean(),
      task: fc.constantFrom('a', 'b'),
    }),
  }),
  fc.record({
    do: fc.constant('open' as const),
    attr: fc.record({ event: fc.constantFrom(CYCLES, INSTRUCTIONS), pinned: fc.boolean() }),
  }),
  fc.record({
    do: fc.constantFrom('enable' as const, 'disable' as const, 'release' as const),
    nth: fc.nat(20),
  }),
  fc.record({ do: fc.constant('switch' as const), task: fc.constantFrom('a', 'b', undefined) }),
  fc.record({ do: fc.constant('rotate' as const) }),
);

describe('random hosts', () => {
  it.each([arm64Pmuv3(3, true), arm64Pmuv3(4, false), amdCore(3)])(
    'keep the rules: $name',
    (pmu) => {
      fc.assert(
        fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
          const core = new HostPerfCore({ pmu });
          const attrs = new Map<string, HostEventAttr>();
          let now = 0;
          let running: string | undefined;
          for (const [i, step] of acts.entries()) {
            now += 7;
            const ids = [...attrs.keys()];
            if (step.do === 'open') {
              const attr = { ...step.attr, id: `e${i}` };
              attrs.set(attr.id, attr);
              core.open(attr, now);
            } else if (step.do === 'switch') {
              running = step.task;
              core.switchTo(0, running, now);
            } else if (step.do === 'rotate') core.rotate(0, now);
            else if (ids.length > 0) {
              const id = ids[step.nth % ids.length]!;
              core[step.do](id, now);
              if (step.do === 'release') attrs.delete(id);
            }
            const views = [...attrs.values()].map((attr) => ({ attr, ...core.view(attr.id)! }));
            const held = views.flatMap(({ counters }) => counters);
            expect(new Set(held).size).toBe(held.length);
            expect(held.length).toBeLessThanOrEqual(pmu.counters.length + 1);
            for (const { attr, state, counters, enabledNs, runningNs } of views) {
              expect(runningNs).toBeLessThanOrEqual(enabledNs);
              expect(counters.length > 0).toBe(state === active);
              if (state === active && attr.task !== undefined) expect(attr.task).toBe(running);
            }
          }
          // Everything enabled once and scheduled in anew: who waits has nobody of lower priority on a counter it could use.
          core.switchTo(0, undefined, now);
          for (const id of attrs.keys()) core.disable(id, now);
          for (const { id } of attrs.values()) core.enable(id, now);
          core.switchTo(0, 'a', now);
          const rank = ({ pinned, task }: HostEventAttr): number =>
            (pinned === true ? 0 : 2) + (task === undefined ? 0 : 1);
          const on = [...attrs.values()].filter(({ task }) => task === undefined || task === 'a');
          const plain = on.filter(({ long, event }) => long !== true && event === INSTRUCTIONS);
          for (const waits of plain.filter(({ id }) => core.view(id)!.state !== active)) {
            for (const { id, ...attr } of plain) {
              if (core.view(id)!.state === active)
                expect(rank({ id, ...attr })).toBeLessThanOrEqual(rank(waits));
            }
          }
        }),
        { numRuns: 200 },
      );
    },
  );
});
