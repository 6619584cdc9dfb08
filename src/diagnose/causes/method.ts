import type { CauseFacts } from './cause.ts';

/** What the recording itself leaves open. */
export const METHOD_CAUSES = {
  'trace-gap': {
    group: 'method',
    title: 'records were lost',
    definition:
      'The recorder lost records inside the window, or part of the window was not recorded.',
    direction: 'undecidable',
    size: 'what was lost',
    scalesWith: 'load of the recorder',
    needs: [],
    necessary: 'lost records, an entry without an exit, or a jump in time',
    proof: "a lost-record event inside the window on the vCPU's pCPU",
    ruledOutBy: 'a recording without losses and with paired entries and exits',
    remedy:
      'Record again with larger buffers or fewer events; nothing that rests on exact integers is proven in such a window.',
    sources: ['PERF_RECORD_LOST; missed events of the ring buffer'],
  },
  'unobserved-access': {
    group: 'method',
    title: 'the deciding access is not in the recording',
    definition:
      'The value or access that would decide is not in what was recorded: RDPMC values, passed-through MSRs, arm64 register values, states of perf events.',
    direction: 'undecidable',
    size: 'any',
    scalesWith: 'nothing',
    needs: [],
    necessary: 'the model or the architecture says that it is not recorded',
    proof: 'the same',
    ruledOutBy: 'the value is there from another source',
    remedy:
      'Add the recorder that is named: msr:* inside the guest, a probe in the host, periodic reads.',
    sources: ['semantics J'],
  },
  unexplained: {
    group: 'method',
    title: 'what is left',
    definition: 'The part of the difference no proven or consistent cause accounts for.',
    direction: 'the remainder',
    size: 'any',
    scalesWith: 'nothing',
    needs: [],
    necessary: 'a remainder above the error of the two numbers',
    proof: 'the same',
    ruledOutBy: 'the parts add up',
    remedy: 'Record what is named under "undecidable"; it would shrink the remainder.',
    sources: ['intel/pcm 02f3b00f: a difference its vendor never explained'],
  },
} as const satisfies Record<string, CauseFacts>;
