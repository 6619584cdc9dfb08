// Two forms of one recording, record by record: what one has that the other has not. Part of recordings-table.mjs.
import { compare, count } from './recordings-page.mjs';

/** Only looking at records this far inside what two recorders share: each stamps the same record by itself. */
const MARGIN_NS = 50_000n;

/** What of a recording can be compared with another form of it. */
export function readRecords(library, log, texts) {
  const { EventFlag, EventKind, KIND_SPECS } = library;
  const threads = new Set(log.vcpus().map(({ tid }) => tid));
  const attrs = new Map();
  const attr = (id) => {
    if (!attrs.has(id)) attrs.set(id, Object.values(log.attr(id) ?? {}).join(' '));
    return attrs.get(id);
  };
  const own = [];
  const others = [];
  let owned = 0;
  let hwAdds = 0;
  for (const chunk of log.chunks()) {
    for (let i = 0; i < chunk.length; i++) {
      const time = chunk.time[i];
      if (!threads.has(chunk.tid[i])) {
        others.push(time);
        continue;
      }
      owned++;
      const kind = chunk.kind[i];
      if (kind === EventKind.hwAdd) hwAdds++;
      if (kind === EventKind.hwAdd || !texts) continue;
      // What one recorder prints otherwise or not at all (see "Print") is no difference between the records.
      let flags = chunk.flags[i] & ~(EventFlag.preempted | EventFlag.timeBack);
      if (kind === EventKind.userspaceExit) flags &= ~EventFlag.failed;
      if (kind === EventKind.halt) {
        own.push({ time, text: `${kind} ${chunk.tid[i]}` });
        continue;
      }
      const { code } = KIND_SPECS[kind];
      const id = chunk.code[i];
      const what = code === 'name' ? log.name(id) : code === 'attr' ? attr(id) : id;
      const { pcpu, vcpu, tid, counter, object, value, aux0, aux1 } = chunk;
      const text = [kind, what, flags, pcpu[i], vcpu[i], tid[i], counter[i], object[i], value[i]];
      own.push({ time, text: `${text.join(' ')} ${aux0[i]} ${aux1[i]}` });
    }
  }
  return {
    events: log.eventCount,
    first: log.firstTime,
    last: log.lastTime,
    owned,
    own,
    others,
    hwAdds,
  };
}

/** The cells of a form: what it holds, and against the reference form, if there is one, what is different. */
export function compareForms(records, reference) {
  const { events, first, last, owned, own, others, hwAdds } = records;
  const cells = [seconds(first), seconds(last), count(events), count(owned)];
  if (reference === undefined) return [...cells, ...Array(6).fill('–')];
  const [reads, expected] = [records.reads.map(readText), reference.reads.map(readText)];
  const same = reads.length === expected.length && reads.every((text, i) => text === expected[i]);
  const { less, more, laterNs } = align(reference.own, own);
  const moved = reference.own.filter(({ text }, i) => own[i]?.text !== text).length;
  const from = maximum(first, reference.first) + MARGIN_NS;
  const to = minimum(last, reference.last) - MARGIN_NS;
  const shared = (times) => times.filter((time) => time >= from && time <= to).length;
  return [
    ...cells,
    same ? 'the same' : 'different',
    count(reference.hwAdds - hwAdds),
    `${count(less)} / ${count(more)}`,
    less + more === 0 ? count(moved) : '–',
    laterNs === undefined ? '–' : (Number(laterNs) / 1000).toFixed(1),
    `${count(shared(others))} of ${count(shared(reference.others))}`,
  ];
}

/** A guest read without its place in the log. */
function readText({ vcpu, space, code, verdict, recorded, recordedUndef, low, span, unknownBits }) {
  return [vcpu, space, code, verdict, recorded, recordedUndef, low, span, unknownBits].join(' ');
}

/** Pairs equal records, the first with the first: how many have no partner, and the median of how much later a partner is. */
function align(reference, own) {
  const waiting = new Map();
  for (const { text, time } of own) {
    const times = waiting.get(text);
    if (times === undefined) waiting.set(text, { times: [time], next: 0 });
    else times.times.push(time);
  }
  let less = 0;
  const later = [];
  for (const { text, time } of reference) {
    const partner = waiting.get(text);
    if (partner === undefined || partner.next === partner.times.length) less++;
    else later.push(partner.times[partner.next++] - time);
  }
  later.sort(compare);
  return { less, more: own.length - later.length, laterNs: later[later.length >> 1] };
}

const minimum = (a, b) => (a < b ? a : b);
const maximum = (a, b) => (a > b ? a : b);
const seconds = (ns) =>
  `${ns / 10n ** 9n}.${((ns % 10n ** 9n) / 1000n).toString().padStart(6, '0')}`;
