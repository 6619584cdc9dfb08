import { excluded, finding, type Rule } from './rule.ts';

/** Lost records inside the window. */
const traceGap: Rule = {
  code: 'trace-gap',
  judge({ window }) {
    const { lost } = window.happenings;
    if (lost.count === 0) return excluded('trace-gap', 'no lost record is reported in the window');
    return finding(
      'trace-gap',
      'proven',
      `The recorder lost records ${lost.count === 1 ? 'once' : `${lost.count} times`} inside the window: nothing that rests on exact integers is proven here.`,
      lost.evidence,
    );
  },
};

/** Values the recording does not hold. */
const unobservedAccess: Rule = {
  code: 'unobserved-access',
  judge({ window }) {
    if (window.guest !== null) return undefined;
    return {
      grade: 'undecidable',
      code: 'unobserved-access',
      text: `What the counter moved by is not known (${window.guestReason || 'not recorded'}).`,
      missing: window.reads > 0 ? ['backing-events'] : ['register-values', 'backing-events'],
      evidence: [],
    };
  },
};

export const METHOD_RULES: readonly Rule[] = [traceGap, unobservedAccess];
