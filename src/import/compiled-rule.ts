import type { ColumnTarget, TracepointRule, TracepointRules } from '../arch/tracepoints.ts';
import { UsageError } from '../domain/errors.ts';
import {
  EventFlag,
  EventKind,
  KIND_SPECS,
  kindByName,
  RegisterSpace,
  spaceFlags,
} from '../domain/event-kind.ts';
import { MAX_FIELDS } from './raw-record.ts';

/** What to do with a field: targets as small numbers, so that one switch per field is all the hot path does. */
export const Op = {
  none: 0,
  value: 1,
  object: 2,
  aux0: 3,
  aux1: 4,
  counter: 5,
  code: 6,
  event: 7,
  state: 8,
  error: 9,
  ok: 10,
  failed: 11,
  vcpu: 12,
  tid: 13,
  op0: 14,
  registerBits: 15,
  exitReason: 16,
  exitIsa: 17,
  exitType: 18,
  exitClass: 19,
  taskState: 20,
  deliveryMode: 21,
  attrType: 22,
  attrConfig1: 23,
  attrFlags: 24,
  attrBit: 25,
  attrCpu: 26,
  attrTask: 27,
  select: 28,
  name: 29,
  failedCall: 30,
  valueGiven: 31,
} as const;

/** `[op, argument]` of each target; the argument is a shift. */
const OPS: Readonly<Record<ColumnTarget, readonly [number, number]>> = {
  value: [Op.value, 0],
  object: [Op.object, 0],
  aux0: [Op.aux0, 0],
  aux1: [Op.aux1, 0],
  counter: [Op.counter, 0],
  code: [Op.code, 0],
  event: [Op.event, 0],
  state: [Op.state, 0],
  error: [Op.error, 0],
  ok: [Op.ok, 0],
  failed: [Op.failed, 0],
  'failed-call': [Op.failedCall, 0],
  'value-given': [Op.valueGiven, 0],
  select: [Op.select, 0],
  vcpu: [Op.vcpu, 0],
  tid: [Op.tid, 0],
  op0: [Op.op0, 14],
  op1: [Op.registerBits, 11],
  crn: [Op.registerBits, 7],
  crm: [Op.registerBits, 3],
  op2: [Op.registerBits, 0],
  'exit-reason': [Op.exitReason, 0],
  'exit-isa': [Op.exitIsa, 24],
  'exit-type': [Op.exitType, 8],
  'exit-class': [Op.exitClass, 0],
  'task-state': [Op.taskState, 0],
  'delivery-mode': [Op.deliveryMode, 8],
  'attr.type': [Op.attrType, 0],
  'attr.config1': [Op.attrConfig1, 0],
  'attr.flags': [Op.attrFlags, 0],
  'attr.disabled': [Op.attrBit, 0],
  'attr.pinned': [Op.attrBit, 2],
  'attr.exclude_user': [Op.attrBit, 4],
  'attr.exclude_kernel': [Op.attrBit, 5],
  'attr.exclude_hv': [Op.attrBit, 6],
  'attr.exclude_host': [Op.attrBit, 19],
  'attr.exclude_guest': [Op.attrBit, 20],
  'attr.cpu': [Op.attrCpu, 0],
  'attr.task': [Op.attrTask, 0],
};

/**
 * How an entry half hands its fields to the other half: field numbers here and there. A field that `identifies` the call
 * must be equal when the other half has it too.
 */
export interface JoinFields {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly identifies: Uint8Array;
}

/** Number of a field that no rule has: it is never present. */
const NO_FIELD = MAX_FIELDS;
/** The u64 columns that take a field as it is, numbered as in ChunkWords.payload. */
const WIDE: Readonly<Record<number, number>> = {
  [Op.object]: 0,
  [Op.event]: 0,
  [Op.value]: 1,
  [Op.aux0]: 2,
  [Op.aux1]: 3,
};

/** Which field gives which column, sorted for the hot path. */
export interface FieldPlan {
  /** Fields for u64 columns, in order: of two for one column the later wins. Field number | column << 8. */
  readonly wide: Int32Array;
  /** Field numbers, NO_FIELD if there is none. */
  readonly event: number;
  readonly counter: number;
  readonly vcpu: number;
  readonly op0: number;
  readonly ok: number;
  readonly failed: number;
  readonly code: number;
  /** Fields that are four bits of a register's encoding. Field number | shift << 8. */
  readonly bits: Int32Array;
  /** All other fields that go somewhere. */
  readonly rest: Uint8Array;
}

/** What sets the code column as a whole: with one of these, the order of the fields counts. */
const SETS_CODE: readonly number[] = [Op.state, Op.error, Op.taskState];

function planOf(ops: Uint8Array, args: Uint8Array): FieldPlan {
  const fields = [...ops.keys()].filter((n) => ops[n] !== Op.none);
  const first = (op: number): number => (ops.includes(op) ? ops.indexOf(op) : NO_FIELD);
  const [event, counter, vcpu] = [first(Op.event), first(Op.counter), first(Op.vcpu)];
  const [op0, ok, failed] = [first(Op.op0), first(Op.ok), first(Op.failed)];
  const code = fields.some((n) => SETS_CODE.includes(ops[n]!)) ? NO_FIELD : first(Op.code);
  const wide = fields.filter((n) => WIDE[ops[n]!] !== undefined);
  const bits = fields.filter((n) => ops[n] === Op.registerBits);
  const taken = new Set([...wide, ...bits, counter, vcpu, op0, ok, failed, code]);
  return {
    wide: Int32Array.from(wide, (n) => n | (WIDE[ops[n]!]! << 8)),
    event,
    counter,
    vcpu,
    op0,
    ok,
    failed,
    code,
    bits: Int32Array.from(bits, (n) => n | (args[n]! << 8)),
    rest: Uint8Array.from(fields.filter((n) => !taken.has(n) && ops[n] !== Op.select)),
  };
}

/** A rule made ready for decoding: fields by number. Independent of how records are written. */
export interface CompiledRule {
  readonly rule: TracepointRule;
  /** Field n of RawRecord has this name. */
  readonly fields: readonly string[];
  readonly ops: Uint8Array;
  readonly args: Uint8Array;
  /** The same once more, sorted for the hot path. */
  readonly plan: FieldPlan;
  readonly kind: EventKind;
  readonly otherKind: EventKind;
  /** Number of the field that chooses between the kinds, −1 if there is one kind. */
  readonly select: number;
  readonly flags: number;
  readonly required: number;
  /** Fields that give the value column. */
  readonly valueMask: number;
  /** Both fields that give aux0 and aux1 of an event-read, 0 for other kinds. */
  readonly timesMask: number;
  /** Number by which halves find each other on a thread, −1 when the rule has no other half. */
  readonly pair: number;
  readonly isEntry: boolean;
  /** See TracepointRule. */
  readonly onVcpuThread: boolean;
  /** Entry halves: what to hand on. */
  readonly join: JoinFields;
}

/** True for kinds whose value column means something. */
const HAS_VALUE = KIND_SPECS.map((spec) => spec.value !== undefined);

/** True if events of this kind should have a value. */
export function kindHasValue(kind: EventKind): boolean {
  return HAS_VALUE[kind]!;
}

function kindOf(rule: TracepointRule, name: string): EventKind {
  const kind = kindByName(name);
  if (kind === undefined) throw new UsageError(`mapping of ${rule.name}: no event kind '${name}'`);
  return kind;
}

/** Compiles rules on demand; the halves of a pair get one number. */
export class RuleCompiler {
  private readonly rules: TracepointRules;
  private readonly compiled = new Map<string, CompiledRule>();
  private readonly pairs = new Map<string, number>();
  private readonly returnHalves: ReadonlySet<string>;

  constructor(rules: TracepointRules) {
    this.rules = rules;
    const halves = new Set<string>();
    for (const rule of rules.values()) if (rule.entryOf !== undefined) halves.add(rule.entryOf);
    this.returnHalves = halves;
  }

  /** The rule for a tracepoint name (without group), ready to use; undefined if no rule knows it. */
  get(name: string): CompiledRule | undefined {
    const known = this.compiled.get(name);
    if (known !== undefined) return known;
    const rule = this.rules.get(name);
    if (rule === undefined) return undefined;
    const compiled = this.compile(rule);
    this.compiled.set(name, compiled);
    return compiled;
  }

  private pairNumber(name: string): number {
    const known = this.pairs.get(name);
    if (known !== undefined) return known;
    this.pairs.set(name, this.pairs.size);
    return this.pairs.size - 1;
  }

  private compile(rule: TracepointRule): CompiledRule {
    const fields = Object.keys(rule.fields ?? {});
    for (const text of rule.text ?? []) {
      for (const [, field] of text.matchAll(/\{([A-Za-z_]\w*)/g)) {
        if (!fields.includes(field!)) fields.push(field!);
      }
    }
    if (fields.length > MAX_FIELDS) {
      throw new UsageError(`mapping of ${rule.name}: more than ${MAX_FIELDS} fields`);
    }
    const ops = new Uint8Array(fields.length);
    const args = new Uint8Array(fields.length);
    let valueMask = 0;
    let timesMask = 0;
    let select = -1;
    const names = typeof rule.kind === 'string' ? ([rule.kind, rule.kind] as const) : rule.kind;
    const kind = kindOf(rule, names[0]);
    fields.forEach((field, n) => {
      const target = Object.hasOwn(rule.fields ?? {}, field) ? rule.fields?.[field] : undefined;
      if (target === undefined) return;
      if (target.startsWith('name-of ')) {
        ops[n] = Op.name;
        args[n] = fields.indexOf(target.slice('name-of '.length));
        return;
      }
      const [op, arg] = OPS[target as ColumnTarget];
      ops[n] = op;
      args[n] = arg;
      if (op === Op.value || op === Op.deliveryMode) valueMask |= 1 << n;
      if (op === Op.select) select = n;
      if (kind === EventKind.eventRead && (op === Op.aux0 || op === Op.aux1)) timesMask |= 1 << n;
    });
    let flags = rule.space === undefined ? 0 : spaceFlags(RegisterSpace[rule.space]);
    for (const flag of rule.flags ?? []) flags |= EventFlag[flag];
    const partner = rule.entryOf === undefined ? undefined : this.rules.get(rule.entryOf);
    const join: { from: number; to: number; identifies: boolean }[] = [];
    if (partner !== undefined) {
      const others = this.get(partner.name)!.fields;
      fields.forEach((field, from) => {
        const to = others.indexOf(field);
        if (to < 0 || rule.notJoined?.includes(field)) return;
        const op = ops[from]!;
        join.push({ from, to, identifies: op !== Op.state && op !== Op.value });
      });
    }
    return {
      rule,
      fields,
      ops,
      args,
      plan: planOf(ops, args),
      kind,
      otherKind: kindOf(rule, names[1]),
      select,
      flags,
      required: (rule.required ?? []).reduce(
        (mask, field) => mask | (1 << fields.indexOf(field)),
        0,
      ),
      valueMask,
      timesMask,
      pair:
        partner !== undefined
          ? this.pairNumber(partner.name)
          : this.returnHalves.has(rule.name)
            ? this.pairNumber(rule.name)
            : -1,
      isEntry: partner !== undefined,
      join: {
        from: Uint8Array.from(join, ({ from }) => from),
        to: Uint8Array.from(join, ({ to }) => to),
        identifies: Uint8Array.from(join, ({ identifies }) => Number(identifies)),
      },
      onVcpuThread: rule.onVcpuThread === true,
    };
  }
}
