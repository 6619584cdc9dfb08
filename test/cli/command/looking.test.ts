import { describe, expect, it } from 'vitest';
import { BARE, json, withLog } from './recordings.ts';
import { shell, vpmu } from './vpmu.ts';

describe('vpmu events', () => {
  it('prints lines whose coordinates paste back', async () => {
    const { log } = await withLog();
    const { stdout } = await vpmu(['events', log, '--register', 'PMOVSCLR_EL0', '--kind', 'read']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    const [, seq, time] = /^ *(@\d+) +(\d+\.\d{9}) /.exec(lines[0]!)!;
    expect((await vpmu(['events', log, seq!])).stdout.trim()).toBe(lines[0]!.trim());
    const at = await vpmu(['events', log, '--time', `${time},${time}`]);
    expect(at.stdout).toContain(lines[0]!.trim());
    const after = await vpmu(['events', log, `${seq}+2`]);
    expect(after.stdout.trimEnd().split('\n')).toHaveLength(3);
  });

  it('filters by everything at once, and counts', async () => {
    const { log } = await withLog();
    const args = ['events', log, '--vcpu', '0', '--kind', 'write,hw-*', '--time', '16.44,16.48'];
    const { stdout } = await vpmu(args);
    const lines = stdout.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/ 16\.4\d+ .* (write|hw-add|hw-del|hw-update) /);
    const counted = json((await vpmu([...args, '--count', '--json'])).stdout);
    expect(counted['events']).toBe(lines.length);
    expect((await vpmu([...args, '--count'])).stdout).toMatch(new RegExp(`${lines.length}  all`));
  });

  it('prints one JSON object per line, 64-bit values as strings', async () => {
    const { log } = await withLog();
    const { stdout } = await vpmu(['events', log, '--kind', 'vcpu-reset,counter-get', '--json']);
    const events = stdout.trimEnd().split('\n').map(json);
    expect(events[0]).toMatchObject({ kind: 'vcpu-reset', source: 1, vcpu: 0 });
    const poison = events.find((event) => event['value'] === String(0x1de7ec7edbadc0den));
    expect(poison).toMatchObject({ kind: 'counter-get', counter: 31, thread: 'CPU 0/KVM' });
    for (const event of events) {
      expect(event['seq']).toBeTypeOf('number');
      expect(event['time']).toMatch(/^\d+$/);
    }
  });

  it('is cut short by its reader without a complaint', async () => {
    const { log } = await withLog();
    for (const format of ['', '--json']) {
      const { stdout, stderr } = await shell(
        `set -o pipefail; vpmu events ${format} '${log}' | head -3; echo "\${PIPESTATUS[0]}"`,
      );
      expect(stderr).toBe('');
      const lines = stdout.trimEnd().split('\n');
      expect(lines).toHaveLength(4);
      expect(lines.at(-1)).toBe('0');
    }
  });

  it('refuses words that name nothing', async () => {
    const { log } = await withLog();
    const cases = [
      ['--kind', 'writes'],
      ['--register', 'PMCR_EL9'],
      ['--vcpu', '2-1'],
      ['--time', 'tomorrow'],
      ['--time', '17,16'],
      ['--source', 'x'],
      ['@0'],
    ];
    for (const args of cases) {
      const { code, stdout, stderr } = await vpmu(['events', log, ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    }
  });
});

describe('vpmu info', () => {
  it('fits a terminal of 80 columns, and cuts nothing on a narrower one', async () => {
    const { log } = await withLog();
    const words = (text: string): string[] => text.split(/\s+/).sort();
    const wide = await vpmu(['info', log]);
    const fitting = await vpmu(['info', log], { env: { COLUMNS: '80' } });
    const table = fitting.stdout.split('events by kind')[1]!;
    for (const line of table.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    for (const columns of ['80', '40', '10']) {
      const narrow = await vpmu(['info', log], { env: { COLUMNS: columns } });
      expect(words(narrow.stdout)).toEqual(words(wide.stdout));
    }
  });

  it('says the same in JSON', async () => {
    const info = json((await vpmu(['info', '--json', BARE])).stdout);
    expect(info).toMatchObject({
      events: 14_802,
      vcpus: [{ slot: 0, index: 0, tid: 281, thread: 'CPU 0/KVM' }],
      unmapped: [{ name: 'irq_handler_entry', events: 2_344 }, {}, {}],
    });
    expect(info['firstTime']).toMatch(/^\d+$/);
  });
});

describe('vpmu models', () => {
  it('lists the rule sets', async () => {
    const { stdout } = await vpmu(['models']);
    expect(stdout).toMatch(/^arm64-kvm-6\.12 /m);
    const { ruleSets } = json((await vpmu(['models', '--json'])).stdout) as {
      ruleSets: { name: string }[];
    };
    expect(ruleSets.map(({ name }) => name)).toContain('arm64-kvm-6.1');
  });
});
