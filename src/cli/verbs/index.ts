import type { Command } from 'commander';
import type { Shell } from '../shell.ts';

/** Adds one verb to the command line. */
export type AddVerb = (program: Command, shell: Shell) => void;

/** A verb, as far as the list of verbs needs it: the rest is loaded when it is used. */
export interface Verb {
  readonly name: string;
  /** What its own command gives as its summary. */
  readonly summary: string;
  load(): Promise<AddVerb>;
}

/** Every verb, in the order of the help text. */
export const VERBS: readonly Verb[] = [
  {
    name: 'import',
    summary: 'put recordings into a log',
    load: async () => (await import('./import.ts')).addImport,
  },
  {
    name: 'info',
    summary: 'what a log or recording holds, and what was not understood',
    load: async () => (await import('./info.ts')).addInfo,
  },
  {
    name: 'events',
    summary: 'the events themselves, one line each',
    load: async () => (await import('./events.ts')).addEvents,
  },
  {
    name: 'replay',
    summary: 'every PMU register and counter at an instant',
    load: async () => (await import('./replay.ts')).addReplay,
  },
  {
    name: 'check',
    summary: 'every recorded guest read against what the model predicts',
    load: async () => (await import('./check.ts')).addCheck,
  },
  {
    name: 'diff',
    summary: 'guest counts against host counts over the same spans',
    load: async () => (await import('./diff.ts')).addDiff,
  },
  {
    name: 'diagnose',
    summary: 'why guest and host counts differ: causes with amounts and evidence',
    load: async () => (await import('./diagnose.ts')).addDiagnose,
  },
  {
    name: 'what-if',
    summary: 'what the guest would have read under other rules, and what it would have cost',
    load: async () => (await import('./what-if.ts')).addWhatIf,
  },
  {
    name: 'explain',
    summary: 'a cause of differing counts: what it is, what proves it, what to do',
    load: async () => (await import('./explain.ts')).addExplain,
  },
  {
    name: 'slice',
    summary: 'a small recording of a part, with the state it starts from',
    load: async () => (await import('./slice.ts')).addSlice,
  },
  {
    name: 'verify',
    summary: 'whether a log is what was imported',
    load: async () => (await import('./verify.ts')).addVerify,
  },
  {
    name: 'export',
    summary: 'events as JSON lines, which vpmu reads back, or as an SQLite database',
    load: async () => (await import('./export.ts')).addExport,
  },
  {
    name: 'query',
    summary: 'a log asked in SQL',
    load: async () => (await import('./query.ts')).addQuery,
  },
  {
    name: 'models',
    summary: 'the rule sets a recording can be replayed under',
    load: async () => (await import('./models.ts')).addModels,
  },
];
