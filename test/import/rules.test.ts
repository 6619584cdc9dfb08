import { describe, expect, it } from 'vitest';
import {
  type ColumnTarget,
  ExitSpace,
  exitName,
  TARGETS,
  TRACEPOINT_RULES,
  tracepointRules,
  X86_EXIT_WORDS,
} from '../../src/arch/tracepoints.ts';
import { KIND_SPECS, kindByName } from '../../src/domain/event-kind.ts';
import { RuleCompiler } from '../../src/import/compiled-rule.ts';
import { importText } from './import-text.ts';

const kindsOf = (rule: (typeof TRACEPOINT_RULES)[number]): readonly string[] =>
  typeof rule.kind === 'string' ? [rule.kind] : rule.kind;

/** The column a target writes, where KIND_SPECS has to give it a meaning. */
const COLUMN: Partial<
  Record<ColumnTarget, 'value' | 'object' | 'aux0' | 'aux1' | 'counter' | 'code'>
> = {
  ...{ value: 'value', object: 'object', event: 'object', aux0: 'aux0', aux1: 'aux1' },
  ...{ counter: 'counter', code: 'code', state: 'code', error: 'code', 'task-state': 'code' },
  ...{
    'exit-reason': 'code',
    'exit-class': 'code',
    op0: 'code',
    crn: 'code',
    'delivery-mode': 'value',
  },
};

describe('the mapping table', () => {
  it('names every tracepoint once', () => {
    expect(tracepointRules().size).toBe(TRACEPOINT_RULES.length);
  });

  it.each(TRACEPOINT_RULES.map((rule) => [rule.name, rule] as const))(
    '%s fits the kinds',
    (_, rule) => {
      for (const kind of kindsOf(rule)) expect(kindByName(kind)).toBeDefined();
      const fields = Object.keys(rule.fields ?? {});
      for (const field of rule.required ?? []) expect(fields).toContain(field);
      for (const field of rule.notJoined ?? []) expect(fields).toContain(field);
      for (const [field, target] of Object.entries(rule.fields ?? {})) {
        if (target.startsWith('name-of ')) {
          expect(fields).toContain(target.slice(8));
          continue;
        }
        expect(TARGETS).toHaveProperty([target]);
        const column = COLUMN[target as ColumnTarget];
        if (column === undefined) continue;
        const meant = kindsOf(rule).some(
          (kind) => KIND_SPECS[kindByName(kind)!]![column] !== undefined,
        );
        expect([rule.name, field, meant]).toEqual([rule.name, field, true]);
      }
      if (rule.entryOf !== undefined) {
        const other = tracepointRules().get(rule.entryOf);
        expect(other?.kind).toEqual(rule.kind);
        const shared = fields.filter((field) => field in (other?.fields ?? {}));
        expect(shared).toEqual(fields);
      }
      expect(new RuleCompiler(tracepointRules()).get(rule.name)).toBeDefined();
      expect(rule.source).not.toBe('');
    },
  );

  it('knows the probes of both recipes', () => {
    const rules = tracepointRules();
    const probes =
      'sysreg_in sysreg set_counter get_counter_in get_counter set_evtype handle_pmcr enable_mask disable_mask swinc vcpu_reset overflow ev_create_in ev_create ev_enable ev_disable ev_release ev_read_in ev_read hw_update_in hw_update hw_add_in hw_add hw_del';
    for (const name of probes.split(' ')) expect(rules.get(name)?.kind).not.toBe('other');
  });
});

describe('guest exits', () => {
  it('have the codes and the names of their architecture', () => {
    expect(X86_EXIT_WORDS['MSR_WRITE']).toBe((ExitSpace.vmx << 24) | 32);
    expect(X86_EXIT_WORDS['msr']).toBe((ExitSpace.svm << 24) | 0x7c);
    expect(X86_EXIT_WORDS['EXIT_MSR']).toBe((ExitSpace.svm << 24) | 0x7c);
    expect(X86_EXIT_WORDS['EXIT_IOIO']).toBe((ExitSpace.svm << 24) | 0x7b);
    expect(exitName((ExitSpace.svm << 24) | 0x6f)).toBe('rdpmc');
    expect(exitName((ExitSpace.vmx << 24) | 15)).toBe('RDPMC');
    expect(exitName((ExitSpace.vmx << 24) | 999)).toBe('VMX 0x3e7');
    expect(exitName((ExitSpace.arm64 << 24) | (2 << 8) | 0x18)).toBe('TRAP SYS64');
    expect(exitName(ExitSpace.arm64 << 24)).toBe('IRQ');
    expect(exitName(0)).toBe('unknown');
  });

  const line = (event: string): string =>
    `       CPU 0/KVM   281 [000]     1.000000001: kvm:kvm_exit: ${event}\n`;
  it.each([
    ['vcpu 0 reason MSR_WRITE rip 0x9 info1 0x0000000000000000', 'MSR_WRITE'],
    ['vcpu 0 reason EPT_VIOLATION FAILED_VMENTRY rip 0x9 info1 0x0', 'EPT_VIOLATION'],
    ['vcpu 0 reason GP excp rip 0x9 info1 0x0', 'GP excp'],
    ['reason EXIT_NPF rip 0x9 info 200000006 1000', 'npf'],
    ['reason UNKNOWN (999) rip 0x9 info 0 0', 'unknown'],
    ['exit_reason=0x6f guest_rip=0x9 isa=2 info1=0x0 vcpu_id=0', 'rdpmc'],
    ['exit_reason=0x8000001f guest_rip=0x9 isa=1 vcpu_id=0', 'MSR_READ'],
    ['TRAP: HSR_EC: 0x0018 (SYS64), PC: 0x9', 'TRAP SYS64'],
    ['<CANT FIND FIELD exit_reason>IRQ: HSR_EC: 0x0000 (UNKNOWN), PC: 0x9', 'IRQ'],
    ['ret=2 esr_ec=0x0024 vcpu_pc=0x0000000000000009', 'TRAP DABT_LOW'],
  ])('%s', async (event, name) => {
    const { events } = await importText(line(event));
    expect(exitName(events[0]!.code)).toBe(name);
    expect(events[0]!.value).toBe(9n);
  });
});

describe('AArch32 accesses', () => {
  const access = (op0: number, op1: number, crn: number, crm: number): string =>
    `       CPU 0/KVM   281 [000]     1.000000001: kvm:kvm_sys_access: PC: 8 X (${op0},${op1},${crn},${crm},0) read\n`;
  it('have a space of their own, and a bit when they are 64 bits wide', async () => {
    const { events } = await importText(
      access(3, 3, 9, 12) + access(0, 0, 9, 12) + access(0, 0, 0, 9),
    );
    expect(events.map(({ code, flags }) => [code, (flags >> 4) & 3])).toEqual([
      [(3 << 14) | (3 << 11) | (9 << 7) | (12 << 3), 0],
      [(9 << 7) | (12 << 3), 1],
      [(1 << 16) | (9 << 3), 1],
    ]);
  });
});
