import type { Judgement } from '../ledger/judgement.ts';
import {
  type Compared,
  duration,
  excluded,
  finding,
  openNs,
  percent,
  type Rule,
  share,
  undecided,
} from './rule.ts';

/** The second enable alone is closed: the counter's own bit is on. */
const SECOND_GATE = /^(?:PMCR\.E is 0|GLOBAL_CTRL bit is 0)$/;

/** The counter's own enable is on, another gate is closed, and the counter never counted. */
const globalGate: Rule = {
  code: 'global-gate',
  judge(compared) {
    const { window, difference, host } = compared;
    const closed = window.gates.filter(
      ({ gate, guestNs }) => SECOND_GATE.test(gate) && guestNs > 0,
    );
    const unknown = window.gates.filter(
      ({ gate, guestNs }) => / not known/.test(gate) && guestNs > 0,
    );
    const lacks = difference !== null && difference.high < 0n;
    const zero = window.records.readings.at(-1)?.value === 0n && (host?.host ?? 0n) > 0n;
    const still = difference !== null && (window.atRead?.events === 0n || zero);
    if (closed.length === 0 && unknown.length > 0 && (lacks || still)) {
      return undecided(
        'global-gate',
        `the guest counts less than the host, and ${unknown[0]!.gate}`,
        ['register-values'],
        unknown.map(({ fromSeq }) => fromSeq),
      );
    }
    if (closed.length === 0)
      return excluded('global-gate', 'its second gate was never closed alone');
    const evidence = closed.flatMap(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
    const text = closed.map(({ gate, guestNs }) => `${gate} for ${duration(guestNs)}`).join(', ');
    const part = percent(
      share(
        closed.reduce((sum, { guestNs }) => sum + guestNs, 0),
        window.totals.guestNs,
      ),
    );
    const never = window.records.gateWritten
      ? ''
      : ' The guest never wrote that register: its reset value is wrong.';
    if (window.guest !== null && window.guest.low > 0n && openNs(window) === 0) {
      return excluded('global-gate', `${text}; the counter moved all the same`, evidence);
    }
    if (openNs(window) > 0)
      return partly(compared, `${text} (${part} of the guest time)`, evidence);
    return finding(
      'global-gate',
      'proven',
      `The counter's own enable is on and another gate is closed all the time: ${text} (${part} of the guest time).${never}`,
      evidence,
      { amount: difference },
    );
  },
};

/** A difference this near to the share of time that was closed is the closed gate's. */
const NEAR = 0.5;

/** Closed for a part: the guest lacks the host's count of that part, as far as the counts are even in time. */
function partly(
  { window, difference, host }: Compared,
  text: string,
  evidence: number[],
): Judgement {
  const closedNs = window.gates
    .filter(({ gate }) => SECOND_GATE.test(gate))
    .reduce((sum, { guestNs }) => sum + guestNs, 0);
  const whole = closedNs + openNs(window);
  const short = difference === null || host === null ? 0 : Number(-difference.high);
  const due = host === null ? 0 : Number(host.host) * share(closedNs, whole);
  if (difference === null || short <= 0 || Math.abs(short - due) > NEAR * due) {
    return excluded('global-gate', `${text}, open for the rest`, evidence);
  }
  return finding(
    'global-gate',
    'consistent',
    `A second gate was closed for a part: ${text}; the guest lacks about the host's count of that part.`,
    evidence,
    { amount: difference, missing: ['host-counts'] },
  );
}

export const REGISTER_RULES: readonly Rule[] = [globalGate];
