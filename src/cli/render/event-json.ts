import { registerSpace } from '../../domain/event-kind.ts';
import {
  FLAG_NAMES,
  KIND_MEMBERS,
  NO_VALUE,
  SPACE_BITS,
  SPACES,
} from '../../import/jsonl/members.ts';
import { type Event, EventFlag } from '../../index.ts';
import { type EventWords, registerName } from './event-text.ts';

/** A JSON value before it becomes text; a bigint becomes a string of digits. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [member: string]: Json };

/**
 * An event for programs: `seq`, then the members of vpmu-events/1 (docs/formats.md) under the same names, and the words
 * behind the numbers (`register`, `thread`).
 */
export function eventJson(event: Event, words: EventWords): { readonly [member: string]: Json } {
  const { kind, code, register, payload } = KIND_MEMBERS[event.kind]!;
  const json: Record<string, Json> = {
    seq: event.seq,
    time: event.time,
    source: event.source,
    kind,
    pcpu: known(event.pcpu),
    vcpu: known(event.vcpu),
    tid: known(event.tid),
    thread: words.threadName(event.tid) ?? null,
  };
  if (event.counter >= 0) json['counter'] = event.counter;
  if (register) {
    json['register'] = registerName(event.code, event.flags);
    json['code'] = event.code;
    json['space'] = SPACES[registerSpace(event.flags)];
  } else if (code.declared) {
    json[code.member] = codeJson(event, code.form, words);
  }
  for (const { column, member, declared } of payload) {
    if (!declared) continue;
    json[member] = column === 'value' && (event.flags & NO_VALUE) !== 0 ? null : event[column];
  }
  const shown = register ? event.flags & ~SPACE_BITS : event.flags;
  json['flags'] = FLAG_NAMES.filter(({ bit }) => (shown & bit) !== 0).map(({ name }) => name);
  return json;
}

function known(n: number): number | null {
  return n < 0 ? null : n;
}

function codeJson(
  event: Event,
  form: (typeof KIND_MEMBERS)[number]['code']['form'],
  words: EventWords,
): Json {
  switch (form) {
    case 'name':
      return words.name(event.code);
    case 'attr': {
      const attr = words.attr(event.code);
      return attr === undefined ? null : { ...attr };
    }
    case 'signed':
      return (event.flags & EventFlag.entry) === 0 ? event.code | 0 : null;
    case 'unsigned':
      return event.code;
  }
}
