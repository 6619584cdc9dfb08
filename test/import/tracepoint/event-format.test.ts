import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../src/import/tracepoint/event-format.ts';

const COMMON = `	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
`;

function format(fields: string): string {
  return `name: thing\nID: 1574\nformat:\n${COMMON}\n${fields}\nprint fmt: "field:int no; offset:8; size:4;", REC->a\n`;
}

function fieldOf(line: string) {
  return parseEventFormat(format(line), 'group')?.fields.at(-1);
}

describe('format files', () => {
  it('are read with the common fields, up to the print format', () => {
    const read = parseEventFormat(
      format('\tfield:unsigned long vcpu_pc;\toffset:8;\tsize:8;\tsigned:0;'),
      'kvm',
    );
    expect(read).toMatchObject({ id: 1574, system: 'kvm', name: 'thing' });
    expect(read?.fields.map(({ name }) => name)).toEqual([
      'common_type',
      'common_flags',
      'common_preempt_count',
      'common_pid',
      'vcpu_pc',
    ]);
    expect(read?.fields.at(-1)).toEqual({
      name: 'vcpu_pc',
      type: 'unsigned long',
      offset: 8,
      size: 8,
      signed: false,
      array: 0,
      location: 'here',
    });
  });

  it.each([
    [
      'field:char prev_comm[16];	offset:8;	size:16;	signed:0;',
      { name: 'prev_comm', array: 16, type: 'char' },
    ],
    [
      'field:char comm[TASK_COMM_LEN];	offset:8;	size:16;	signed:1;',
      { name: 'comm', array: 16 },
    ],
    ['field:__u8 insn[15];	offset:8;	size:15;	signed:0;', { name: 'insn', array: 15, size: 15 }],
    ['field:char buf[];	offset:16;	size:0;	signed:0;', { name: 'buf', array: 0, size: 0 }],
    [
      'field:__data_loc char[] name;	offset:12;	size:4;	signed:0;',
      { name: 'name', location: 'data_loc', array: 0 },
    ],
    [
      'field:__rel_loc char[] name;	offset:12;	size:4;	signed:0;',
      { name: 'name', location: 'rel_loc' },
    ],
    [
      'field:const char * name;	offset:24;	size:8;	signed:0;',
      { name: 'name', type: 'const char *', size: 8 },
    ],
    ['field:s32 ret;	offset:20;	size:4;	signed:1;', { name: 'ret', signed: true, size: 4 }],
    ['field: u64 timestamp;	offset:0;	size:8;	signed:0;', { name: 'timestamp', type: 'u64' }],
    ['field:u64 old;	offset:0;	size:8;', { name: 'old', signed: false }],
    ['field special:unsigned long ip;	offset:8;	size:8;	signed:0;', { name: 'ip' }],
  ])('%s', (line, expected) => {
    expect(fieldOf(`\t${line}`)).toMatchObject(expected);
  });

  it('are told from what is none', () => {
    for (const text of [
      '',
      'name: x\n',
      'name: x\nID: 5\n',
      `ID: 5\nformat:\n${COMMON}`,
      '\0'.repeat(1000),
    ]) {
      expect(parseEventFormat(text, 'x')).toBeUndefined();
    }
    expect(parseEventFormat(`name: x\nID: 99999999999\nformat:\n${COMMON}`, 'x')).toBeUndefined();
  });

  it('cost no more than their length, whatever they say', () => {
    const evil = `field:${'['.repeat(500)};\toffset:1;\tsize:1;`;
    const started = performance.now();
    parseEventFormat(`name: x\nID: 1\n${`${evil}\n`.repeat(5000)}`, 'x');
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
