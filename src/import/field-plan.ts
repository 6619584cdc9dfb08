import { EventFlag, EventKind, KIND_SPECS } from '../domain/event-kind.ts';
import { Op } from './field-op.ts';
import { ONES_FIELD, ZERO_FIELD } from './raw-record.ts';

/** What a plan is made from. Masks are of field numbers. */
export interface RuleFields {
  /** By field: what to do with it (Op), and the op's argument. */
  readonly ops: Uint8Array;
  readonly args: Uint8Array;
  /** Flags of every event of the rule. */
  readonly flags: number;
  readonly required: number;
  /** Fields that give the value column. */
  readonly valueMask: number;
  /** Both fields that give aux0 and aux1 of an event-read, 0 for other kinds. */
  readonly timesMask: number;
}

/**
 * What one rule makes of records that have just these fields: decided once, so that a record costs no question whether
 * it has a field. Field numbers are those of RawRecord.
 */
export interface FieldPlan {
  /** The fields it is for: bits as in RawRecord. */
  readonly present: number;
  readonly kind: EventKind;
  /** No required field is missing. */
  readonly complete: boolean;
  /** Flags that hold for all these records. */
  readonly flags: number;
  /** What the code column begins with. */
  readonly code: number;
  /** Fields that are a u64 column as they are, in order: of two for one column the later wins. Field | column << 8, columns
   * numbered as in ChunkWords.payload. */
  readonly wide: Int32Array;
  /** Fields that are bits of the code column, three numbers each: field, mask, shift. */
  readonly bits: Int32Array;
  // One field each; ZERO_FIELD or ONES_FIELD, whichever changes nothing, if there is none.
  readonly event: number;
  readonly counter: number;
  readonly vcpu: number;
  readonly op0: number;
  readonly ok: number;
  readonly failed: number;
  /** All other fields that go somewhere: few rules have such. */
  readonly rest: Uint8Array;
}

/** The u64 columns that take a field as it is, numbered as in ChunkWords.payload. */
const WIDE: Readonly<Record<number, number>> = {
  [Op.object]: 0,
  [Op.event]: 0,
  [Op.value]: 1,
  [Op.aux0]: 2,
  [Op.aux1]: 3,
};

/** By op: bits of a field that go into the code column. The op's argument says how far they are shifted. */
export const CODE_BITS: Int32Array = new Int32Array(32);
CODE_BITS[Op.code] = -1;
CODE_BITS[Op.op0] = 3;
CODE_BITS[Op.registerBits] = 15;
CODE_BITS[Op.exitIsa] = 3;
CODE_BITS[Op.exitType] = 0xff;
CODE_BITS[Op.exitClass] = 0xff;

/** Instruction set of the exit codes of arm64. */
const EXIT_ARM64 = 3 << 24;
/** What sets the code column as a whole: with one of these, the order of the fields counts. */
const SETS_CODE: readonly number[] = [Op.state, Op.error, Op.taskState];

/** True for kinds whose value column means something. */
export const HAS_VALUE: readonly boolean[] = KIND_SPECS.map((spec) => spec.value !== undefined);

/** Plans remembered: of an event, a recording has one or two sets of fields. */
const MAX_PLANS = 64;

/** The plans of one rule for one kind of event. */
export class FieldPlans {
  private readonly rule: RuleFields;
  private readonly kind: EventKind;
  private readonly known = new Map<number, FieldPlan>();
  private last: FieldPlan;

  constructor(rule: RuleFields, kind: EventKind) {
    this.rule = rule;
    this.kind = kind;
    this.last = planOf(rule, kind, 0);
  }

  /** The plan for records with these fields. */
  get(present: number): FieldPlan {
    return this.last.present === present ? this.last : this.find(present);
  }

  private find(present: number): FieldPlan {
    let plan = this.known.get(present);
    if (plan === undefined) {
      plan = planOf(this.rule, this.kind, present);
      if (this.known.size >= MAX_PLANS) this.known.clear();
      this.known.set(present, plan);
    }
    this.last = plan;
    return plan;
  }
}

function planOf(rule: RuleFields, kind: EventKind, present: number): FieldPlan {
  const { ops, valueMask, timesMask } = rule;
  const fields = [...ops.keys()].filter((n) => ops[n] !== Op.none && (present >>> n) & 1);
  const has = (op: number): boolean => fields.some((n) => ops[n] === op);
  const taken = new Set<number>();
  const first = (op: number, none: number): number => {
    const n = fields.find((field) => ops[field] === op) ?? none;
    if (op !== Op.event && op !== Op.op0) taken.add(n);
    return n;
  };
  let flags = rule.flags;
  let valueless = false;
  if ((present & valueMask) === 0) {
    if (HAS_VALUE[kind]) flags |= EventFlag.noValue;
  } else if (kind === EventKind.read && flags & EventFlag.entry) {
    // What is in the register's place before a read is not what the read delivers.
    valueless = true;
    flags |= EventFlag.noValue;
  }
  if (timesMask !== 0 && (present & timesMask) === timesMask) flags |= EventFlag.timesKnown;
  const ordered = fields.some((n) => SETS_CODE.includes(ops[n]!));
  const wide = fields.filter((n) => WIDE[ops[n]!] !== undefined);
  const bits = ordered ? [] : fields.filter((n) => CODE_BITS[ops[n]!] !== 0);
  const slots = {
    event: first(Op.event, ZERO_FIELD),
    counter: first(Op.counter, ONES_FIELD),
    vcpu: first(Op.vcpu, ONES_FIELD),
    op0: first(Op.op0, ONES_FIELD),
    ok: first(Op.ok, ONES_FIELD),
    failed: first(Op.failed, ZERO_FIELD),
  };
  for (const n of [...wide, ...bits]) taken.add(n);
  const skipped = (n: number): boolean =>
    taken.has(n) || ops[n] === Op.select || (valueless && ops[n] === Op.deliveryMode);
  // No spread: objects made by it have no shape in common, and the hot path asks each for its properties.
  return {
    present,
    kind,
    complete: (present & rule.required) === rule.required,
    flags,
    code: has(Op.exitType) || has(Op.exitClass) ? EXIT_ARM64 : 0,
    wide: Int32Array.from(
      wide.filter((n) => !valueless || WIDE[ops[n]!] !== 1),
      (n) => n | (WIDE[ops[n]!]! << 8),
    ),
    bits: Int32Array.from(bits.flatMap((n) => [n, CODE_BITS[ops[n]!]!, rule.args[n]!])),
    event: slots.event,
    counter: slots.counter,
    vcpu: slots.vcpu,
    op0: slots.op0,
    ok: slots.ok,
    failed: slots.failed,
    rest: Uint8Array.from(fields.filter((n) => !skipped(n))),
  };
}
