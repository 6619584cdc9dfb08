import { describe, expect, it } from 'vitest';
import { TimeQueue } from '../../../src/import/perf-data/time-queue.ts';

/** Reproducible numbers. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
}

function drain(queue: TimeQueue, limit = 0xffffffff, limitHigh = 0xffffffff): number[] {
  const taken: number[] = [];
  while (queue.take(limit, limitHigh)) taken.push(queue.address);
  queue.endTaking();
  return taken;
}

/** Addresses in order of time, equal times in order of arrival. */
function sorted(times: readonly number[], from = 0): number[] {
  return times
    .map((time, address) => ({ time, address: address + from }))
    .sort((a, b) => a.time - b.time || a.address - b.address)
    .map(({ address }) => address);
}

describe('TimeQueue', () => {
  it.each([
    ['random', (_: number, r: (below: number) => number) => r(50)],
    ['falling', (n: number) => 100_000 - n],
    ['nearly rising', (n: number, r: (below: number) => number) => n * 10 + r(200)],
    ['of four CPUs', (n: number, r: (below: number) => number) => (n % 500) * 100 + r(150)],
    ['equal', () => 7],
  ])('puts %s times into order, stably', (_, time) => {
    for (let seed = 1; seed <= 20; seed++) {
      const r = random(seed);
      const queue = new TimeQueue('recording');
      const times = Array.from({ length: 2000 }, (_, n) => time(n, r));
      times.forEach((t, address) => {
        queue.push(t, 3, address);
      });
      expect(drain(queue)).toEqual(sorted(times));
      expect(queue.size).toBe(0);
    }
  });

  it('compares both halves of a time', () => {
    const queue = new TimeQueue('recording');
    queue.push(1, 2, 0);
    queue.push(0xffffffff, 1, 1);
    queue.push(5, 0, 2);
    expect(drain(queue, 0, 2)).toEqual([2, 1]);
    expect(drain(queue)).toEqual([0]);
  });

  it('keeps what is later than the limit, in order with what comes after', () => {
    const r = random(5);
    const queue = new TimeQueue('recording');
    const times: number[] = [];
    const taken: number[] = [];
    const expected: number[] = [];
    let held: { time: number; address: number }[] = [];
    for (let round = 0; round < 30; round++) {
      for (let n = 0; n < 300; n++) {
        const time = round * 100 + r(250);
        held.push({ time, address: times.length });
        queue.push(time, 0, times.length);
        times.push(time);
      }
      const limit = round * 100 - 1;
      held.sort((a, b) => a.time - b.time || a.address - b.address);
      expected.push(...held.filter(({ time }) => time <= limit).map(({ address }) => address));
      held = held.filter(({ time }) => time > limit);
      taken.push(...drain(queue, Math.max(0, limit), 0));
    }
    taken.push(...drain(queue));
    expected.push(...held.map(({ address }) => address));
    expect(taken).toEqual(expected);
  });

  it('sorts more than it holds in memory', () => {
    const queue = new TimeQueue('recording');
    const total = 2_300_000;
    const r = random(9);
    const times = new Uint32Array(total);
    for (let n = 0; n < total; n++) {
      // Two CPUs, each in stretches, each nearly in order.
      times[n] = Math.floor(n / 200_000) * 100_000 + (n % 100_000) + r(8);
      queue.push(times[n]!, 0, n);
    }
    let last = -1;
    let lastAddress = -1;
    let count = 0;
    let wrong = 0;
    while (queue.take(1_000_000, 0)) {
      const time = queue.timeLow;
      if (time !== times[queue.address]) wrong++;
      if (time < last || (time === last && queue.address < lastAddress)) wrong++;
      last = time;
      lastAddress = queue.address;
      count++;
    }
    queue.endTaking();
    expect(wrong).toBe(0);
    queue.push(1_000_001, 0, total);
    while (queue.take(0xffffffff, 0)) {
      if (queue.timeLow < last) wrong++;
      last = queue.timeLow;
      count++;
    }
    expect([wrong, count]).toEqual([0, total + 1]);
    queue.close();
  });
});
