import { Worker } from 'node:worker_threads';

/** Longest one mutant may take. */
const LIMIT_MS = 10_000;

const WATCH = `
const { workerData, parentPort } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const beat = new Float64Array(workerData.shared);
setInterval(() => {
  const [started, what] = beat;
  if (started === 0 || Date.now() - started < workerData.limit) return;
  writeSync(2, '\\nmutant ' + what + ' of ' + workerData.name + ' hangs\\n');
  process.kill(process.pid, 'SIGKILL');
}, 500);
`;

/**
 * Ends the process, naming the mutant, if one takes longer than 10 s: a loop that never returns cannot be ended by a
 * test's own timeout.
 */
export class Watchdog {
  private readonly beat: Float64Array;
  private readonly worker: Worker;

  constructor(name: string) {
    const shared = new SharedArrayBuffer(16);
    this.beat = new Float64Array(shared);
    this.worker = new Worker(WATCH, { eval: true, workerData: { shared, name, limit: LIMIT_MS } });
    this.worker.unref();
  }

  /** Mutant `what` begins. */
  begin(what: number): void {
    this.beat[1] = what;
    this.beat[0] = Date.now();
  }

  async end(): Promise<void> {
    this.beat[0] = 0;
    await this.worker.terminate();
  }
}
