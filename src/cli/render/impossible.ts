import type { Diagnosis, Impossible } from '../../index.ts';
import { evidenceText } from './diagnosis-words.ts';
import { plural } from './text.ts';

/** Impossible values printed; the rest is counted. */
const SHOWN = 8;

/** What a person does about each kind. */
const ADVICE: Readonly<Record<Impossible['code'], string>> = {
  'too-fast': 'check the clock of the recording and its records around these reads',
  'too-wide': 'check the recorder: it may have read more bytes than the register has',
  'runs-longer': 'check the recorder of the event times',
  backwards: 'a write, reset or restore is not in the recording, or the causes below name it',
  'metric-sum': 'the metrics were not read in one span with their slots',
};

/** Values that cannot be, one sentence each, before everything they are compared with; empty when there are none. */
export function impossibleText({ windows }: Pick<Diagnosis, 'windows'>): readonly string[] {
  const all = windows.flatMap(({ window, impossible }) =>
    impossible.map((value) => ({ window, value })),
  );
  if (all.length === 0) return [];
  const lines = all
    .slice(0, SHOWN)
    .map(
      ({ window, value }) =>
        `vcpu${window.vcpu} counter ${window.counter}: ${value.text} ${evidenceText(value.evidence, SHOWN)} (${value.code}: ${ADVICE[value.code]})`,
    );
  const more = all.length - lines.length;
  return [
    `${plural(all.length, 'value')} that cannot be:`,
    ...lines,
    ...(more > 0 ? [`${more} more (--json lists all).`] : []),
  ];
}
