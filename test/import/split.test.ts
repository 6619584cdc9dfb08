import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tracepointRules } from '../../src/arch/tracepoints.ts';
import { type Event, eventAt } from '../../src/domain/event-chunk.ts';
import type { ImportContext, StreamImporter } from '../../src/import/importer.ts';
import { RowWriter } from '../../src/import/row-writer.ts';
import { traceCmdReport, tracefs } from '../../src/import/text/ftrace-text.ts';
import { perfScript } from '../../src/import/text/perf-script.ts';
import { VcpuTable } from '../../src/import/vcpus.ts';
import { fixture } from './import-text.ts';
import { NullSink } from './memory-sink.ts';

/** Everything a reader gives for the bytes cut at `cuts`, each piece being overwritten after it was pushed. */
function read(importer: StreamImporter, bytes: Uint8Array, cuts: readonly number[]): unknown {
  const events: Event[] = [];
  const sink = new NullSink();
  const vcpus = new VcpuTable(sink);
  const out = new RowWriter(
    () => 0,
    (chunk) => {
      for (let i = 0; i < chunk.length; i++) events.push(eventAt(chunk, i));
      return chunk;
    },
  );
  const context: ImportContext = {
    name: 'x',
    role: undefined,
    source: 0,
    furtherSource: () => 0,
    findDigest: () => undefined,
    statStart: undefined,
    out,
    rules: tracepointRules(),
    nameId: (text) => sink.nameId(text),
    attrId: (attr) => sink.attrId(attr),
    threadName: (tid, name) => sink.threadName(tid, name),
    learnVcpu: (index, tid, pid, from) => vcpus.learn(index, tid, pid, from).slot,
    slotOfThread: (tid) => vcpus.slotOfThread(tid),
    slotOfIndex: (index, pid) => vcpus.slotOfIndex(index, pid, ''),
  };
  const reader = importer.open(context);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = Buffer.from(bytes.slice(from, cut));
    reader.push(piece);
    // Digits after the end are what would show a look beyond it.
    piece.fill(0x37);
    from = cut;
  }
  reader.end();
  out.flush();
  return [events, sink.names, sink.attrs, [...sink.threads], reader.facts(), reader.notices()];
}

const cases: readonly (readonly [string, StreamImporter])[] = [
  ['arm64-6.12.perf-script.txt', perfScript],
  ['arm64-6.1.tracefs.txt', tracefs],
  ['arm64-6.12.tracefs-lossy.txt', tracefs],
  ['x86-6.12.trace-cmd-report.txt', traceCmdReport],
];

describe('splitting the bytes', () => {
  it.each(cases)('%s gives the same however it is cut', (name, importer) => {
    const bytes = new Uint8Array(fixture(name));
    const whole = read(importer, bytes, []);
    expect(read(importer, bytes, [...bytes.keys()].slice(1))).toEqual(whole);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        expect(
          read(
            importer,
            bytes,
            cuts.toSorted((a, b) => a - b),
          ),
        ).toEqual(whole);
      }),
      { numRuns: 25 },
    );
  });

  it('does not take damaged lines differently either', () => {
    const line =
      '       CPU 0/KVM   281 [000]    16.443097:  vpmu:set_counter: (ffff) vcpu=0 idx=1 val=0x5';
    const cut = [line.slice(0, 44), line.slice(0, 55), line.slice(0, -1), `${line}\0`];
    const text = [
      line,
      line,
      ...cut.flatMap((short) => [short, line]),
      '',
      '   1 [',
      line,
      '',
    ].join('\n');
    const bytes = new TextEncoder().encode(text);
    const whole = read(perfScript, bytes, []);
    expect(read(perfScript, bytes, [...bytes.keys()].slice(1))).toEqual(whole);
    for (let at = 1; at < bytes.length; at += 3) {
      expect(read(perfScript, bytes, [at])).toEqual(whole);
    }
  });
});
