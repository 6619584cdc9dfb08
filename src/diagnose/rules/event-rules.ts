import { eventOfHardware } from '../../arch/x86-events.ts';
import type { Amount } from '../ledger/amount.ts';
import { isExact, minus } from '../ledger/amount.ts';
import {
  againstProgram,
  backingOf,
  countsEmulated,
  EVENT_BITS,
  hex,
  isFixed,
  isZen,
} from './facts.ts';
import {
  type Compared,
  duration,
  excluded,
  finding,
  type Rule,
  type RunFacts,
  undecided,
} from './rule.ts';

const TYPE_HARDWARE = 0;
const TYPE_RAW = 4;
/** Of PERF_TYPE_HARDWARE: cache references and misses, stalled cycles: Zen's own perf has other events for them. */
const RENUMBERED_ON_ZEN: ReadonlySet<number> = new Set([2, 3, 7, 8]);
const AMD_HIGH_EVENT = 0xf_0000_0000n;
const ARM64_EVENT = 0xffffn;
const ARM64_CYCLES = 31;

/** What the guest selected, without its filter and enable bits. */
function selectedEvent({ window, run }: Compared): bigint | undefined {
  const { selector } = window.records;
  if (selector === null || isFixed(window, run)) return undefined;
  if (run.arch === 'arm64') {
    return window.counter === ARM64_CYCLES ? undefined : selector.value & ARM64_EVENT;
  }
  return selector.value & EVENT_BITS;
}

/** The backing event is another one than the guest selected. */
const eventRemapped: Rule = {
  code: 'event-remapped',
  judge(compared) {
    const { window, run, difference } = compared;
    const selected = selectedEvent(compared);
    const backing = backingOf(window);
    if (selected === undefined || backing?.attr === undefined) return undefined;
    const evidence = [window.records.selector!.seq, backing.seq];
    const { type } = backing.attr;
    const asked = `type ${type}, config ${hex(backing.config)}`;
    const proven = (text: string) =>
      finding('event-remapped', 'proven', text, evidence, { amount: difference });
    if (type === TYPE_HARDWARE && run.arch === 'x86') {
      const number = Number(backing.config);
      const meant = eventOfHardware(number, run.vendor === 'intel');
      if (meant === undefined || BigInt(meant) !== selected) {
        return proven(`The guest selected ${hex(selected)}; host perf was asked for ${asked}.`);
      }
      const zen = RENUMBERED_ON_ZEN.has(number) ? isZen(run) : false;
      const text = `The guest selected ${hex(selected)}; host perf was asked for its general event ${number}, which is another event on Zen.`;
      if (zen === undefined) return undecided('event-remapped', text, ['cpu-model'], evidence);
      if (zen) return proven(text);
      return excluded(
        'event-remapped',
        'the general event asked for is the selected one',
        evidence,
      );
    }
    if (run.arch === 'x86' && type !== TYPE_RAW) return undefined;
    if (run.arch === 'arm64' && type <= TYPE_RAW && type !== TYPE_RAW) return undefined;
    const same = (backing.config & (run.arch === 'x86' ? EVENT_BITS : ARM64_EVENT)) === selected;
    if (same)
      return excluded('event-remapped', 'host perf was asked for the selected event', evidence);
    if (lostHighBits(backing.config, selected, run)) return undefined;
    return proven(`The guest selected ${hex(selected)}; host perf was asked for ${asked}.`);
  },
};

function lostHighBits(config: bigint, selected: bigint, { vendor }: RunFacts): boolean {
  const high = selected & AMD_HIGH_EVENT;
  return vendor === 'amd' && high !== 0n && (config & EVENT_BITS) === selected - high;
}

/** Selector bits were refused, dropped, or taken for others. */
const eventBitsLost: Rule = {
  code: 'event-bits-lost',
  judge(compared) {
    const { window, run } = compared;
    const { refusedControl, readings, selector } = window.records;
    if (refusedControl !== null) {
      const after = readings.findLast(({ seq }) => seq > refusedControl.seq);
      const { at, seq, value } = refusedControl;
      const refused = `The write of ${hex(value)} to ${hex(refusedControl.code)} was refused (#GP): every later value is suspect`;
      if (after === undefined || at === null || after.value <= at.high) {
        return finding('event-bits-lost', 'consistent', `${refused}.`, [seq], {
          missing: ['register-values'],
        });
      }
      const moved: Amount = { low: after.value - at.high, high: after.value - at.low };
      return finding(
        'event-bits-lost',
        'proven',
        `${refused}; the counter went on as before it.`,
        [seq, after.seq],
        { amount: againstProgram(compared, moved) },
      );
    }
    const selected = selectedEvent(compared);
    const backing = backingOf(window);
    if (run.vendor !== 'amd' || selected === undefined || selector === null) return undefined;
    const high = selected & AMD_HIGH_EVENT;
    if (high === 0n || backing === null) return undefined;
    const evidence = [selector.seq, backing.seq];
    if (lostHighBits(backing.config, selected, run)) {
      return finding(
        'event-bits-lost',
        'proven',
        `The selector ${hex(selector.value)} has event bits 35:32; host perf was asked for ${hex(backing.config)} without them.`,
        evidence,
      );
    }
    if ((high & IN_TXCP) !== 0n && backing.period === 0n) {
      return finding(
        'event-bits-lost',
        'proven',
        `Event bits 35:32 of the selector ${hex(selector.value)} were taken for Intel's IN_TX bits: the event was made without a period and never overflows.`,
        evidence,
      );
    }
    return excluded('event-bits-lost', 'host perf was asked for all bits of the event', evidence);
  },
};

/** Bit 33 of a selector: IN_TXCP on Intel, an event bit on AMD. */
const IN_TXCP = 1n << 33n;
/** Guest time in which any event counts something, ns. */
const LONG_ENOUGH = 100_000;
const FILTERED = /^denied by the event filter/;

/** The VMM's filter forbids the event. */
const eventFiltered: Rule = {
  code: 'event-filtered',
  judge(compared) {
    const { window, run, difference } = compared;
    const { filter } = run.marks;
    if (
      filter !== null &&
      run.arch === 'x86' &&
      !isFixed(window, run) &&
      window.event !== undefined
    ) {
      const listed = filter.events.includes(BigInt(window.event));
      if (listed !== filter.deny) {
        return excluded('event-filtered', 'the filter allows the event', [filter.seq]);
      }
      const leaked = countsEmulated(window, run) ? window.guest : null;
      return finding(
        'event-filtered',
        'proven',
        `The VMM's event filter denies ${window.eventName}: KVM asks host perf for nothing.`,
        [filter.seq],
        { amount: difference !== null && leaked !== null ? minus(difference, leaked) : difference },
      );
    }
    const closed = window.gates.filter(({ gate, guestNs }) => FILTERED.test(gate) && guestNs > 0);
    if (closed.length === 0) {
      const { guest, records, enabled } = window;
      const still =
        guest !== null && isExact(guest) && guest.low <= BigInt(records.emulatedOn.count);
      if (run.arch !== 'x86' || !still || window.reads === 0 || enabled.ns < LONG_ENOUGH)
        return undefined;
      if (records.backing !== null || window.happenings.created.count > 0) return undefined;
      return undecided(
        'event-filtered',
        `all gates were open for ${duration(enabled.ns)} of guest time, and the counter shows nothing but emulated instructions`,
        ['event-filter', 'backing-events'],
        [window.lastRead],
      );
    }
    const ns = closed.reduce((sum, { guestNs }) => sum + guestNs, 0);
    return finding(
      'event-filtered',
      'consistent',
      `All gates were open for ${duration(ns)} of guest time and KVM asked host perf for nothing, while it did for other events.`,
      closed.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]),
      { amount: difference, missing: ['event-filter'] },
    );
  },
};

export const EVENT_RULES: readonly Rule[] = [eventRemapped, eventBitsLost, eventFiltered];
