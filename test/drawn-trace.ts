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
import { attrFlags, DRAWN_SOURCE, drawMore, exitCode, optionsOf, pointer } from './drawn-verbs.ts';

/**
 * Traces drawn as text, one event a line:
 *
 *     TIME  v0  VERB …          # time like 10, 10us, 2ms (ns without a unit); `+5` after the line before
 *
 * The vCPU may be followed by the physical CPU it is on: `v0 cpu3 enter`.
 *
 * reset | enter | exit [REASON] | in | out [S] | irq LEVEL | lost [N]     REASON as the kernel prints it: CPUID, msr, IRQ, WFx; `out S` goes to sleep
 * write REG VALUE | read REG = VALUE     the whole access: tracepoint, handler entry, handler return
 * write! REG VALUE | read! REG           refused (UNDEF)
 * trap read REG | trap write REG         only the tracepoint; `entry write REG VALUE` only the handler entry
 * done read REG = VALUE | done write REG VALUE   only the handler return
 * create C eN config=X period=P [wide] [disabled] [failed]     C is `-` on x86; [type=N] and more attr bits by name
 * enable eN [STATE] [COUNT] | disable … | release … | count eN VALUE [STATE] (event-read)
 * update eN COUNT (hw-update) | place eN [ERROR] | take eN | overflow C eN COUNT
 * get C VALUE [own]                      counter computed on another thread (userspace), or its own
 * stat NAME COUNT LENGTH                 a perf stat interval that ends at TIME
 *
 * wrmsr 0x186=V | wrmsr! 0x186=V (#GP) | rdmsr 0xc1=V | rdmsr! 0xc1 | rdpmc 0[=V] | rdpmc! 0
 * pause eN COUNT [keep] | period eN P | emulated SELECT | nmi | accept VECTOR MODE | inject VECTOR | lvtpc V
 * cpuid LEAF EAX EBX ECX EDX | refresh | load | put (mediated context) | halt | wakeup NS
 * host H1 config=X [modes=G|H|GH] [pinned] [cpu=N] [type=N] [refused]     an event of the host; H1 is 0xf010
 * hread H1 COUNT [ENABLED RUNNING [STATE]]      a read of it (or of an eN) with its times
 * hrdmsr REG=V | hwrmsr REG=V | smi COUNT       MSR accesses of the host; MSR_SMI_COUNT
 * uget REG=V | uset REG=V | migrate | mark TEXT | other NAME      the VMM; a record kept by name
 * report NAME COUNT LENGTH [not-supported] [not-counted] [running=PERMYRIAD] [interval]     the guest's perf stat
 * hoststat NAME COUNT LENGTH …                  the host's
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
    const where = /^cpu(\d+)$/.exec(words[2] ?? '');
    if (where !== null) words.splice(2, 1);
    const pcpu = where === null ? 0 : Number(where[1]);
    const base = { time, vcpu, tid, pcpu, source: DRAWN_SOURCE.trace };
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
        add({ kind: EventKind.guestExit, code: exitCode(a) });
        break;
      case 'in':
        add({ kind: EventKind.schedSwitch, tid: 1, vcpu: -1, value: BigInt(tid) });
        break;
      case 'out':
        add({ kind: EventKind.schedSwitch, value: 1n, code: a === 'S' ? 1 : 0 });
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
        const options = optionsOf(words.slice(5));
        attrs.push({
          type: Number(options.get('type') ?? 8),
          config1: options.has('wide') ? 1n : 0n,
          attrFlags: 0x80044n | attrFlags(options),
          cpu: -1,
          task: tid,
        });
        configs.set(b, BigInt(options.get('config') ?? 0));
        add({
          kind: EventKind.eventCreate,
          counter: a === '-' ? -1 : Number(a),
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
          pcpu: -1,
          code: names.length - 1,
          value: BigInt(b),
          object: BigInt(c),
        });
        break;
      default:
        if (!drawMore({ words: words.slice(2), tid, attrs, names, configs, add })) {
          throw new Error(`drawn trace: ${raw}`);
        }
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
  private readonly recordings: readonly {
    readonly source: number;
    readonly facts: RecordingFacts;
  }[];

  /** `facts` are the trace's, `guest` those of the guest's perf stat (verb `report`). */
  constructor(
    drawing: Drawing,
    chunkSize = 4096,
    facts: Partial<RecordingFacts> = {},
    guest: Partial<RecordingFacts> = {},
  ) {
    this.drawing = drawing;
    this.events = drawing.events.map((event, i) => ({ ...event, seq: i + 1 }));
    this.chunkSize = chunkSize;
    const drawn = { format: 'drawn', role: 'host', timeResolution: 1 } as const;
    const { trace, guestStat, hostStat } = DRAWN_SOURCE;
    const all: { source: number; facts: RecordingFacts }[] = [
      { source: trace, facts: { ...drawn, name: 'drawn', ...facts } },
      { source: guestStat, facts: { ...drawn, name: 'guest-stat', ...guest, role: 'guest' } },
      { source: hostStat, facts: { ...drawn, name: 'host-stat' } },
    ];
    const used = new Set(this.events.map(({ source }) => source ?? trace));
    this.recordings = all.filter(({ source }) => source === trace || used.has(source));
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
    return this.recordings;
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
