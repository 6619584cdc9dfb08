import { describe, expect, it } from 'vitest';
import { BARE, json, withLog } from './recordings.ts';
import { vpmu } from './vpmu.ts';

const BOTH = 'arm64-kvm-6.12,arm64-kvm-6.1';

describe('vpmu what-if', () => {
  it('prints values, what was asked of perf and the first access that differs: exit 1', async () => {
    const { code, stdout, stderr } = await vpmu(['what-if', BARE, '--rules', BOTH], {
      env: { COLUMNS: '80' },
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^ +31 {2}CPU_CYCLES(?: 0x11)? +all +0 {2}exact/m);
    expect(stdout).toMatch(/^ {2}arm64-kvm-6\.12 +92 +0 +17 +85 +0$/m);
    // The recording's guest printed this read of PMCR_EL0; 6.1 would have shown the host's identity.
    expect(stdout).toMatch(
      /^arm64-kvm-6\.1 parts at @\d+ \(16\.433108000\), vcpu0 reads PMCR_EL0:$/m,
    );
    expect(stdout).toMatch(/^ {4}arm64-kvm-6\.12 {2}0x3000$/m);
    expect(stdout).toMatch(/^ {4}arm64-kvm-6\.1 {3}0x30a8, bits 0xffff0000 unknown$/m);
    expect(stdout).toMatch(/created an event +43 +77 us/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('is as exact in JSON, at any instant', async () => {
    const { log } = await withLog();
    const at = ['what-if', log, '--rules', BOTH, '--at', '16.6', '--json'];
    const { code, stdout } = await vpmu(at);
    expect(code).toBe(1);
    const result = json(stdout) as {
      seq: number;
      vcpus: { counters: { counter: number; values: Record<string, unknown>[] }[] }[];
      comparisons: Record<string, unknown>[];
    };
    expect(result.comparisons[0]).toMatchObject({ ruleSet: 'arm64-kvm-6.1' });
    const replayed = json((await vpmu(['replay', log, '--at', `@${result.seq}`, '--json'])).stdout);
    const [vcpu] = replayed['vcpus'] as { counters: Record<string, unknown>[] }[];
    // The recorded rules show what replay shows, but for bounds that only later records give.
    result.vcpus[0]!.counters.forEach(({ counter, values }, i) => {
      const own = vcpu!.counters[i]!;
      expect(own['counter']).toBe(counter);
      if (values[0]!['certainty'] === 'exact') expect(values[0]!['value']).toBe(own['value']);
    });
  });

  it('says that rule sets show the same: exit 0', async () => {
    const { log } = await withLog();
    const early = ['--at', '@100'];
    const { code, stdout } = await vpmu(['what-if', log, '--rules', BOTH, ...early]);
    // Before the first access nothing was played.
    expect(code).toBe(4);
    expect(stdout).toContain('nothing to play');
    const alike = 'arm64-kvm-4.6,arm64-kvm-4.14';
    const same = await vpmu(['what-if', log, '--rules', alike, '--at', '16.434']);
    expect(same.code).toBe(0);
    expect(same.stdout).toContain('All rule sets show the guest the same.');
  });

  it('refuses rule sets that cannot be compared', async () => {
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[], '--rules is missing'],
      [['--rules', 'arm64-kvm-6.12'], 'one rule set has nothing to be compared with'],
      [['--rules', 'arm64-kvm-6.12,arm64-kvm-6.12'], 'one rule set'],
      [['--rules', 'arm64-kvm-6.12,arm64-kvm-9.9'], 'no rule set arm64-kvm-9.9'],
      [['--rules', 'arm64-kvm-6.12,x86-kvm-6.12'], 'x86-kvm-6.12 is a rule set for x86'],
      [['--rules', 'arm64-kvm-6.12,arm64-partitioned'], 'arm64-partitioned is a reserved name'],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await vpmu(['what-if', BARE, ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    }
  });
});

describe('vpmu models', () => {
  it('lists both architectures and the reserved name', async () => {
    const { code, stdout } = await vpmu(['models']);
    expect(code).toBe(0);
    for (const name of ['arm64-kvm-6.12  arm64', 'x86-kvm-6.12  x86', 'arm64-partitioned  arm64'])
      expect(stdout).toContain(name);
  });

  it('prints one in full and what differs between two', async () => {
    const one = await vpmu(['models', 'x86-kvm-6.12']);
    expect(one.stdout).toMatch(/^ {2}events are reprogrammed +before the next entry +B\.5$/m);
    const two = await vpmu(['models', 'x86-kvm-4.14', 'x86-reuse-2019']);
    expect(two.stdout.trimEnd().split('\n')).toEqual([
      'x86-kvm-4.14 and x86-reuse-2019 differ in 1 rule:',
      expect.stringContaining('semantics'),
      expect.stringMatching(
        /an event is kept +never: released, created anew +if only EN changed +C/,
      ),
    ]);
    const { differences } = json(
      (await vpmu(['models', 'arm64-kvm-6.1', 'arm64-kvm-6.12', '--json'])).stdout,
    ) as { differences: Record<string, unknown>[] };
    expect(differences).toContainEqual({
      field: 'counterWrite',
      meaning: 'a counter write',
      a: 'adds the difference, folds, creates',
      b: 'releases the event, assigns, creates',
      source: 'A.6',
    });
  });

  it('refuses names that cannot be shown together', async () => {
    for (const [args, message] of [
      [['arm64-kvm-6.13'], 'did you mean arm64-kvm-6.1'],
      [['arm64-kvm-6.1', 'x86-kvm-6.1'], 'no field in common'],
      [['arm64-partitioned'], 'reserved name'],
    ] as const) {
      const { code, stderr } = await vpmu(['models', ...args]);
      expect(code).toBe(2);
      expect(stderr).toContain(message);
    }
  });
});
