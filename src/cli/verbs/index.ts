import type { Command } from 'commander';
import type { Shell } from '../shell.ts';
import { addCheck } from './check.ts';
import { addDiff } from './diff.ts';
import { addEvents } from './events.ts';
import { addExport } from './export.ts';
import { addImport } from './import.ts';
import { addInfo } from './info.ts';
import { addModels } from './models.ts';
import { addReplay } from './replay.ts';
import { addVerify } from './verify.ts';

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
  addVerify,
  addExport,
  addModels,
];
