import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.ts';
import {
  arm64RegisterName,
  checkLog,
  EventFlag,
  EventKind,
  type Log,
  type Observation,
  parseWithheld,
} from '../../src/index.ts';
import { guestReads, INCOMPLETE, logOf, ROOT, SHIPPED, TEXTS, TRACES } from './shipped.ts';

/** bench/recordings-table.mjs, which has no types. */
interface TableProgram {
  recordingsPage(
    from: typeof library,
    folders: readonly { readonly path: string; readonly ships: boolean }[],
    previous: string,
  ): Promise<string>;
}

/** Evidence taken away step by step; every step knows less than the one before. */
const LESS_AND_LESS: readonly (readonly string[])[] = [
  [],
  ['perf-reads'],
  ['perf-reads', 'hw-counts'],
  ['counts'],
  ['counts', 'placement'],
  ['counts', 'placement', 'schedule'],
];

const nameOf = (read: Observation): string => arm64RegisterName(read.code, read.space);

/** True when `inner` lies in `outer`: counters by their interval (in 64 or 32 bits), others by their known bits. */
function liesIn(inner: Observation, outer: Observation): boolean {
  if (outer.verdict === 'unknown') return true;
  if (inner.verdict === 'unknown') return false;
  if (inner.counter < 0) return (inner.unknownBits & ~outer.unknownBits) === 0n;
  return [64, 32].some(
    (width) => BigInt.asUintN(width, inner.low - outer.low) + inner.span <= outer.span,
  );
}

/** True when what was recorded is what was predicted, as far as anything was. */
function holds(read: Observation): boolean {
  const { low, span, counter, unknownBits, recorded, verdict } = read;
  if (verdict === 'unknown') return true;
  // A refused access delivers nothing; its value is what was left in the register's place.
  if (read.recordedUndef) return read.predictedUndef;
  if (counter < 0) return (low & ~unknownBits) === (recorded & ~unknownBits);
  return [64, 32].some((width) => BigInt.asUintN(width, recorded - low) <= span);
}

describe('docs/recordings.md', () => {
  it('is what bench/recordings-table.mjs makes of the shipped recordings', async () => {
    const page = readFileSync(join(ROOT, 'docs', 'recordings.md'), 'utf8');
    const program = new URL('../../bench/recordings-table.mjs', import.meta.url).href;
    const { recordingsPage } = (await import(program)) as TableProgram;
    const made = await recordingsPage(library, [{ path: TRACES, ships: true }], page);
    // Rows that differ, rather than two long pages.
    const [old, now] = [page.split('\n'), made.split('\n')];
    expect({
      gone: old.filter((line) => !now.includes(line)),
      come: now.filter((line) => !old.includes(line)),
    }).toEqual({ gone: [], come: [] });
    expect(made).toBe(page);
  }, 300_000);
});

describe.each(TEXTS)('$recording as $form', ({ recording, path }) => {
  it('is replayed under the rules of its kernel', async () => {
    const { ruleSet } = checkLog(await logOf(path));
    expect(ruleSet.name).toBe(recording.endsWith('-61') ? 'arm64-kvm-6.1' : 'arm64-kvm-6.12');
  }, 60_000);

  it('confirms every counter read, contradicts nothing, and knows every backing event', async () => {
    const { guestReads: reads, counterReads, ...rest } = checkLog(await logOf(path));
    expect(counterReads.total).toBeGreaterThan(0);
    expect(counterReads.confirmed).toBe(counterReads.total);
    expect({ contradicted: reads.contradicted, first: rest.firstContradiction }).toEqual({
      contradicted: 0,
      first: null,
    });
    expect(rest.backingEvents.confirmed).toBeGreaterThan(0);
    expect(rest.backingEvents).toMatchObject({ contradicted: 0, deviations: 0 });
    expect(rest.interruptLevels).toMatchObject({ unknown: 0, contradicted: 0 });
  }, 60_000);

  it('bounds every counter read without any recorded count', async () => {
    const log = await logOf(path);
    const full = checkLog(log);
    const blind = checkLog(log, { withheld: parseWithheld(['counts']) });
    expect(blind.guestReads.total).toBe(full.guestReads.total);
    expect(blind.guestReads.contradicted).toBe(0);
    expect(blind.backingEvents).toEqual(full.backingEvents);
    const outside = (await guestReads(log, ['counts'])).filter((read) => !holds(read));
    expect(outside).toEqual([]);
  }, 60_000);
});

describe.each([...SHIPPED].map(([recording, forms]) => ({ recording, forms })))(
  '$recording',
  ({ forms }) => {
    // S5-bare-perfz and S5-bare-pipe were recorded by perf alone.
    const raw = (forms.get('trace-raw') ?? forms.get('perf-script'))!;

    it('has the same guest reads in all its forms', async () => {
      const readsOf = async (path: string): Promise<unknown[]> =>
        (await guestReads(await logOf(path))).map((read) => ({
          vcpu: read.vcpu,
          register: nameOf(read),
          recorded: read.recorded,
          undefined: read.recordedUndef,
          verdict: read.verdict,
          low: read.low,
          span: read.span,
        }));
      const expected = await readsOf(raw);
      for (const [form, path] of forms) {
        if (form === INCOMPLETE) continue;
        expect({ form, reads: await readsOf(path) }).toEqual({ form, reads: expected });
      }
    }, 60_000);

    it('narrows what it predicts with every piece of evidence', async () => {
      const log = await logOf(raw);
      let richer: readonly Observation[] | undefined;
      for (const without of LESS_AND_LESS) {
        const poorer = await guestReads(log, without);
        expect(poorer.filter(({ verdict }) => verdict === 'contradicted')).toEqual([]);
        if (richer !== undefined) {
          expect(poorer.map(({ seq }) => seq)).toEqual(richer.map(({ seq }) => seq));
          const wider = richer.filter((read, i) => !liesIn(read, poorer[i]!));
          expect({ without, wider }).toEqual({ without, wider: [] });
        }
        richer = poorer;
      }
    }, 60_000);
  },
);

describe('perf script without --guest-code', () => {
  const rows = [...SHIPPED].flatMap(([recording, forms]) => {
    const path = forms.get(INCOMPLETE);
    return path === undefined ? [] : [{ recording, path }];
  });

  it.each(rows)('$recording: has no guest read left, and the import warns', async ({ path }) => {
    const log = await logOf(path);
    expect(checkLog(log).guestReads.total).toBe(0);
    const notices = log.imports().flatMap((row) => row.notices);
    expect(notices).toContainEqual(
      expect.objectContaining({ severity: 'warning', code: 'guest-samples-missing' }),
    );
  });
});

describe('S3-lean', () => {
  const refused = (log: Log): number => {
    let count = 0;
    for (const { length, flags } of log.chunks({ kinds: new Set([EventKind.hwAdd]) })) {
      for (let i = 0; i < length; i++) if ((flags[i]! & EventFlag.failed) !== 0) count++;
    }
    return count;
  };

  it.each([...SHIPPED.get('S3-lean')!])('has its 205 refused placements in %s', async (_, path) => {
    expect(refused(await logOf(path))).toBe(205);
  });
});
