import type { Event } from '../../src/domain/event-chunk.ts';
import { kindByName } from '../../src/domain/event-kind.ts';

/**
 * The text importers once more, slowly: a regular expression per line, strings and bigints, no table. It knows only what
 * the recordings in the tests hold and is written against the formats, not against the importers.
 */
export interface SlowEvent extends Partial<Event> {
  readonly name: string;
  readonly comm: string;
}

const PERF =
  /^\s*(?<comm>\S.*?)\s+(?:(?<pid>-?\d+)\/)?(?<tid>-?\d+)\s+(?:\[(?<cpu>\d+)\]\s+)?(?<s>\d+)\.(?<f>\d+):\s+(?:[^\s:]+:)?(?<name>[^\s:]+):\s*(?<rest>.*)$/;
const FTRACE =
  /^\s*(?<comm>\S.*?)-(?<tid>\d+)\s+(?:\([\s\d-]+\)\s+)?\[(?<cpu>\d+)\]\s+(?:[^\s\d]\S*\s+)?(?<s>\d+)\.(?<f>\d+):\s+(?<name>[^\s:]+):\s*(?<rest>.*)$/;

const ENTRY = 1n;
const TRAP = 2n;
const FAILED = 4n;
const NO_VALUE = 8n;
const MSR = 32n;
const RDPMC = 48n;
const STATE_KNOWN = 64n;
const TIMES_KNOWN = 128n;
const PREEMPTED = 1n << 14n;

const u64 = (text: string): bigint => BigInt.asUintN(64, signed(text));
const signed = (text: string): bigint =>
  text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
const u32 = (text: string): number => Number(BigInt.asUintN(32, signed(text)));

type Fields = Record<string, string>;

function fieldsOf(text: string): Fields {
  const fields: Fields = {};
  for (const [, key, value] of text.matchAll(/(?:^|\s)([A-Za-z_]\w*)=(\S+)/g))
    fields[key!] = value!;
  return fields;
}

function sysreg(f: Fields): number {
  const n = (key: string): number => Number(f[key] ?? f[key[0]!.toUpperCase() + key.slice(1)]);
  const crn = Number(f['crn'] ?? f['CRn']);
  const crm = Number(f['crm'] ?? f['CRm']);
  return (n('op0') << 14) | (n('op1') << 11) | (crn << 7) | (crm << 3) | n('op2');
}

function attrText(f: Fields): string | undefined {
  return f['flags'] === undefined
    ? undefined
    : [f['type'], f['config1'], f['flags'], f['cpu'], f['task']].join();
}

interface Made extends Partial<Event> {
  readonly kindName: string;
  readonly bits?: bigint;
  readonly attr?: string | undefined;
}

const state = (f: Fields): { code?: number; bits: bigint } =>
  f['state'] === undefined ? { bits: 0n } : { code: u32(f['state']), bits: STATE_KNOWN };

/** The event a record should become, from its name and payload; undefined: kept by name. */
function make(name: string, rest: string, f: Fields): Made | undefined {
  switch (name) {
    case 'sched_switch': {
      const kernel =
        /prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) (?:==> )?next_comm=.* next_pid=(\d+) next_prio=/.exec(
          rest,
        );
      const plugin = /^.*:(\d+) \[-?\d+\] (\S) ==> .*:(\d+) \[/.exec(rest);
      const [, prev, letters, next] = (kernel ?? plugin)!;
      let bits: number;
      if (/^\d+$/.test(letters!)) bits = Number(letters);
      else if (kernel) {
        bits = [...letters!].reduce(
          (sum, c) =>
            sum | ({ R: 0, S: 1, D: 2, T: 4, t: 8, X: 16, Z: 32, P: 64, I: 128, '+': 256 }[c] ?? 0),
          0,
        );
      } else bits = letters === 'R' ? 0 : 1 << 'SDTtZXxW'.indexOf(letters!);
      return {
        kindName: 'sched-switch',
        tid: Number(prev),
        code: bits & 255,
        bits: bits > 255 ? PREEMPTED : 0n,
        value: BigInt(next!),
      };
    }
    case 'sched_migrate_task':
      return {
        kindName: 'sched-migrate',
        tid: Number(f['pid']),
        code: Number(f['dest_cpu']),
        value: u64(f['orig_cpu']!),
      };
    case 'kvm_userspace_exit': {
      const text = /^reason (\S+) \((-?\d+)\)/.exec(rest);
      if (!text)
        return {
          kindName: 'userspace-exit',
          code: Number(f['reason']),
          bits: f['errno'] === '0' ? 0n : FAILED,
        };
      const bad = !text[1]!.startsWith('KVM_EXIT');
      return {
        kindName: 'userspace-exit',
        code: bad ? 0 : Number(text[2]),
        bits: bad ? FAILED : 0n,
      };
    }
    case 'kvm_vcpu_wakeup':
      return { kindName: 'wakeup', value: BigInt(/time (\d+) ns/.exec(rest)![1]!) };
    case 'kvm_wfx_arm64': {
      const text = /wf([ie]) at: (0x[0-9a-f]+)/.exec(rest);
      if (!text) return { kindName: 'halt', code: 3, bits: NO_VALUE };
      return { kindName: 'halt', code: text[1] === 'e' ? 1 : 0, value: BigInt(text[2]!) };
    }
    case 'kvm_entry': {
      const pc =
        f['vcpu_pc'] ?? /PC: (0x[0-9a-f]+)/.exec(rest)?.[1] ?? /rip (0x[0-9a-f]+)/.exec(rest)![1];
      return { kindName: 'guest-enter', value: BigInt(pc!) };
    }
    case 'kvm_exit': {
      if (/rip 0x/.test(rest)) return x86Exit(rest);
      const raw = f['ret'];
      const text = /([A-Z]+): HSR_EC: (0x[0-9a-f]+) \(\S+\), PC: (0x[0-9a-f]+)/.exec(rest);
      const ret = raw === undefined ? { IRQ: 0, SERROR: 1, TRAP: 2 }[text![1]!]! : Number(raw);
      const ec = Number(raw === undefined ? text![2] : f['esr_ec']);
      return {
        kindName: 'guest-exit',
        code: (3 << 24) | (ret << 8) | ec,
        value: BigInt(raw === undefined ? text![3]! : f['vcpu_pc']!),
      };
    }
    case 'kvm_sys_access': {
      const text = /^PC: ([0-9a-f]+) .*\((\d+),(\d+),(\d+),(\d+),(\d+)\) (read|write)/.exec(rest);
      if (!text) {
        return {
          kindName: f['is_write'] === '0' ? 'read' : 'write',
          bits: TRAP | NO_VALUE,
          object: BigInt(f['vcpu_pc']!),
          code: sysreg({ ...f, op0: f['Op0']!, op1: f['Op1']!, op2: f['Op2']! }),
        };
      }
      const [, pc, op0, op1, crn, crm, op2, way] = text;
      return {
        kindName: way!,
        bits: TRAP | NO_VALUE,
        object: BigInt(`0x${pc}`),
        code: sysreg({ op0: op0!, op1: op1!, crn: crn!, crm: crm!, op2: op2! }),
      };
    }
    case 'vgic_update_irq_pending': {
      const text = /IRQ (\d+), level: (\d+)/.exec(rest);
      return {
        kindName: 'irq-level',
        code: Number(text?.[1] ?? f['irq']),
        value: BigInt(text?.[2] ?? f['level']!),
      };
    }
    case 'sysreg_in': {
      const read = f['wr'] === '0';
      return {
        kindName: read ? 'read' : 'write',
        code: sysreg(f),
        bits: read ? ENTRY | NO_VALUE : ENTRY,
        value: read ? 0n : u64(f['val']!),
      };
    }
    case 'sysreg':
      return {
        kindName: f['wr'] === '0' ? 'read' : 'write',
        code: sysreg(f),
        bits: f['ok'] === '0' ? FAILED : 0n,
        value: u64(f['val']!),
      };
    case 'get_counter_in':
      return { kindName: 'counter-get', bits: ENTRY | NO_VALUE, counter: Number(f['idx']) };
    case 'get_counter':
      return { kindName: 'counter-get', counter: Number(f['idx'] ?? -1), value: u64(f['val']!) };
    case 'set_counter':
      return { kindName: 'counter-set', counter: Number(f['idx']), value: u64(f['val']!) };
    case 'set_evtype':
      return { kindName: 'event-type-set', counter: Number(f['idx']), value: u64(f['data']!) };
    case 'handle_pmcr':
      return { kindName: 'pmcr-handle', value: u64(f['val']!) };
    case 'enable_mask':
      return { kindName: 'mask-enable', value: u64(f['val']!) };
    case 'disable_mask':
      return { kindName: 'mask-disable', value: u64(f['val']!) };
    case 'swinc':
      return { kindName: 'software-increment', value: u64(f['val']!) };
    case 'vcpu_reset':
      return { kindName: 'vcpu-reset' };
    case 'overflow':
      return {
        kindName: 'event-overflow',
        object: u64(f['event']!),
        counter: Number(f['idx']),
        value: u64(f['count']!),
        aux0: u64(f['period']!),
      };
    case 'ev_create_in':
    case 'ev_create':
      return {
        kindName: 'event-create',
        object: u64(f['event'] ?? '0'),
        bits: name === 'ev_create_in' ? ENTRY : 0n,
        ...(f['config'] === undefined
          ? { bits: NO_VALUE }
          : {
              counter: Number(f['idx']),
              value: u64(f['period']!),
              aux0: u64(f['config']),
              attr: attrText(f),
            }),
      };
    case 'ev_enable':
    case 'ev_disable':
    case 'ev_release': {
      const { bits, ...code } = state(f);
      return {
        kindName: name.replace('ev_', 'event-'),
        object: u64(f['event']!),
        value: u64(f['count']!),
        bits,
        ...code,
      };
    }
    case 'ev_read_in': {
      const { bits, ...code } = state(f);
      return {
        kindName: 'event-read',
        object: u64(f['event']!),
        bits: bits | ENTRY | NO_VALUE,
        ...code,
      };
    }
    case 'ev_read': {
      const { bits, ...code } = state(f);
      return {
        kindName: 'event-read',
        object: u64(f['event'] ?? '0'),
        value: u64(f['val']!),
        ...(f['enabled'] === undefined
          ? { bits }
          : { aux0: u64(f['enabled']), aux1: u64(f['running']!), bits: bits | TIMES_KNOWN }),
        ...code,
      };
    }
    case 'hw_add_in':
      return { kindName: 'hw-add', object: u64(f['event']!), aux0: u64(f['config']!), bits: ENTRY };
    case 'hw_add':
      return {
        kindName: 'hw-add',
        object: u64(f['event'] ?? '0'),
        aux0: u64(f['config'] ?? '0'),
        code: u32(f['ret']!),
        bits: f['ret'] === '0' ? 0n : FAILED,
      };
    case 'hw_del':
      return {
        kindName: 'hw-del',
        object: u64(f['event']!),
        code: u32(f['flags']!),
        value: u64(f['count']!),
      };
    case 'hw_update_in':
      return {
        kindName: 'hw-update',
        object: u64(f['event']!),
        value: u64(f['count']!),
        aux0: u64(f['config']!),
        bits: ENTRY,
      };
    case 'hw_update':
      return {
        kindName: 'hw-update',
        object: u64(f['event'] ?? '0'),
        aux0: u64(f['config'] ?? '0'),
        aux1: u64(f['raw']!),
        ...(f['count'] === undefined ? { bits: NO_VALUE } : { value: u64(f['count']) }),
      };
    default:
      return x86(name, rest, f);
  }
}

const SVM: Record<string, number> = {
  ...{
    npf: 0x400,
    msr: 0x7c,
    io: 0x7b,
    cpuid: 0x72,
    rdpmc: 0x6f,
    vintr: 0x64,
    interrupt: 0x60,
    hlt: 0x78,
    nmi: 0x61,
  },
  ...{
    EXIT_NPF: 0x400,
    EXIT_MSR: 0x7c,
    EXIT_IOIO: 0x7b,
    EXIT_CPUID: 0x72,
    EXIT_RDPMC: 0x6f,
    EXIT_VINTR: 0x64,
  },
  ...{ EXIT_INTR: 0x60, EXIT_HLT: 0x78, EXIT_NMI: 0x61 },
};

function x86Exit(rest: string): Made {
  const [, reason, rip] = /reason (\S+) rip (0x[0-9a-f]+)/.exec(rest)!;
  return { kindName: 'guest-exit', code: (2 << 24) | SVM[reason!]!, value: BigInt(rip!) };
}

function x86(name: string, rest: string, f: Fields): Made | undefined {
  switch (name) {
    case 'kvm_msr': {
      const [, way, ecx, data, bad] =
        /^msr_(read|write) ([0-9a-f]+) = (0x[0-9a-f]+)( \(#GP\))?/.exec(rest)!;
      return {
        kindName: way!,
        code: Number(`0x${ecx}`),
        value: BigInt(data!),
        bits: MSR | (bad ? FAILED : 0n),
      };
    }
    case 'read_msr':
    case 'write_msr':
    case 'rdpmc': {
      const [, msr, value, bad] = /^([0-9a-f]+), value ([0-9a-f]+)( #GP)?/.exec(rest)!;
      return {
        kindName: { read_msr: 'host-rdmsr', write_msr: 'host-wrmsr', rdpmc: 'host-rdpmc' }[name],
        code: Number(`0x${msr}`),
        value: BigInt(`0x${value}`),
        bits: (name === 'rdpmc' ? RDPMC : MSR) | (bad ? FAILED : 0n),
      };
    }
    case 'kvm_inj_exception':
      if (f['reinjected'] === '1') return undefined;
      return {
        kindName: 'exception-inject',
        code: Number(f['exception']),
        value: u64(f['error_code']!),
      };
    case 'kvm_pmu_rdpmc':
      return {
        kindName: 'read',
        code: u32(f['idx']!),
        value: u64(f['val']!),
        bits: RDPMC | (f['ret'] === '0' ? 0n : FAILED),
      };
    case 'amd_pmu_set_msr':
      return {
        kindName: f['host'] === '0' ? 'write' : 'userspace-set',
        code: u32(f['msr']!),
        value: u64(f['data']!),
        bits: MSR | ENTRY,
      };
    case 'amd_pmu_get_msr':
      if (f['host'] === '0') return undefined;
      return { kindName: 'userspace-get', code: u32(f['msr']!), value: u64(f['data']!), bits: MSR };
    case 'pmc_write_counter':
      return { kindName: 'counter-set', counter: Number(f['idx']), value: u64(f['val']!) };
    case 'kvm_perf_overflow':
      return { kindName: 'event-overflow', object: u64(f['event']!), bits: NO_VALUE };
    case 'perf_event_create':
    case 'perf_event_create_ret': {
      const bit = (key: string, n: number): bigint => (f[key] === '1' ? 1n << BigInt(n) : 0n);
      const flags =
        bit('pinned', 2) |
        bit('exclude_user', 4) |
        bit('exclude_kernel', 5) |
        bit('exclude_host', 19) |
        bit('exclude_guest', 20);
      return {
        kindName: 'event-create',
        object: u64(f['ret'] ?? '0'),
        value: u64(f['sample_period']!),
        aux0: u64(f['config']!),
        bits: name === 'perf_event_create' ? ENTRY : 0n,
        attr: [f['type'], '0x0', `0x${flags.toString(16)}`, f['cpu'], f['pid']].join(),
      };
    }
    case 'perf_event_enable':
    case 'perf_event_disable':
    case 'perf_event_release':
      return {
        kindName: name.replace('perf_event_', 'event-'),
        object: u64(f['event']!),
        bits: NO_VALUE,
      };
    case 'perf_event_read_value':
      return {
        kindName: 'event-read',
        object: u64(f['event']!),
        value: u64(f['count']!),
        aux0: u64(f['enabled']!),
        aux1: u64(f['running']!),
        bits: TIMES_KNOWN,
      };
    case 'perf_event_pause':
      return {
        kindName: 'event-pause',
        object: u64(f['event']!),
        value: u64(f['count']!),
        aux0: u64(f['reset']!),
      };
    case 'perf_event_period':
      return {
        kindName: 'event-period',
        object: u64(f['event']!),
        value: u64(f['value']!),
        code: u32(f['ret']!),
        bits: f['ret'] === '0' ? 0n : FAILED,
      };
    case 'kvm_pmu_trigger_event':
      return { kindName: 'emulated', value: u64(f['eventsel']!) };
    case 'kvm_pmu_refresh':
      return { kindName: 'pmu-refresh' };
    case 'kvm_apic': {
      const [, way, register, value] = /^apic_(\S+) APIC_(\S+) = (0x[0-9a-f]+)/.exec(rest)!;
      if (way === 'read') return undefined;
      const offsets: Record<string, number> = { LVTPC: 0x340, EOI: 0xb0, TMICT: 0x380, ICR: 0x300 };
      return { kindName: 'apic-write', code: offsets[register!]!, value: BigInt(value!) };
    }
    case 'kvm_mmio': {
      const [, gpa, value] = /gpa (0x[0-9a-f]+) val (0x[0-9a-f]+)/.exec(rest)!;
      return { kindName: 'mmio', object: BigInt(gpa!), value: BigInt(value!) };
    }
    case 'kvm_cpuid': {
      const hex = (key: string): bigint =>
        BigInt(`0x${new RegExp(`${key} ([0-9a-f]+)`).exec(rest)![1]}`);
      return {
        kindName: 'cpuid',
        code: Number(hex('func')),
        object: hex('rax'),
        value: hex('rbx'),
        aux0: hex('rcx'),
        aux1: hex('rdx'),
      };
    }
    default:
      return undefined;
  }
}

/** Every event line of a text; `attr` of an event-create is put into `name` after a blank. */
export function slowRead(text: string, format: 'perf' | 'ftrace'): SlowEvent[] {
  const events: SlowEvent[] = [];
  const halves = new Map<string, Fields>();
  for (const line of text.split('\n')) {
    const found = (format === 'perf' ? PERF : FTRACE).exec(line)?.groups;
    if (!found) continue;
    const name = found['name']!;
    const tid = Number(found['tid']);
    let fields = fieldsOf(found['rest']!);
    const entry = name === 'perf_event_create' || name.endsWith('_in');
    const base = name.replace(/_in$|_ret$/, '');
    if (entry) {
      halves.set(`${tid} ${base}`, fields);
    } else {
      const half = halves.get(`${tid} ${base}`);
      halves.delete(`${tid} ${base}`);
      if (half !== undefined) {
        const { count: _, ...rest } = half;
        fields = { ...rest, ...fields };
      }
    }
    const made = make(name, found['rest']!, fields);
    const time = BigInt(found['s']!) * 1_000_000_000n + BigInt(found['f']!.padEnd(9, '0'));
    const common = { name, comm: found['comm']!, time, tid, pcpu: Number(found['cpu'] ?? -1) };
    if (made === undefined) {
      events.push({ ...common, kind: 0 });
      continue;
    }
    const { kindName, bits = 0n, attr, ...columns } = made;
    events.push({
      ...common,
      ...columns,
      kind: kindByName(kindName)!,
      flags: Number(bits),
      name: attr === undefined ? name : `${name} ${attr}`,
    });
  }
  return events;
}
