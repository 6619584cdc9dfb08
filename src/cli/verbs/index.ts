import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { addCheck } from './check.ts';
import { addDiagnose } from './diagnose.ts';
import { addDiff } from './diff.ts';
import { addEvents } from './events.ts';
import { addExplain } from './explain.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addInfo } from './info.ts';
import { addModels } from './models.ts';
import { addReplay } from './replay.ts';
import { addSlice } from './slice.ts';
import { addVerify } from './verify.ts';
import { addWhatIf } from './what-if.ts';

/** Adds one verb to the command line. */
export type AddVerb = (program: Command, shell: Shell) => void;

/** Every verb, in the order of the help text. */
export const VERBS: readonly AddVerb[] = [
  addImport,
  addInfo,
  addEvents,
  addReplay,
  addCheck,
  addDiff,
  addDiagnose,
  addWhatIf,
  addExplain,
  addSlice,
  addVerify,
  addExport,
  addModels,
];
