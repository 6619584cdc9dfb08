import { RegisterSpace } from '../domain/event-kind.ts';

/** Bit of a cp15 `code` that marks the 64-bit MCRR/MRRC form. */
export const CP15_WIDE = 1 << 16;

/** `code` of a system register: Op0<<14 | Op1<<11 | CRn<<7 | CRm<<3 | Op2. */
export function sysregCode(
  op0: number,
  op1: number,
  crn: number,
  crm: number,
  op2: number,
): number {
  return (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

/** `code` of an AArch32 cp15 register: opc1<<11 | CRn<<7 | CRm<<3 | opc2. */
export function cp15Code(opc1: number, crn: number, crm: number, opc2: number): number {
  return (opc1 << 11) | (crn << 7) | (crm << 3) | opc2;
}

/** `code` of an AArch32 64-bit cp15 register (MCRR/MRRC): it has only opc1 and CRm. */
export function cp15WideCode(opc1: number, crm: number): number {
  return CP15_WIDE | (opc1 << 11) | (crm << 3);
}

/** What an emulator switches on: one number per kind of arm64 PMU register. */
export const PmuRegister = {
  none: 0,
  pmcr: 1,
  cntenset: 2,
  cntenclr: 3,
  ovsclr: 4,
  swinc: 5,
  selr: 6,
  ceid0: 7,
  ceid1: 8,
  ccntr: 9,
  xevtyper: 10,
  xevcntr: 11,
  userenr: 12,
  intenset: 13,
  intenclr: 14,
  ovsset: 15,
  mmir: 16,
  evcntr: 17,
  evtyper: 18,
  ccfiltr: 19,
} as const;
export type PmuRegister = (typeof PmuRegister)[keyof typeof PmuRegister];

/** Which PMUSERENR_EL0 bits let EL0 in (any of them): semantics A.2 column "EL0 needs". */
export type El0Rule = 'EN' | 'SW|EN' | 'CR|EN' | 'ER|EN' | 'never' | 'read' | 'always';

export interface Arm64PmuRegister {
  /** As the Arm ARM prints it; `n` stands for the index of an indexed register. */
  readonly name: string;
  readonly register: PmuRegister;
  /** Sysreg code; of index 0 where `indices` > 1 (the codes of an indexed register are consecutive). */
  readonly sysreg: number;
  /** AArch32 name and code of the 32-bit form, likewise. */
  readonly cp15Name: string;
  readonly cp15: number;
  /** cp15 code of the upper half, for registers that AArch32 reads in two parts. */
  readonly cp15High?: number;
  /** cp15 code of the MCRR/MRRC form. */
  readonly cp15Wide?: number;
  readonly indices: number;
  readonly access: 'rw' | 'ro' | 'wo';
  /** EL0 rule for reads; a write of a counter needs EN besides (semantics A.2). */
  readonly el0: El0Rule;
  readonly meaning: string;
}

function el0Register(
  register: PmuRegister,
  name: string,
  cp15Name: string,
  [crm, op2]: readonly [number, number],
  access: Arm64PmuRegister['access'],
  el0: El0Rule,
  meaning: string,
): Arm64PmuRegister {
  return {
    name,
    register,
    sysreg: sysregCode(3, 3, 9, crm, op2),
    cp15Name,
    cp15: cp15Code(0, 9, crm, op2),
    indices: 1,
    access,
    el0,
    meaning,
  };
}

function el1Register(
  register: PmuRegister,
  name: string,
  cp15Name: string,
  [crm, op2]: readonly [number, number],
  access: Arm64PmuRegister['access'],
  el0: El0Rule,
  meaning: string,
): Arm64PmuRegister {
  return {
    ...el0Register(register, name, cp15Name, [crm, op2], access, el0, meaning),
    sysreg: sysregCode(3, 0, 9, crm, op2),
  };
}

/** The PMU registers KVM emulates (semantics A.2; encodings: Arm ARM D19, AArch32: G8). */
export const ARM64_PMU_REGISTERS: readonly Arm64PmuRegister[] = [
  el0Register(
    PmuRegister.pmcr,
    'PMCR_EL0',
    'PMCR',
    [12, 0],
    'rw',
    'EN',
    'control: E P C D X DP LC LP, N counters',
  ),
  el0Register(
    PmuRegister.cntenset,
    'PMCNTENSET_EL0',
    'PMCNTENSET',
    [12, 1],
    'rw',
    'EN',
    'counter enables, set bits',
  ),
  el0Register(
    PmuRegister.cntenclr,
    'PMCNTENCLR_EL0',
    'PMCNTENCLR',
    [12, 2],
    'rw',
    'EN',
    'counter enables, clear bits',
  ),
  el0Register(
    PmuRegister.ovsclr,
    'PMOVSCLR_EL0',
    'PMOVSR',
    [12, 3],
    'rw',
    'EN',
    'overflow status, clear bits',
  ),
  el0Register(
    PmuRegister.swinc,
    'PMSWINC_EL0',
    'PMSWINC',
    [12, 4],
    'wo',
    'SW|EN',
    'software increment',
  ),
  el0Register(
    PmuRegister.selr,
    'PMSELR_EL0',
    'PMSELR',
    [12, 5],
    'rw',
    'ER|EN',
    'selects the counter of PMXEV*',
  ),
  {
    ...el0Register(
      PmuRegister.ceid0,
      'PMCEID0_EL0',
      'PMCEID0',
      [12, 6],
      'ro',
      'EN',
      'implemented events 0x00-0x1f, 0x4000-0x401f',
    ),
    cp15High: cp15Code(0, 9, 14, 4),
  },
  {
    ...el0Register(
      PmuRegister.ceid1,
      'PMCEID1_EL0',
      'PMCEID1',
      [12, 7],
      'ro',
      'EN',
      'implemented events 0x20-0x3f, 0x4020-0x403f',
    ),
    cp15High: cp15Code(0, 9, 14, 5),
  },
  {
    ...el0Register(
      PmuRegister.ccntr,
      'PMCCNTR_EL0',
      'PMCCNTR',
      [13, 0],
      'rw',
      'CR|EN',
      'cycle counter',
    ),
    cp15Wide: cp15WideCode(0, 9),
  },
  el0Register(
    PmuRegister.xevtyper,
    'PMXEVTYPER_EL0',
    'PMXEVTYPER',
    [13, 1],
    'rw',
    'EN',
    'event type of the selected counter',
  ),
  el0Register(
    PmuRegister.xevcntr,
    'PMXEVCNTR_EL0',
    'PMXEVCNTR',
    [13, 2],
    'rw',
    'ER|EN',
    'the selected counter',
  ),
  el0Register(
    PmuRegister.userenr,
    'PMUSERENR_EL0',
    'PMUSERENR',
    [14, 0],
    'rw',
    'read',
    'what EL0 may access: EN SW CR ER',
  ),
  el1Register(
    PmuRegister.intenset,
    'PMINTENSET_EL1',
    'PMINTENSET',
    [14, 1],
    'rw',
    'never',
    'overflow interrupt enables, set bits',
  ),
  el1Register(
    PmuRegister.intenclr,
    'PMINTENCLR_EL1',
    'PMINTENCLR',
    [14, 2],
    'rw',
    'never',
    'overflow interrupt enables, clear bits',
  ),
  el0Register(
    PmuRegister.ovsset,
    'PMOVSSET_EL0',
    'PMOVSSET',
    [14, 3],
    'rw',
    'EN',
    'overflow status, set bits',
  ),
  el1Register(
    PmuRegister.mmir,
    'PMMIR_EL1',
    'PMMIR',
    [14, 6],
    'ro',
    'always',
    'machine identification; KVM: reads zero, ignores writes',
  ),
  {
    name: 'PMEVCNTRn_EL0',
    register: PmuRegister.evcntr,
    sysreg: sysregCode(3, 3, 14, 8, 0),
    cp15Name: 'PMEVCNTRn',
    cp15: cp15Code(0, 14, 8, 0),
    indices: 31,
    access: 'rw',
    el0: 'ER|EN',
    meaning: 'event counter n',
  },
  {
    name: 'PMEVTYPERn_EL0',
    register: PmuRegister.evtyper,
    sysreg: sysregCode(3, 3, 14, 12, 0),
    cp15Name: 'PMEVTYPERn',
    cp15: cp15Code(0, 14, 12, 0),
    indices: 31,
    access: 'rw',
    el0: 'EN',
    meaning: 'event type and filter of counter n',
  },
  {
    name: 'PMCCFILTR_EL0',
    register: PmuRegister.ccfiltr,
    sysreg: sysregCode(3, 3, 14, 15, 7),
    cp15Name: 'PMCCFILTR',
    cp15: cp15Code(0, 14, 15, 7),
    indices: 1,
    access: 'rw',
    el0: 'EN',
    meaning: 'filter of the cycle counter',
  },
];

/** One register an access names: its table row, the index (0 if not indexed) and which part of it the form reaches. */
export interface RegisterMatch {
  readonly row: Arm64PmuRegister;
  readonly index: number;
  /** `low`: bits 31:0 of a cp15 access; `high`: bits 63:32 of one. */
  readonly part: 'full' | 'low' | 'high';
}

const bySysreg = new Map<number, RegisterMatch>();
const byCp15 = new Map<number, RegisterMatch>();
for (const row of ARM64_PMU_REGISTERS) {
  for (let index = 0; index < row.indices; index++) {
    bySysreg.set(row.sysreg + index, { row, index, part: 'full' });
    byCp15.set(row.cp15 + index, { row, index, part: 'low' });
  }
  if (row.cp15High !== undefined) byCp15.set(row.cp15High, { row, index: 0, part: 'high' });
  if (row.cp15Wide !== undefined) byCp15.set(row.cp15Wide, { row, index: 0, part: 'full' });
}

/** The PMU register behind an access's `code`; undefined for any other register or an x86 space. */
export function registerByCode(code: number, space: RegisterSpace): RegisterMatch | undefined {
  if (space === RegisterSpace.sysreg) return bySysreg.get(code);
  return space === RegisterSpace.cp15 ? byCp15.get(code) : undefined;
}

function indexed(name: string, index: number): string {
  return name.replace('n', String(index));
}

/**
 * How an arm64 register of an access is printed: `PMEVCNTR3_EL0`, `PMCCNTR` (cp15), `PMCEID0 (bits 63:32)`;
 * a register outside the PMU as `S3_3_C9_C12_0` or `p15 0,c9,c12,0`.
 */
export function arm64RegisterName(code: number, space: RegisterSpace): string {
  const match = registerByCode(code, space);
  const op1 = (code >> 11) & 7;
  const crn = (code >> 7) & 15;
  const crm = (code >> 3) & 15;
  const op2 = code & 7;
  if (space === RegisterSpace.cp15) {
    if (match === undefined) {
      return (code & CP15_WIDE) !== 0
        ? `p15 ${op1},c${crm} (64-bit)`
        : `p15 ${op1},c${crn},c${crm},${op2}`;
    }
    const name = indexed(match.row.cp15Name, match.index);
    if (match.part === 'high') return `${name} (bits 63:32)`;
    return match.part === 'full' ? `${name} (64-bit)` : name;
  }
  return match === undefined
    ? `S${(code >> 14) & 3}_${op1}_C${crn}_C${crm}_${op2}`
    : indexed(match.row.name, match.index);
}

/** A code in its space: what one name stands for. */
export interface RegisterCode {
  readonly space: RegisterSpace;
  readonly code: number;
}

/**
 * Every encoding a typed name stands for, or undefined if it is no arm64 PMU register: `PMCR_EL0`, `pmcr`,
 * `SYS_PMEVCNTR3_EL0`, `PMEVCNTR3`, `PMEVTYPERn` (all indices), `3,3,9,12,0`, `S3_3_C9_C12_0` (any sysreg).
 * A name without `_ELx` also selects the AArch32 forms.
 */
export function parseArm64Register(text: string): readonly RegisterCode[] | undefined {
  const numbers =
    /^\(?\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)?$/.exec(text) ??
    /^S(\d+)_(\d+)_C(\d+)_C(\d+)_(\d+)$/i.exec(text);
  if (numbers !== null) {
    const [op0, op1, crn, crm, op2] = numbers.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (op0 > 3 || op1 > 7 || crn > 15 || crm > 15 || op2 > 7) return undefined;
    return [{ space: RegisterSpace.sysreg, code: sysregCode(op0, op1, crn, crm, op2) }];
  }
  const name = text.toUpperCase().replace(/^SYS_/, '');
  const found: RegisterCode[] = [];
  for (const row of ARM64_PMU_REGISTERS) {
    for (let index = 0; index < row.indices; index++) {
      const all = name === row.name.toUpperCase() || name === row.cp15Name.toUpperCase();
      const full = all || name === indexed(row.name, index);
      const short = name === indexed(row.cp15Name, index) || name === row.cp15Name.toUpperCase();
      if (full || short || name === indexed(row.name, index).replace(/_EL[01]$/, '')) {
        found.push({ space: RegisterSpace.sysreg, code: row.sysreg + index });
        if (name.includes('_EL')) continue;
        found.push({ space: RegisterSpace.cp15, code: row.cp15 + index });
        if (row.cp15High !== undefined)
          found.push({ space: RegisterSpace.cp15, code: row.cp15High });
        if (row.cp15Wide !== undefined)
          found.push({ space: RegisterSpace.cp15, code: row.cp15Wide });
      }
    }
  }
  return found.length === 0 ? undefined : found;
}
