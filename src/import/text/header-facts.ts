import type { RecordingFacts } from '../../domain/log-facts.ts';

type Found = { -readonly [K in keyof RecordingFacts]?: RecordingFacts[K] };

/** Clock ids of perf record -k (clock_gettime). */
export const CLOCKS: Readonly<Record<string, string>> = {
  '0': 'realtime',
  '1': 'mono',
  '4': 'mono_raw',
  '7': 'boot',
  '11': 'tai',
};

/** arm64 or x86 of a machine name (`aarch64`, `x86_64`). */
export function archOf(machine: string): 'arm64' | 'x86' | undefined {
  if (/^(aarch64|arm64)/.test(machine)) return 'arm64';
  return /^(x86_64|i[3-6]86|amd64)/.test(machine) ? 'x86' : undefined;
}

/** One `# key : value` line of `perf script --header`, or of a tracefs file, into the facts. */
export function headerFact(found: Found, line: string): void {
  const pair = /^#\s*([A-Za-z][A-Za-z ]*?)\s*:\s(.*)$/.exec(line);
  if (pair === null) return;
  const [, key = '', rest = ''] = pair;
  const value = rest.trim();
  switch (key) {
    case 'hostname':
      found.hostname = value;
      break;
    case 'os release':
      found.kernelRelease = value;
      break;
    case 'perf version':
      found.toolVersion = `perf ${value}`;
      break;
    case 'arch': {
      const arch = archOf(value);
      if (arch !== undefined) found.arch = arch;
      break;
    }
    case 'cmdline':
      found.commandLine = value;
      break;
    case 'event': {
      const clock = /\buse_clockid = 1\b.*\bclockid = (\d+)/.exec(value);
      if (clock !== null) found.clock = CLOCKS[clock[1]!] ?? `clockid ${clock[1]}`;
      break;
    }
  }
}
