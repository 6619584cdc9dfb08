import { ByteWriter } from './trace-dat-builder.ts';

/** The format file of msr:read_msr. */
export const READ_MSR = `name: read_msr
ID: 300
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:unsigned msr;\toffset:8;\tsize:4;\tsigned:0;
\tfield:u64 val;\toffset:16;\tsize:8;\tsigned:0;
\tfield:int failed;\toffset:24;\tsize:4;\tsigned:1;

print fmt: "%x", REC->msr
`;

/** The format file of sched:sched_switch. */
export const SCHED_SWITCH = `name: sched_switch
ID: 301
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;
\tfield:char next_comm[16];\toffset:40;\tsize:16;\tsigned:0;
\tfield:pid_t next_pid;\toffset:56;\tsize:4;\tsigned:1;

print fmt: "%d", REC->next_pid
`;

/** The bytes of a switch from `prev` to `next`, with these names. */
export function schedSwitch(prev: readonly [number, string], next: readonly [number, string]) {
  const out = new ByteWriter().number(301, 2).number(0, 2).number(prev[0], 4);
  const name = (text: string) => text.padEnd(16, '\0');
  out.text(name(prev[1])).number(prev[0], 8).number(1, 8);
  return out.text(name(next[1])).number(next[0], 4).done();
}

/** The bytes of one read_msr record. */
export function readMsr(value: bigint | number, pid = 100, type = 300): Uint8Array {
  const out = new ByteWriter().number(type, 2).number(0, 2).number(pid, 4);
  return out.number(0xc1, 4).number(0, 4).number(value, 8).number(0, 4).done();
}

function header(type: number, delta: number): ByteWriter {
  return new ByteWriter().number(((delta << 5) | type) >>> 0, 4);
}

/** A record as the ring buffer stores it, `delta` ns after the one before; payloads of a multiple of 4 bytes. */
export function record(delta: number, payload: Uint8Array): Uint8Array {
  return header(payload.length / 4, delta)
    .put(payload)
    .done();
}

/** A record whose length is in a word of its own, as long ones are. */
export function longRecord(delta: number, payload: Uint8Array): Uint8Array {
  const out = header(0, delta)
    .number(payload.length + 4, 4)
    .put(payload);
  return out.align(4).done();
}

/** A record that was taken back. */
export function discarded(delta: number, bytes: number): Uint8Array {
  return header(29, delta)
    .number(bytes + 4, 4)
    .put(new Uint8Array(bytes))
    .done();
}

/** The rest of the page is unused. */
export function padding(): Uint8Array {
  return header(29, 0).done();
}

/** A step in time too large for a record's 27 bits. */
export function timeExtend(ns: bigint): Uint8Array {
  return header(30, Number(ns & 0x7ffffffn))
    .number(ns >> 27n, 4)
    .done();
}

/** An absolute time, of which 59 bits are stored. */
export function timeStamp(ns: bigint): Uint8Array {
  const stored = ns & ((1n << 59n) - 1n);
  return header(31, Number(stored & 0x7ffffffn))
    .number(stored >> 27n, 4)
    .done();
}

export interface PageOptions {
  readonly size?: number;
  /** Records were lost before the page: how many, or −1 if the kernel did not know. */
  readonly missed?: bigint | -1;
  /** Overrides the number of bytes the page says it has. */
  readonly commit?: number;
  readonly longSize?: 4 | 8;
}

/** One ring-buffer page. */
export function page(
  time: bigint,
  parts: readonly Uint8Array[],
  options: PageOptions = {},
): Uint8Array {
  const { size = 4096, missed = 0, longSize = 8 } = options;
  const content = new ByteWriter();
  for (const part of parts) content.put(part);
  let commit = options.commit ?? content.length;
  if (missed !== 0) commit |= 0x80000000 | (missed === -1 ? 0 : 0x40000000);
  const out = new ByteWriter()
    .number(time, 8)
    .number(commit >>> 0, longSize)
    .put(content.done());
  if (missed !== 0 && missed !== -1) out.number(missed, longSize);
  return out.put(new Uint8Array(size - out.length)).done();
}
