import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { json } from './recordings.ts';
import { ROOT, scratch, shell, vpmu } from './vpmu.ts';

const LEAN = 'traces/S3-lean/trace-raw.txt.zst';
const NARROW = { env: { COLUMNS: '80' } };

function members(value: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(value)) for (const item of value) members(item, found);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      found.add(name);
      members(member, found);
    }
  }
  return found;
}

describe('vpmu diagnose', () => {
  it('gives the verdict first, then groups of windows, at 80 columns: exit 1', async () => {
    const { code, stdout, stderr } = await vpmu(['diagnose', LEAN], NARROW);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^28 of 90 windows did not count as programmed;/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/^vcpu0 CPU_CYCLES 0x11 \(counter 31\) {2}14 windows, @\d+ … @\d+$/m);
    expect(stdout).toMatch(/^ {2}the largest: @\d+-@\d+, \d+\.\d+ ms from 22\.012892000$/m);
    expect(stdout).toMatch(/^ {6}proven pinned-error +- +-$/m);
    expect(stdout).toMatch(/do \(pinned-error\): Find what took the counter/);
    expect(stdout).toMatch(/-v shows each/);
  });

  it('shows every window with -v, and every selection alike', async () => {
    const all = await vpmu(['diagnose', '-v', LEAN], NARROW);
    expect(all.stdout.match(/^vcpu0 /gm)).toHaveLength(90);
    expect(all.stdout).toMatch(/^ {4}excluded trace-gap: /m);
    const some = ['-e', 'cycles', '--time', '21.95,22.0', '--vcpu', '0'];
    const { windows } = json((await vpmu(['diagnose', LEAN, '--json', ...some])).stdout) as {
      windows: { eventName: string; fromTime: string; toTime: string }[];
    };
    expect(windows.length).toBeGreaterThan(2);
    for (const { eventName, fromTime, toTime } of windows) {
      expect(eventName).toMatch(/^CPU_CYCLES/);
      expect(BigInt(fromTime)).toBeLessThanOrEqual(22_000_000_000n);
      expect(BigInt(toTime)).toBeGreaterThanOrEqual(21_950_000_000n);
    }
    const one = await vpmu(['diagnose', LEAN, '@18930-@18940', '-e', 'cycles'], NARROW);
    expect(one.stdout).toMatch(/^vcpu0 CPU_CYCLES .*@18917-@19055$/m);
  });

  it('says that a selection leaves nothing: exit 4', async () => {
    const { code, stdout } = await vpmu(['diagnose', LEAN, '-e', 'branch-misses']);
    expect(code).toBe(4);
    expect(stdout).toBe('Nothing can be said of counts: no window to compare.\n');
  });

  it('refuses what names nothing', async () => {
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['--vcpu', '7'], '--vcpu 7: no such vCPU'],
      [['--vcpu', 'x'], 'vCPU'],
      [['-e', 'cyclse'], 'no such PMU event of arm64 (did you mean'],
      [['--time', 'tomorrow'], 'tomorrow'],
      [['--format', 'html'], 'Allowed choices are text, markdown'],
      [['--json', '--format', 'markdown'], 'cannot be used with'],
      [['--rules', 'arm64-kvm-9.9'], 'no rule set arm64-kvm-9.9'],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await vpmu(['diagnose', LEAN, ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
    }
  });

  it('goes into a pipe that is closed early, and fits what no table fits', async () => {
    const { stdout, stderr } = await shell(
      `set -o pipefail; vpmu diagnose '${LEAN}' | head -1; echo "\${PIPESTATUS[0]}"`,
    );
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1');
    const tiny = await vpmu(['diagnose', LEAN], { env: { COLUMNS: '20' } });
    expect(tiny.code).toBe(1);
    expect(tiny.stdout).toContain('pinned-error');
  });

  it('prints JSON whose members docs/json.md names, and whose ledgers add up', async () => {
    const { code, stdout } = await vpmu(['diagnose', '--json', LEAN]);
    expect(code).toBe(1);
    const diagnosis = json(stdout) as {
      format: string;
      windows: {
        difference: Amount | null;
        unexplained: Amount | null;
        causes: { amount: Amount | null }[];
      }[];
    };
    expect(diagnosis.format).toBe('vpmu-diagnosis/1');
    const page = readFileSync(join(ROOT, 'docs/json.md'), 'utf8');
    const [section] = /^## `diagnose`[\s\S]*?(?=^## )/m.exec(page)!;
    for (const name of members(diagnosis)) expect(section).toContain(name);
    const compared = diagnosis.windows.filter(({ difference }) => difference !== null);
    expect(compared.length).toBeGreaterThan(10);
    for (const { difference, unexplained, causes } of compared) {
      const amounts = causes.flatMap(({ amount }) => (amount === null ? [] : [amount]));
      const sum = (end: keyof Amount): bigint =>
        amounts.reduce((total, amount) => total + BigInt(amount[end]), 0n);
      // difference − the sum of the causes, as intervals.
      expect(BigInt(unexplained!.low)).toBe(BigInt(difference!.low) - sum('high'));
      expect(BigInt(unexplained!.high)).toBe(BigInt(difference!.high) - sum('low'));
    }
  });

  it('writes a bug report that holds up whatever a file is called', async () => {
    const folder = scratch();
    const name = "a|b `*c*`'s.zst";
    cpSync(join(ROOT, LEAN), join(folder, name));
    const args = ['diagnose', name, '--format', 'markdown', '-e', 'cycles', '--kernel', '6.12.1'];
    const { code, stdout } = await vpmu(args, { cwd: folder });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^# Guest and host counts$/m);
    expect(stdout).toMatch(/^\| host kernel \| 6\.12\.1 \|$/m);
    expect(stdout).toMatch(/^\| rule set \| arm64-kvm-6\.12 \(kernel 6\.12\.1\) \|$/m);
    expect(stdout).toContain("| a\\|b \\`\\*c\\*\\`'s.zst (tracefs");
    const [, typed] = /^```\n(vpmu .*)\n```$/m.exec(stdout)!;
    const again = await shell(typed!, { cwd: folder });
    expect(again).toEqual({ code: 1, stdout, stderr: '' });
    expect(stdout).toMatch(/^\| guest \| 0 \| {2}\| 0 \|$/m);
    expect(stdout).toMatch(/^- \*\*proven pinned-error\*\*: /m);
    expect(stdout).toMatch(/^ *@19913 22\.013713000 .* hw-add +ret=EAGAIN/m);
  });

  it('says in one line that the other side is missing: exit 4', async () => {
    const [host, guest] = ['host', 'guest'].map((role) => `${role}:traces/sleep5-2016/${role}.txt`);
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        [host!],
        /only counts of the host are given \(host\.txt\)\. Add the guest's perf stat as guest:FILE/,
      ],
      [
        [guest!],
        /only counts of the guest are given \(guest\.txt\)\. Add the host's perf stat as host:FILE/,
      ],
      // One file for both sides is one recording.
      [
        [host!, 'guest:traces/sleep5-2016/host.txt'],
        /only counts of the host .* another file than the host's/,
      ],
    ];
    for (const [args, message] of cases) {
      const { code, stdout } = await vpmu(['diagnose', '-q', ...args], {
        env: { COLUMNS: '1000' },
      });
      expect(code).toBe(4);
      expect(stdout.replaceAll('\n', ' ')).toMatch(message);
      expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(3);
      const markdown = await vpmu(['diagnose', '-q', '--format', 'markdown', ...args]);
      expect(markdown.stdout).toContain('Nothing to compare');
    }
  });

  it('says why windows are not compared, and what to record', async () => {
    const { code, stdout } = await vpmu(
      ['diagnose', '-q', 'traces/X9b-event-filter/perf.data.zst'],
      NARROW,
    );
    expect(code).toBe(4);
    const text = stdout.replaceAll('\n', ' ');
    expect(text).toMatch(
      /Not compared: 3 windows: no host event was read twice over this span\. To compare counts, run perf stat -e EVENT:G,EVENT:H -t TID/,
    );
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('lays two outputs of perf stat side by side at 80 columns', async () => {
    for (const folder of ['sleep5-2016', 'read-cycles-2016']) {
      const form = folder.startsWith('sleep') ? 'txt' : 'csv';
      const args = ['host', 'guest'].map((role) => `${role}:traces/${folder}/${role}.${form}`);
      const { code, stdout } = await vpmu(['diagnose', '-q', ...args], NARROW);
      expect(code).toBe(4);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
      expect(stdout).toMatch(/^event +host +guest +guest-host/m);
      expect(stdout).toMatch(new RegExp(`^ {2}host: host\\.${form}$`, 'm'));
    }
  });
});

interface Amount {
  readonly low: string;
  readonly high: string;
}
