import { describe, expect, it } from 'vitest';
import { whatIf } from '../../../src/replay/what-if/what-if.ts';
import { draw, MemoryLog } from '../../drawn-trace.ts';

const X86 = { arch: 'x86', kernelRelease: '6.12.0' } as const;
const NAMES = ['x86-kvm-6.12', 'x86-mediated-7.0'];

const accesses = `
  0  v0 refresh
  21 v0 wrmsr 0xc0010200=0x530076
  22 v0 wrmsr 0xc0010201=0
  23 v0 rdmsr 0xc0010201=0
`;
const withEntries = `
  0  v0 refresh
  10 v0 enter
  20 v0 exit msr
  21 v0 wrmsr 0xc0010200=0x530076
  30 v0 enter
  40 v0 exit interrupt
  50 v0 enter
  60 v0 exit msr
  61 v0 wrmsr 0xc0010200=0
`;

describe('a rule set under which the guest has the counters', () => {
  it('loads and saves them at guest entries, and asks nothing of perf', () => {
    const { vcpus } = whatIf(new MemoryLog(draw(withEntries), 4096, X86), NAMES);
    const [perf, mediated] = vcpus[0]!.operations;
    expect(perf!.creates).toBe(1);
    expect(perf!.hardware).toBeUndefined();
    expect(mediated).toMatchObject({ creates: 0, reuses: 0, releases: 0, periods: 0 });
    expect(mediated!.hardware).toEqual({ contextLoads: 3, contextPuts: 3 });
  });

  it('does not say how often where guest entries are not recorded', () => {
    const { vcpus } = whatIf(new MemoryLog(draw(accesses), 4096, X86), NAMES);
    expect(vcpus[0]!.operations[1]!.hardware).toEqual({
      contextLoads: undefined,
      contextPuts: undefined,
    });
  });
});
