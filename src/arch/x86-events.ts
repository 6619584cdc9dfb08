/** Event numbers here are select | umask << 8, AMD's select bits 11:8 at 35:32 (the selector's layout). */

/** Architectural events by their bit in leaf 0xA EBX (SDM volume 3 table 21-1). */
export const ARCHITECTURAL_EVENTS: readonly { readonly event: number; readonly name: string }[] = [
  { event: 0x003c, name: 'cycles' },
  { event: 0x00c0, name: 'instructions' },
  { event: 0x013c, name: 'bus-cycles' },
  { event: 0x4f2e, name: 'cache-references' },
  { event: 0x412e, name: 'cache-misses' },
  { event: 0x00c4, name: 'branches' },
  { event: 0x00c5, name: 'branch-misses' },
];

/** Bit in leaf 0xA EBX of an architectural event; −1 for another event. */
export function architecturalEvent(event: number): number {
  return ARCHITECTURAL_EVENTS.findIndex((entry) => entry.event === event);
}

/** perf's general event of each fixed counter (semantics B.3; slots: D.1). */
export const FIXED_EVENTS: readonly number[] = [0x00c0, 0x003c, 0x0300, 0x0400];

/** What KVM counts itself: [Intel, AMD] of [instructions retired, branches retired] (semantics B.8). */
export const SOFT_EVENTS = [
  [0x00c0, 0x00c4],
  [0x00c0, 0x00c2],
] as const;

/** PERF_TYPE_HARDWARE number by [event on Intel, event on AMD] (Linux 4.14 arch/x86/kvm; ref-cycles has a code of its own there). */
const HARDWARE: readonly (readonly [number, number])[] = [
  [0x003c, 0x0076],
  [0x00c0, 0x00c0],
  [0x4f2e, 0x077d],
  [0x412e, 0x077e],
  [0x00c4, 0x00c2],
  [0x00c5, 0x00c3],
  [0x013c, -1],
  [-1, 0x00d0],
  [-1, 0x00d1],
  [0x3000, -1],
];

/** Linux 4.14's own code for reference cycles on a GP counter, and the leaf 0xA bit it looks at for it. */
export const PSEUDO_REF_CYCLES = 0x3000;
export const PSEUDO_REF_BIT = 7;

/** Linux 4.14's PERF_TYPE_HARDWARE number of an event; −1 if it is asked for raw. */
export function hardwareEvent(event: number, intel: boolean, fixed: boolean): number {
  if (fixed && event === 0x0300) return 9;
  return HARDWARE.findIndex((row) => row[intel ? 0 : 1] === event);
}

/** The event behind a PERF_TYPE_HARDWARE number of Linux 4.14; undefined where the vendor has none. */
export function eventOfHardware(number: number, intel: boolean): number | undefined {
  if (number === 9) return intel ? 0x0300 : undefined;
  const event = HARDWARE[number]?.[intel ? 0 : 1];
  return event === undefined || event < 0 ? undefined : event;
}

/** Names of AMD's basic events, perf's where it has one (Linux arch/x86/events/amd/core.c, PPR). */
const AMD_EVENTS: readonly (readonly [event: number, name: string])[] = [
  [0x0076, 'cycles'],
  [0x00c0, 'instructions'],
  [0x00c2, 'branches'],
  [0x00c3, 'branch-misses'],
  [0x077d, 'cache-references'],
  [0x077e, 'cache-misses'],
  [0x00d0, 'stalled-cycles-frontend'],
  [0x00d1, 'stalled-cycles-backend'],
];

const NAMES = {
  intel: new Map<number, string>([
    ...ARCHITECTURAL_EVENTS.map(({ event, name }): [number, string] => [event, name]),
    [0x0300, 'ref-cycles'], // perf's own code of fixed counter 2
    [0x0400, 'slots'], // perf's own code of fixed counter 3
  ]),
  amd: new Map<number, string>(AMD_EVENTS),
} as const;

/** perf's name of an event (select | umask << 8, AMD's high bits at 35:32); undefined if it has none. */
export function x86EventName(event: number, vendor: 'intel' | 'amd'): string | undefined {
  return NAMES[vendor].get(event);
}

/** `instructions`, or `0x1c2` for an event without a name. */
export function x86EventLabel(event: number, vendor: 'intel' | 'amd'): string {
  return x86EventName(event, vendor) ?? `0x${event.toString(16)}`;
}

/** perf's other names of some events (perf-list(1)). */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['cpu-cycles', 'cycles'],
  ['branch-instructions', 'branches'],
  ['idle-cycles-frontend', 'stalled-cycles-frontend'],
  ['idle-cycles-backend', 'stalled-cycles-backend'],
]);

const BY_NAME = {
  intel: new Map([...NAMES.intel].map(([event, name]) => [name, event])),
  amd: new Map([...NAMES.amd].map(([event, name]) => [name, event])),
} as const;

/** Select, unit mask and AMD's high select bits of a selector or of a raw perf config. */
export function x86EventOf(selector: bigint): number {
  return Number(selector & 0xf_0000_ffffn);
}

/**
 * Number of an event as people type it or perf prints it: `instructions`, `r1c2`, `0x1c2`, `cpu/event=0xc2,umask=1/`.
 * Modifiers must be cut off before. Undefined if it is none of this vendor's.
 */
export function x86EventByName(text: string, vendor: 'intel' | 'amd'): number | undefined {
  const raw = /^(?:0x|r)([0-9a-f]{1,16})$/i.exec(text)?.[1];
  if (raw !== undefined) return x86EventOf(BigInt(`0x${raw}`));
  const fields = /^cpu\/event=0x([0-9a-f]{1,3})(?:,umask=0x([0-9a-f]{1,2}))?\/$/i.exec(text);
  if (fields !== null) {
    const select = Number.parseInt(fields[1]!, 16);
    const umask = Number.parseInt(fields[2] ?? '0', 16);
    return (select & 0xff) + umask * 0x100 + (select >> 8) * 2 ** 32;
  }
  const name = /^cpu\/([^/=]+)\/$/.exec(text)?.[1] ?? text;
  const lower = name.toLowerCase();
  return BY_NAME[vendor].get(ALIASES.get(lower) ?? lower);
}

/** Every name an event can be asked for by. */
export function x86EventNames(vendor: 'intel' | 'amd'): readonly string[] {
  return [...BY_NAME[vendor].keys(), ...ALIASES.keys()];
}
