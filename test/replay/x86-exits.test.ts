import { describe, expect, it } from 'vitest';
import { ExitSpace, exitName, X86_EXIT_WORDS } from '../../src/arch/tracepoints/exit-code.ts';
import { exitEffects } from '../../src/arch/x86-exit-effects.ts';
import { checkLog } from '../../src/diagnose/check-log.ts';
import { createReplayer } from '../../src/replay/create-replayer.ts';
import type { Observation } from '../../src/replay/observation.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import type { Replayer } from '../../src/replay/replayer.ts';
import type { CounterValue } from '../../src/replay/vcpu-replay.ts';
import { ExitClass, exitClass } from '../../src/replay/x86/x86-exits.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';

const X86 = { arch: 'x86', kernelRelease: '6.12.0' } as const;

function play(text: string): {
  readonly seen: readonly Observation[];
  readonly replayer: Replayer;
} {
  const log = new MemoryLog(draw(text), 4096, X86);
  const { source, config } = prepareReplay(log);
  const replayer = createReplayer(config);
  const seen: Observation[] = [];
  for (const chunk of source.chunks({})) {
    replayer.apply(chunk, 0, chunk.length, (observation) => seen.push(observation));
  }
  return { seen, replayer };
}

describe('the table of exits', () => {
  it('has one row for every exit code the kernel names', () => {
    for (const code of new Set(Object.values(X86_EXIT_WORDS))) {
      const rows = exitEffects(code >>> 24).filter((row) => row.codes.includes(code & 0xffffff));
      expect(rows.length, exitName(code)).toBe(1);
    }
  });

  it('names no code twice', () => {
    for (const space of [ExitSpace.vmx, ExitSpace.svm]) {
      const codes = exitEffects(space).flatMap((row) => row.codes);
      expect(new Set(codes).size).toBe(codes.length);
    }
  });

  it.each([
    ['EPT_MISCONFIG', ExitClass.emulates],
    ['INVPCID', ExitClass.emulates],
    ['invpcid', ExitClass.emulates],
    ['GDTR_IDTR', ExitClass.emulates],
    ['LDTR_TR', ExitClass.emulates],
    ['APIC_ACCESS', ExitClass.emulates],
    ['APIC_WRITE', ExitClass.other],
    ['RDRAND', ExitClass.other],
    ['RDSEED', ExitClass.other],
    ['rdtscp', ExitClass.other],
    ['EPT_VIOLATION', ExitClass.other],
    ['npf', ExitClass.other],
    ['invalid_guest_state', ExitClass.other],
    ['UD excp', ExitClass.perhaps],
    ['read_idtr', ExitClass.perhaps],
    ['avic_unaccelerated_access', ExitClass.perhaps],
    ['VMREAD', ExitClass.perhaps],
    ['vmrun', ExitClass.perhaps],
  ])('%s', (word, expected) => {
    expect(exitClass(X86_EXIT_WORDS[word]!)).toBe(expected);
  });

  it('takes an exit nobody knows for one that perhaps emulates', () => {
    expect(exitClass((ExitSpace.vmx << 24) | 0x1ff)).toBe(ExitClass.perhaps);
    expect(exitClass((ExitSpace.svm << 24) | 0x300)).toBe(ExitClass.perhaps);
    expect(exitClass(0)).toBe(ExitClass.perhaps);
  });
});

/** Counter 0, which counts instructions, right after the entry that follows an exit of this kind. */
function afterExit(exit: string): CounterValue {
  const { replayer } = play(`
    0  v0 refresh
    10 v0 enter
    20 v0 exit msr
    21 v0 wrmsr 0xc0010200=0x5300c0
    22 v0 create - e1 config=0xc0 period=0xffffffffffff
    30 v0 enter
    40 v0 exit ${exit}
    41 v0 count e1 100
    50 v0 enter
  `);
  return replayer.vcpus[0]!.counterValue(0);
}

describe('emulated instructions in a counter', () => {
  it.each([
    ['cpuid', 1n],
    ['invpcid', 1n],
    ['rsm', 1n],
    ['interrupt', 0n],
    ['rdtscp', 0n],
    ['avic_incomplete_ipi', 0n],
  ])('are exactly known after %s', (exit, counted) => {
    const { low, span } = afterExit(exit);
    expect([low - afterExit('nmi').low, span]).toEqual([counted, 0n]);
  });

  it.each(['vmrun', 'avic_unaccelerated_access', 'read_idtr', 'vmgexit', 'icebp'])(
    'are one or none after %s, which does not tell',
    (exit) => {
      const { low, span } = afterExit(exit);
      expect([low - afterExit('nmi').low, span]).toEqual([0n, 1n]);
    },
  );
});

describe('a WRMSR that KVM refused without a record of its value', () => {
  const refused = (write: string): Observation =>
    play(`
      0  v0 refresh
      10 v0 enter
      20 v0 exit msr
      21 v0 ${write}
      30 v0 enter
      40 v0 exit msr
      41 v0 rdmsr 0xc0010200=0
    `).seen[0]!;

  it('is unknown where the register takes some values, not a prediction for 0', () => {
    const seen = refused('wrmsr! 0xc0010200');
    expect(seen.verdict).toBe('unknown');
    expect(seen.reason).toBe('value-not-recorded');
    expect(seen.since).toBe(seen.seq);
  });

  it('is contradicted where the value is recorded and the model takes it', () => {
    expect(refused('wrmsr! 0xc0010200=0').verdict).toBe('contradicted');
  });

  it('is confirmed where the vCPU lacks the register', () => {
    // PerfMonV2's control on a vCPU without it: no value is taken.
    expect(refused('wrmsr! 0xc0000301').verdict).toBe('confirmed');
  });

  it('contradicts nothing in the check of a whole log', () => {
    const log = new MemoryLog(
      draw('0 v0 refresh\n10 v0 enter\n20 v0 exit msr\n21 v0 wrmsr! 0xc0010200'),
      4096,
      X86,
    );
    expect(checkLog(log).contradictions).toEqual([]);
  });
});
