import { EventFlag, KIND_SPECS, type KindSpec } from '../../domain/event-kind.ts';

/** How the `code` column of a kind stands in a line. */
export type CodeForm =
  /** A whole number from 0. */
  | 'unsigned'
  /** A whole number of 32 bits with its sign: perf states and errors are negative. */
  | 'signed'
  /** A string of the name table. */
  | 'name'
  /** An object of the attr table; absent when the attr was not recorded. */
  | 'attr';

/** One of the four u64 columns of a kind. */
export interface PayloadMember {
  readonly column: 'object' | 'value' | 'aux0' | 'aux1';
  readonly member: string;
  /** The kind has a meaning for it: it is written even when it is 0. */
  readonly declared: boolean;
}

/** The members by which the columns of one kind are written, besides those all kinds have. */
export interface KindMembers {
  readonly kind: string;
  readonly code: { readonly member: string; readonly form: CodeForm; readonly declared: boolean };
  /** Codes are registers: the line has `space`. */
  readonly register: boolean;
  /** In the order they are written. */
  readonly payload: readonly PayloadMember[];
}

/** Members every event may have; absent numbers are −1. */
export const COMMON_MEMBERS = [
  'time',
  'source',
  'kind',
  'pcpu',
  'vcpu',
  'tid',
  'counter',
  'space',
  'flags',
] as const;

/** Register spaces by their number (RegisterSpace). */
export const SPACES = ['sysreg', 'cp15', 'msr', 'rdpmc'] as const;

/** Flags under which a `value` of 0 means that there is none. */
export const NO_VALUE = EventFlag.noValue | EventFlag.notCounted | EventFlag.notSupported;

/** The destination of a migration is a CPU too, but not the one the record was made on. */
const CODE_MEMBERS: Readonly<Record<string, string>> = { pcpu: 'to-pcpu' };
const SIGNED: ReadonlySet<string> = new Set(['state', 'error']);

function codeForm(code: KindSpec['code']): CodeForm {
  if (code === 'name' || code === 'attr') return code;
  return code !== undefined && SIGNED.has(code) ? 'signed' : 'unsigned';
}

/** Members by kind number. A column a kind has no meaning for goes by the column's own name, and only when it is not 0. */
export const KIND_MEMBERS: readonly KindMembers[] = KIND_SPECS.map((spec) => ({
  kind: spec.name,
  code: {
    member: spec.code === undefined ? 'code' : (CODE_MEMBERS[spec.code] ?? spec.code),
    form: codeForm(spec.code),
    declared: spec.code !== undefined,
  },
  register: spec.code === 'register',
  payload: (['object', 'value', 'aux0', 'aux1'] as const).map((column) => ({
    column,
    member: spec[column] ?? column,
    declared: spec[column] !== undefined,
  })),
}));

/** Flag names in the order of their bits; the bits of the register space are `space` where codes are registers. */
export const FLAG_NAMES: readonly { readonly name: string; readonly bit: number }[] =
  Object.entries(EventFlag).map(([name, bit]) => ({ name, bit }));

export const SPACE_BITS = EventFlag.spaceLow | EventFlag.spaceHigh;
