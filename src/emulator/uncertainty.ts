/** Why something in the model is not exact. Numbers are part of snapshots: append only. */
export const UncertaintyReason = {
  none: 0,
  initialState: 1,
  valueNotRecorded: 2,
  countNotRecorded: 3,
  recordsLost: 4,
  overflowNotRecorded: 5,
  selectorUnknown: 6,
  gateUnknown: 7,
  typeUnknown: 8,
  outcomeUnknown: 9,
  upperHalfUnknown: 10,
  userspaceUnknown: 11,
} as const;
export type UncertaintyReason = (typeof UncertaintyReason)[keyof typeof UncertaintyReason];

/** Stable word (for programs) and clause (for people) of every reason, by number. */
export const UNCERTAINTY_REASONS: readonly { readonly code: string; readonly text: string }[] = [
  { code: 'none', text: 'exact' },
  {
    code: 'initial-state-not-recorded',
    text: 'its value when the recording began is not recorded',
  },
  { code: 'value-not-recorded', text: 'a written value was not recorded' },
  { code: 'count-not-recorded', text: 'how far the backing event counted is not recorded' },
  { code: 'records-lost', text: 'the recorder lost records' },
  { code: 'overflow-not-recorded', text: 'an overflow may have happened that was not recorded' },
  { code: 'selector-not-known', text: 'it was accessed through PMSELR while that was not known' },
  { code: 'gate-not-known', text: 'whether the counter was enabled is not known' },
  { code: 'type-not-known', text: 'which event the counter was programmed for is not known' },
  { code: 'outcome-not-known', text: 'whether an access was refused is not known' },
  { code: 'upper-half-not-known', text: 'only the low 32 bits were seen' },
  { code: 'userspace-not-recorded', text: 'the VMM may have set it without a record' },
];
