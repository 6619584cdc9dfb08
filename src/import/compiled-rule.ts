import type { ColumnTarget, TracepointRule, TracepointRules } from '../arch/tracepoints.ts';
import { UsageError } from '../domain/errors.ts';
import {
  EventFlag,
  EventKind,
  kindByName,
  RegisterSpace,
  spaceFlags,
} from '../domain/event-kind.ts';
import { Op } from './field-op.ts';
import { FieldPlans, type RuleFields } from './field-plan.ts';
import { MAX_FIELDS } from './raw-record.ts';

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

/** A rule made ready for decoding: fields by number. Independent of how records are written. */
export interface CompiledRule extends RuleFields {
  readonly rule: TracepointRule;
  /** Field n of RawRecord has this name. */
  readonly fields: readonly string[];
  /** What to do with records of the rule's first kind, and of the other if there are two. */
  readonly plans: FieldPlans;
  readonly otherPlans: FieldPlans;
  /** Number of the field that chooses between the kinds, −1 if there is one kind. */
  readonly select: number;
  /** Number by which halves find each other on a thread, −1 when the rule has no other half. */
  readonly pair: number;
  readonly isEntry: boolean;
  /** See TracepointRule. */
  readonly onVcpuThread: boolean;
  /** Entry halves: what to hand on. */
  readonly join: JoinFields;
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
    const required = (rule.required ?? []).reduce(
      (mask, field) => mask | (1 << fields.indexOf(field)),
      0,
    );
    const compiled = { ops, args, flags, required, valueMask, timesMask };
    // No spread: see planOf.
    return {
      ops,
      args,
      flags,
      required,
      valueMask,
      timesMask,
      rule,
      fields,
      plans: new FieldPlans(compiled, kind),
      otherPlans: new FieldPlans(compiled, kindOf(rule, names[1])),
      select,
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
