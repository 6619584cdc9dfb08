import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/domain/event-chunk.ts';
import { EventFlag, EventKind } from '../../src/domain/event-kind.ts';
import { countBy, fixture, importText, label } from './import-text.ts';
import type { MemorySink } from './memory-sink.ts';
import { type SlowEvent, slowRead } from './slow-reader.ts';

const directory = new URL('fixtures/', import.meta.url);
const fixtures = readdirSync(directory).filter((name) => name.endsWith('.txt'));

const COLUMNS = [
  'time',
  'kind',
  'pcpu',
  'tid',
  'counter',
  'object',
  'value',
  'aux0',
  'aux1',
] as const;
const NONE = { pcpu: -1, tid: -1, counter: -1, object: 0n, value: 0n, aux0: 0n, aux1: 0n } as const;

/** What both readers must agree on; the vCPU is not the slow one's business. */
function comparable(event: Partial<Event>): unknown {
  const columns = COLUMNS.map((name) => event[name] ?? (NONE as Partial<Event>)[name]);
  const flags = (event.flags ?? 0) & ~(EventFlag.timeBack | EventFlag.vcpuAmbiguous);
  return [...columns, flags];
}

function codeOf(sink: MemorySink, event: Event): unknown {
  if (event.kind === EventKind.other) return sink.names[event.code];
  if (event.kind !== EventKind.eventCreate) return event.code;
  const attr = sink.attrs[event.code];
  if (attr === undefined) return undefined;
  const hex = (value: bigint): string => `0x${value.toString(16)}`;
  return [attr.type, hex(attr.config1), hex(attr.attrFlags), attr.cpu, attr.task].join();
}

function slowCodeOf(event: SlowEvent): unknown {
  if (event.kind === EventKind.other) return event.name;
  return event.kind === EventKind.eventCreate ? event.name.split(' ')[1] : (event.code ?? 0);
}

describe('excerpts of real recordings', () => {
  it.each(fixtures)('%s is read as the golden file says', async (name) => {
    const { sink, report, events } = await importText(fixture(name));
    const found = {
      format: report.facts?.format,
      arch: report.facts?.arch,
      timeResolution: report.facts?.timeResolution,
      events: countBy(events, (event) => label(sink, event)),
      flags: countBy(events, ({ flags }) => flags.toString(16).padStart(4, '0')),
      vcpus: sink.vcpuFacts.map(({ slot, index, tid, pid, learnedFrom, seq }) =>
        [slot, index, tid, pid, seq, learnedFrom].join(' '),
      ),
      notices: report.notices.map(({ severity, code, count, firstAt }) =>
        [severity, code, count, firstAt ?? ''].join(' '),
      ),
    };
    expect(found).toMatchSnapshot();
  });

  it.each(fixtures)('%s: every column is what a slow regular expression finds', async (name) => {
    const bytes = fixture(name);
    const { sink, events } = await importText(bytes);
    const format = name.includes('perf-script') ? 'perf' : 'ftrace';
    const slow = slowRead(new TextDecoder('latin1').decode(bytes), format);
    const fast = events.filter(({ kind }) => kind !== EventKind.lost);
    expect(fast.map(comparable)).toEqual(slow.map(comparable));
    expect(fast.map((event) => codeOf(sink, event))).toEqual(slow.map(slowCodeOf));
  });

  it.each(['arm64-6.12', 'arm64-6.1', 'x86-6.12', 'x86-6.12-msrs'])(
    '%s: all printed forms give the same accesses of guest registers',
    async (recording) => {
      const forms = fixtures.filter(
        (name) => name.startsWith(`${recording}.`) && !/default|lossy/.test(name),
      );
      expect(forms.length).toBeGreaterThanOrEqual(2);
      const sequences = await Promise.all(
        forms.map(async (name) => {
          const { events } = await importText(fixture(name));
          return events
            .filter(({ kind }) => kind === EventKind.read || kind === EventKind.write)
            .map(({ kind, vcpu, code, flags, value }) => [kind, vcpu, code, flags, value]);
        }),
      );
      expect(sequences[0]!.length).toBeGreaterThan(9);
      for (const sequence of sequences) expect(sequence).toEqual(sequences[0]);
    },
  );
});
