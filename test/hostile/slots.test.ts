import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkLog } from '../../src/diagnose/check-log.ts';
import { diffLog } from '../../src/diagnose/diff-log.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { replayTo } from '../../src/replay/replay-to.ts';
import { fixture, importBytes, temporaryFolder } from './survive.ts';

const folder = temporaryFolder();

/** The recording with its one vCPU called number `index`: what is left of a VM whose other vCPUs were idle. */
function asVcpu(index: number): Uint8Array {
  const text = Buffer.from(fixture('arm64-6.12.tracefs.txt')).toString();
  return Buffer.from(
    text.replaceAll('CPU 0/KVM', `CPU ${index}/KVM`).replaceAll(/vcpu=0\b/g, `vcpu=${index}`),
  );
}

/** What a log says of its one vCPU, without its number. */
function answers(log: Log) {
  const { guestReads, counterReads, backingEvents, unrecordedWrites } = checkLog(log);
  const state = replayTo(log, { kind: 'end' }).vcpus.map(({ vcpu, slot, ...rest }) => rest);
  const rows = diffLog(log).rows.map(({ vcpu, ...rest }) => rest);
  return { guestReads, counterReads, backingEvents, unrecordedWrites, state, rows };
}

async function answersOf(index: number) {
  const path = join(folder, `vcpu${index}.vpmu`);
  await importBytes(path, asVcpu(index));
  const log = openLog(path);
  try {
    return answers(log);
  } finally {
    log.close();
  }
}

describe('a vCPU is the same whatever its number', () => {
  it.each([1, 3, 511])('vCPU %i alone', async (index) => {
    const first = await answersOf(0);
    expect(first.counterReads.confirmed).toBeGreaterThan(0);
    expect(await answersOf(index)).toEqual(first);
  });
});
