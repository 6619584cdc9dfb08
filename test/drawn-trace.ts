import { parseArm64Register } from '../src/arch/arm64-registers.ts';
import { allocateChunk, type Event, setEvent } from '../src/domain/event-chunk.ts';
import { EventFlag, EventKind, RegisterSpace, spaceFlags } from '../src/domain/event-kind.ts';
import type { PerfEventAttr, RecordingFacts, VcpuFact } from '../src/domain/log-facts.ts';
import type {
  CheckpointStore,
  Cursor,
  ReplayCheckpoint,
  ReplayChunk,
} from '../src/replay/replay.ts';
import type { ReplayLog } from '../src/replay/replay-log.ts';

/**
 * Traces drawn as text, one event a line:
 *
 *     TIME  v0  VERB …          # time like 10, 10us, 2ms (ns without a unit); `+5` after the line before
 *
 * reset | enter | exit | in | out | irq LEVEL | lost [N]
 * write REG VALUE | read REG = VALUE     the whole access: tracepoint, handler entry, handler return
 * write! REG VALUE | read! REG           refused (UNDEF)
 * trap read REG | trap write REG         only the tracepoint; `entry write REG VALUE` only the handler entry
 * done read REG = VALUE | done write REG VALUE   only the handler return
 * create C eN config=X period=P [wide] [disabled] [failed]
 * enable eN [STATE] [COUNT] | disable … | release … | count eN VALUE [STATE] (event-read)
 * update eN COUNT (hw-update) | place eN [ERROR] | take eN | overflow C eN COUNT
 * get C VALUE [own]                      counter computed on another thread (userspace), or its own
 * stat NAME COUNT LENGTH                 a perf stat interval that ends at TIME
 *
 * Several events at one time: the same TIME again. `eN` is an event's address: 0xe0N0.
 */
export interface Drawing {
  readonly events: readonly Partial<Event>[];
  readonly vcpus: readonly VcpuFact[];
  readonly attrs: readonly PerfEventAttr[];
  readonly names: readonly string[];
}

const TID = 100;
const UNITS: Record<string, bigint> = { '': 1n, ns: 1n, us: 1000n, ms: 1000000n, s: 1000000000n };

function register(name: string): number {
  const found = parseArm64Register(name)?.find((r) => r.space === RegisterSpace.sysreg);
  if (found === undefined) throw new Error(`drawn trace: no register ${name}`);
  return found.code;
}

const pointer = (name: string): bigint => 0xe000n + BigInt(name.slice(1)) * 16n;

/** Parses a drawing; throws on a line it does not understand. */
export function draw(text: string): Drawing {
  const events: Partial<Event>[] = [];
  const attrs: PerfEventAttr[] = [{ type: 0, config1: 0n, attrFlags: 0n, cpu: -1, task: -1 }];
  const names = [''];
  const slots = new Set<number>();
  const configs = new Map<string, bigint>();
  let time = 0n;
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim();
    if (line === '') continue;
    const words = line.split(/\s+/);
    const at = /^(\+?)(\d+)(ns|us|ms|s)?$/.exec(words[0]!);
    const who = /^v(\d+)$/.exec(words[1]!);
    if (at === null || who === null) throw new Error(`drawn trace: ${raw}`);
    const ns = BigInt(at[2]!) * UNITS[at[3] ?? '']!;
    time = at[1] === '+' ? time + ns : ns;
    const vcpu = Number(who[1]);
    slots.add(vcpu);
    const tid = TID + vcpu;
    const base = { time, vcpu, tid, pcpu: 0, source: 1 };
    const add = (event: Partial<Event>): void => {
      events.push({ ...base, ...event });
    };
    const [verb = '', a = '', b = '', c = ''] = words.slice(2);
    const sys = spaceFlags(RegisterSpace.sysreg);
    const access = (
      write: boolean,
      name: string,
      value: bigint,
      parts: readonly ('trap' | 'entry' | 'done')[],
      failed = false,
    ): void => {
      const code = register(name);
      const kind = write ? EventKind.write : EventKind.read;
      for (const part of parts) {
        if (part === 'trap') add({ kind, code, flags: sys | EventFlag.trap | EventFlag.noValue });
        else if (part === 'entry') {
          add({
            kind,
            code,
            flags: sys | EventFlag.entry | (write ? 0 : EventFlag.noValue),
            value: write ? value : 0n,
          });
        } else add({ kind, code, flags: sys | (failed ? EventFlag.failed : 0), value });
      }
    };
    const whole = ['trap', 'entry', 'done'] as const;
    const withState = (kind: EventKind, state: string, count: string): void => {
      const known = state !== '';
      add({
        kind,
        object: pointer(a),
        value: count === '' ? 0n : BigInt(count),
        code: known ? Number(state) >>> 0 : 0,
        flags: known ? EventFlag.stateKnown : 0,
      });
    };
    switch (verb) {
      case 'reset':
        add({ kind: EventKind.vcpuReset });
        break;
      case 'enter':
        add({ kind: EventKind.guestEnter });
        break;
      case 'exit':
        add({ kind: EventKind.guestExit });
        break;
      case 'in':
        add({ kind: EventKind.schedSwitch, tid: 1, vcpu: -1, value: BigInt(tid) });
        break;
      case 'out':
        add({ kind: EventKind.schedSwitch, value: 1n });
        break;
      case 'irq':
        add({ kind: EventKind.irqLevel, code: 23, value: BigInt(a) });
        break;
      case 'lost':
        add({ kind: EventKind.lost, vcpu: -1, tid: -1, value: BigInt(a === '' ? 0 : a) });
        break;
      case 'write':
        access(true, a, BigInt(b), whole);
        break;
      case 'write!':
        access(true, a, BigInt(b), whole, true);
        break;
      case 'read':
        access(false, a, BigInt(c), whole);
        break;
      case 'read!':
        access(false, a, 0n, whole, true);
        break;
      case 'trap':
        access(a === 'write', b, 0n, ['trap']);
        break;
      case 'entry':
        access(a === 'write', b, BigInt(c === '' ? 0 : c), ['entry']);
        break;
      case 'done':
        access(a === 'write', b, BigInt(a === 'write' ? c : words[6]!), ['done']);
        break;
      case 'create': {
        const options = new Map<string, string>(
          words.slice(5).map((word): [string, string] => {
            const [key = '', value = '0'] = word.split('=');
            return [key, value];
          }),
        );
        attrs.push({
          type: 8,
          config1: options.has('wide') ? 1n : 0n,
          attrFlags: options.has('disabled') ? 0x80045n : 0x80044n,
          cpu: -1,
          task: tid,
        });
        configs.set(b, BigInt(options.get('config') ?? 0));
        add({
          kind: EventKind.eventCreate,
          counter: Number(a),
          object: pointer(b),
          code: attrs.length - 1,
          value: BigInt(options.get('period') ?? 0),
          aux0: configs.get(b)!,
          flags: options.has('failed') ? EventFlag.failed : 0,
        });
        break;
      }
      case 'enable':
        withState(EventKind.eventEnable, b, c);
        break;
      case 'disable':
        withState(EventKind.eventDisable, b, c);
        break;
      case 'release':
        withState(EventKind.eventRelease, b, c);
        break;
      case 'count':
        withState(EventKind.eventRead, c, b);
        break;
      case 'update':
        add({
          kind: EventKind.hwUpdate,
          object: pointer(a),
          value: BigInt(b),
          aux0: configs.get(a) ?? BigInt(c === '' ? 0 : c),
        });
        break;
      case 'place':
        add({
          kind: EventKind.hwAdd,
          object: pointer(a),
          code: Number(b === '' ? 0 : b) >>> 0,
          aux0: configs.get(a) ?? BigInt(c === '' ? 0 : c),
          flags: b === '' || b === '0' ? 0 : EventFlag.failed,
        });
        break;
      case 'take':
        add({ kind: EventKind.hwDel, object: pointer(a), value: BigInt(b === '' ? 0 : b) });
        break;
      case 'overflow':
        add({
          kind: EventKind.eventOverflow,
          counter: Number(a),
          object: pointer(b),
          value: BigInt(c),
        });
        break;
      case 'get':
        add({
          kind: EventKind.counterGet,
          counter: Number(a),
          value: BigInt(b),
          ...(c === 'own' ? {} : { tid: 99 }),
        });
        break;
      case 'stat':
        names.push(a);
        add({
          kind: EventKind.count,
          vcpu: -1,
          tid: -1,
          code: names.length - 1,
          value: BigInt(b),
          object: BigInt(c),
        });
        break;
      default:
        throw new Error(`drawn trace: ${raw}`);
    }
  }
  const vcpus = Array.from({ length: Math.max(-1, ...slots) + 1 }, (_, slot) => ({
    slot,
    index: slot,
    tid: TID + slot,
    pid: -1,
    learnedFrom: 'drawn',
    seq: 1,
  }));
  return { events, vcpus, attrs, names };
}

/** A log in memory: what replay and diagnosis see of one, with any chunk size. */
export class MemoryLog implements ReplayLog {
  readonly checkpointsSaved = new Map<string, ReplayCheckpoint[]>();
  private readonly events: readonly Partial<Event>[];
  private readonly drawing: Drawing;
  private readonly chunkSize: number;
  private readonly recording: RecordingFacts;

  constructor(drawing: Drawing, chunkSize = 4096, facts: Partial<RecordingFacts> = {}) {
    this.drawing = drawing;
    this.events = drawing.events.map((event, i) => ({ ...event, seq: i + 1 }));
    this.chunkSize = chunkSize;
    this.recording = { name: 'drawn', format: 'drawn', role: 'host', timeResolution: 1, ...facts };
  }
  get eventCount(): number {
    return this.events.length;
  }
  get firstTime(): bigint | undefined {
    return this.events[0]?.time;
  }
  get lastTime(): bigint | undefined {
    return this.events.at(-1)?.time;
  }
  kindCounts(): ReadonlyMap<EventKind, number> {
    const counts = new Map<EventKind, number>();
    for (const { kind } of this.events) counts.set(kind!, (counts.get(kind!) ?? 0) + 1);
    return counts;
  }
  imports(): readonly { readonly source: number; readonly facts: RecordingFacts }[] {
    return [{ source: 1, facts: this.recording }];
  }
  vcpus(): readonly VcpuFact[] {
    return this.drawing.vcpus;
  }
  attr(id: number): PerfEventAttr | undefined {
    return this.drawing.attrs[id];
  }
  name(id: number): string {
    return this.drawing.names[id] ?? '';
  }
  *chunks(
    range: { readonly after?: Cursor; readonly kinds?: ReadonlySet<EventKind> } = {},
  ): Iterable<ReplayChunk> {
    const from = range.after?.[0] ?? 0;
    const wanted = this.events
      .slice(from)
      .filter((event) => range.kinds === undefined || range.kinds.has(event.kind!));
    for (let at = 0; at < wanted.length; at += this.chunkSize) {
      const part = wanted.slice(at, at + this.chunkSize);
      const chunk = allocateChunk(part.length);
      part.forEach((event, i) => {
        setEvent(chunk, i, event);
      });
      chunk.length = part.length;
      yield { ...chunk, cursor: [part.at(-1)!.seq!] };
    }
  }
  checkpoints(key: string): CheckpointStore {
    const saved = this.checkpointsSaved.get(key) ?? [];
    this.checkpointsSaved.set(key, saved);
    return {
      nearest: (limit) =>
        saved.findLast((checkpoint) =>
          'time' in limit ? checkpoint.time <= limit.time : checkpoint.time < limit.before,
        ),
      save: (checkpoint) => {
        saved.push(checkpoint);
        saved.sort((x, y) => x.ordinal - y.ordinal);
      },
    };
  }
  timeOf(seq: number): bigint | undefined {
    return this.events[seq - 1]?.time;
  }
  eventsBefore(seq: number, count: number): readonly Event[] {
    return this.events.slice(Math.max(0, seq - 1 - count), seq - 1) as Event[];
  }
}
