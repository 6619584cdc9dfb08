import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { x86MsrName } from '../../src/arch/x86-msrs.ts';
import { allocateChunk, setEvent } from '../../src/domain/event-chunk.ts';
import { EventKind, RegisterSpace } from '../../src/domain/event-kind.ts';
import { ZstdDecoder } from '../../src/import/zstd.ts';
import { checkLog, type Observation, parseWithheld, replayTo } from '../../src/index.ts';
import { createReplayer } from '../../src/replay/create-replayer.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import { guestReads, logOf, TRACES } from './shipped.ts';

const FORM = /\.(?:txt|data|dat)(?:\.zst)?$/;
const NO_RECORDING = /^(?:guest-console|kprobe_events)\./;

/** Every form of every shipped recording of an x86 host. */
const FORMS = readdirSync(TRACES)
  .filter((name) => name.startsWith('X'))
  .flatMap((recording) =>
    readdirSync(join(TRACES, recording))
      .filter((file) => FORM.test(file) && !NO_RECORDING.test(file))
      .map((file) => ({ recording, file, path: join(TRACES, recording, file) })),
  );

/** RDPMC is recorded (by a probe) in these. */
const PROBED = new Set(['X1-blob-counters', 'X9b-event-filter']);

interface Access {
  readonly register: string;
  readonly value: bigint | '#GP';
}

/** The reads a guest printed, in order. */
function printed(recording: string): Access[] {
  const text = readFileSync(join(TRACES, recording, 'guest-console.txt'), 'utf8');
  return [...text.matchAll(/\| (rdmsr|rdpmc) (0x[0-9a-f]+) (?:-> (0x[0-9a-f]+)|#GP)/g)].map(
    ([, way, code, value]) => ({
      register: `${way} ${code}`,
      value: value === undefined ? '#GP' : BigInt(value),
    }),
  );
}

const recordedAccess = (read: Observation): Access => ({
  register: `${read.space === RegisterSpace.rdpmc ? 'rdpmc' : 'rdmsr'} 0x${read.code.toString(16)}`,
  value: read.recordedUndef ? '#GP' : read.recorded,
});

/** True when `wanted` is in `all`, in this order, perhaps with others in between. */
function contains(all: readonly Access[], wanted: readonly Access[]): boolean {
  let next = 0;
  for (const { register, value } of all) {
    const want = wanted[next];
    if (want !== undefined && want.register === register && want.value === value) next++;
  }
  return next === wanted.length;
}

describe.each(FORMS)('$recording as $file', ({ recording, path }) => {
  it('is replayed under the rules of its kernel', async () => {
    const { ruleSet } = checkLog(await logOf(path));
    expect(ruleSet.name).toBe(recording.includes('6.1') ? 'x86-kvm-6.1' : 'x86-kvm-6.12');
  });

  it('confirms every read, predicts every fault and no other', async () => {
    const { guestReads: reads, ...rest } = checkLog(await logOf(path));
    expect(reads.total).toBeGreaterThan(15);
    expect({ ...reads, first: rest.firstContradiction }).toEqual({
      total: reads.total,
      confirmed: reads.total,
      bounded: 0,
      unknown: 0,
      contradicted: 0,
      first: null,
    });
    expect(rest.backingEvents).toMatchObject({ contradicted: 0, deviations: 0 });
    if (PROBED.has(recording)) expect(rest.backingEvents.confirmed).toBeGreaterThan(1);
  });

  it('holds the reads the guest printed', async () => {
    const probed = PROBED.has(recording);
    const wanted = printed(recording).filter(
      ({ register }) => probed || register.startsWith('rdmsr'),
    );
    expect(wanted.length).toBeGreaterThan(4);
    const reads = (await guestReads(await logOf(path))).map(recordedAccess);
    expect(contains(reads, wanted)).toBe(true);
  });

  it('holds, right after a guest read, the value that was read', async () => {
    const log = await logOf(path);
    for (const { seq, counter, code, recorded, recordedUndef } of await guestReads(log)) {
      if (counter < 0 || recordedUndef || x86MsrName(code)?.includes('CTL') === true) continue;
      const { counters } = replayTo(log, { kind: 'seq', seq }).vcpus[0]!;
      const held = counters.find((other) => other.counter === counter)!;
      expect([seq, held.certainty, held.low]).toEqual([seq, 'exact', recorded]);
    }
  }, 60_000);

  it.each([
    [['event-read', 'event-pause']],
    [['event-read', 'event-pause', 'host-rdpmc', 'host-rdmsr', 'host-wrmsr']],
    [['event-read', 'event-pause', 'event-create', 'host-rdpmc', 'host-rdmsr', 'host-wrmsr']],
    [['schedule', 'event-read', 'event-pause', 'host-rdpmc', 'host-rdmsr', 'host-wrmsr']],
  ])('contradicts nothing without %s', async (without) => {
    const { guestReads: reads } = checkLog(await logOf(path), {
      withheld: parseWithheld(without),
    });
    expect(reads.contradicted).toBe(0);
  });

  it.each([1, 2, 3, 4, 5])(
    'contradicts nothing that begins late or loses records (%s)',
    async (n) => {
      const log = await logOf(path);
      const { config, source } = prepareReplay(log);
      const cut = Math.floor((log.eventCount * n) / 5.7);
      const late = createReplayer(config);
      const lossy = createReplayer(config);
      const wrong: Observation[] = [];
      const take = (read: Observation): void => {
        if (read.verdict === 'contradicted') wrong.push(read);
      };
      const lost = allocateChunk(1);
      lost.length = 1;
      let at = 0;
      for (const chunk of source.chunks({})) {
        for (let i = 0; i < chunk.length; i++, at++) {
          if (at === cut) {
            setEvent(lost, 0, { kind: EventKind.lost, time: chunk.time[i]!, seq: chunk.seq[i]! });
            lossy.apply(lost, 0, 1, take);
          }
          if (at >= cut) late.apply(chunk, i, i + 1, take);
          if (at < cut || at >= cut + 150) lossy.apply(chunk, i, i + 1, take);
        }
      }
      expect(wrong).toEqual([]);
    },
  );

  it('goes on from a snapshot as if it had never stopped', async () => {
    const { config, source } = prepareReplay(await logOf(path));
    const whole = createReplayer(config);
    let parts = createReplayer(config);
    for (const chunk of source.chunks({})) {
      const seen: Observation[] = [];
      const again: Observation[] = [];
      // Chunks are split where a multiple of nothing in particular lies.
      for (let from = 0; from < chunk.length; from += 397) {
        const to = Math.min(chunk.length, from + 397);
        whole.apply(chunk, from, to, (read) => seen.push(read));
        const next = createReplayer(config);
        next.restore(parts.snapshot());
        parts = next;
        parts.apply(chunk, from, to, (read) => again.push(read));
      }
      expect(again).toEqual(seen);
    }
    expect(parts.snapshot()).toEqual(whole.snapshot());
  });
});

describe('X9b-event-filter with one count changed', () => {
  it('contradicts the read, and says where', async () => {
    const path = join(TRACES, 'X9b-event-filter', 'perf-script.txt.zst');
    const bytes = [...(await ZstdDecoder.create(path)).push(new Uint8Array(readFileSync(path)))];
    const text = Buffer.concat(bytes).toString('latin1');
    const wrong = text.replace('val=3005265', 'val=3005266');
    expect(wrong).not.toBe(text);
    const folder = mkdtempSync(join(tmpdir(), 'vpmu-x86-'));
    try {
      const file = join(folder, 'changed.txt');
      writeFileSync(file, wrong);
      const { guestReads: reads, firstContradiction } = checkLog(await logOf(file));
      expect(reads.contradicted).toBeGreaterThan(0);
      expect(firstContradiction!.observation).toMatchObject({
        space: RegisterSpace.rdpmc,
        code: 1,
        low: 3_005_265n,
        span: 0n,
        recorded: 3_005_266n,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('an event filter', () => {
  it('is found by what KVM never asks of perf', async () => {
    for (const { recording, path } of FORMS) {
      const { config } = prepareReplay(await logOf(path));
      if (config.arch !== 'x86') throw new Error('x86');
      expect({ recording, denied: config.facts.deniedEvents }).toEqual({
        recording,
        denied: recording === 'X9b-event-filter' ? [0xc0] : [],
      });
    }
  });
});
