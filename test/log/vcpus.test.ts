import { describe, expect, it } from 'vitest';
import type { VcpuFact } from '../../src/domain/log-facts.ts';
import { openLog, openLogForImport } from '../../src/log/log.ts';
import { appendAll, fresh, temporaryFolder } from './helpers.ts';

const folder = temporaryFolder();
type Fact = [index: number, tid: number, pid: number];
const fact = ([index, tid, pid]: Fact) => ({ index, tid, pid, learnedFrom: 'test', seq: 1 });

/** What a log knows after runs that learned these facts; and the slots they got. */
async function learned(...runs: Fact[][]): Promise<{ slots: number[]; vcpus: Fact[] }> {
  const path = fresh(folder);
  const log = openLogForImport(path);
  const slots: number[] = [];
  for (const [i, facts] of runs.entries()) {
    await log.importRun(async (sink) => {
      for (const one of facts) slots.push(sink.learnVcpu(fact(one)));
      appendAll(sink, [], [1], `${i}`);
    });
  }
  log.close();
  const read = openLog(path);
  const vcpus = read.vcpus().map(({ slot, index, tid, pid }): [number, ...Fact] => {
    expect(slot).toBeGreaterThanOrEqual(0);
    return [slot, index, tid, pid];
  });
  expect(read.verify().ok).toBe(true);
  read.close();
  return { slots, vcpus: vcpus as unknown as Fact[] };
}

describe('learning vCPUs', () => {
  it('gives a vCPU the slot of its index', async () => {
    expect(
      await learned([
        [3, 13, 1],
        [0, 10, 1],
      ]),
    ).toEqual({
      slots: [3, 0],
      vcpus: [
        [0, 0, 10, 1],
        [3, 3, 13, 1],
      ],
    });
  });

  it('knows a vCPU again by thread and index, and completes it', async () => {
    const { slots, vcpus } = await learned([
      [0, 10, -1],
      [0, 10, -1],
      [0, 10, 7],
    ]);
    expect([slots, vcpus]).toEqual([[0, 0, 0], [[0, 0, 10, 7]]]);
  });

  it('completes a vCPU whose thread was not known, also in a later run', async () => {
    const whole = [[0, 0, 10, 7]];
    expect(
      (
        await learned([
          [0, -1, -1],
          [0, 10, 7],
        ])
      ).vcpus,
    ).toEqual(whole);
    expect((await learned([[0, -1, -1]], [[0, 10, 7]])).vcpus).toEqual(whole);
  });

  it('keeps the same index of two VMs apart', async () => {
    expect(
      await learned([
        [0, 10, 1],
        [1, 11, 1],
        [0, 20, 2],
        [1, 21, 2],
        [0, -1, 2],
      ]),
    ).toEqual({
      slots: [0, 1, 2, 3, 4],
      vcpus: [
        [0, 0, 10, 1],
        [1, 1, 11, 1],
        [2, 0, 20, 2],
        [3, 1, 21, 2],
        [4, 0, -1, 2],
      ],
    });
  });

  it('does not take a vCPU of another process for the same', async () => {
    expect((await learned([[0, -1, 1]], [[0, 20, 2]])).slots).toEqual([0, 1]);
    expect((await learned([[0, 20, 1]], [[0, 20, 2]])).slots).toEqual([0, 1]);
  });

  it('gives an index that cannot be a slot the next free one', async () => {
    expect(
      (
        await learned([
          [40_000, 1, 1],
          [-5, 2, 1],
          [-1, 4, 1],
          [0, 3, 1],
        ])
      ).slots,
    ).toEqual([0, 1, 2, 3]);
  });

  it('leaves out slots nobody spoke of', async () => {
    const log = openLogForImport(fresh(folder));
    let seen: readonly VcpuFact[] = [];
    await log.importRun(async (sink) => {
      sink.learnVcpu(fact([2, 5, 1]));
      sink.learnVcpu(fact([1, 4, 1]));
      seen = sink.vcpus();
      appendAll(sink, [], [1], 'x');
    });
    expect(seen.map((vcpu) => vcpu.slot)).toEqual([1, 2]);
    expect(log.vcpus()).toEqual(seen);
    log.close();
  });

  it('remembers which event told first', async () => {
    const log = openLogForImport(fresh(folder));
    const one = { index: 0, tid: 10, pid: -1, learnedFrom: 'a', seq: -1 };
    await log.importRun(async (sink) => {
      sink.learnVcpu({ ...one, tid: -1, learnedFrom: 'index alone', seq: 1 });
      sink.learnVcpu(one);
      expect(sink.vcpus()[0]).toEqual({ ...one, slot: 0 });
      sink.learnVcpu({ ...one, seq: 5 });
      sink.learnVcpu({ ...one, seq: 9, learnedFrom: 'b', pid: 3 });
      appendAll(sink, [], [1], 'x');
    });
    expect(log.vcpus()).toEqual([{ ...one, slot: 0, pid: 3, seq: 5 }]);
    log.close();
  });

  it('refuses more vCPUs than slots', async () => {
    const log = openLogForImport(fresh(folder));
    const run = log.importRun(async (sink) => {
      for (let tid = 0; tid <= 32768; tid++) sink.learnVcpu(fact([tid, tid, 1]));
    });
    await expect(run).rejects.toThrow('more than 32768 vCPUs');
    log.close();
  });
});
