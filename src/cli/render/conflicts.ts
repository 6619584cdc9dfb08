import type { RecordingConflict } from '../../log/recording-conflicts.ts';
import type { Shell } from '../shell.ts';
import { printable } from './text.ts';

/** Says beside the result which recordings contradict or repeat each other. */
export function noteConflicts(shell: Shell, conflicts: readonly RecordingConflict[]): void {
  for (const conflict of conflicts) {
    shell.note(`vpmu: ${shell.style('warning', 'warning')}: ${printable(conflict.text)}`);
    shell.note(`hint: ${conflict.hint}`);
  }
}

/** Says it in the result, before what has to be read with it. `mark` begins each line. */
export function printConflicts(
  shell: Shell,
  conflicts: readonly RecordingConflict[],
  mark: string = '',
): void {
  for (const conflict of conflicts) {
    shell.print(`${mark}${shell.style('warning', 'warning')}: ${printable(conflict.text)}`);
    shell.print(`${mark}  ${conflict.hint}`);
  }
  if (conflicts.length > 0) shell.print();
}

/** A conflict for programs. */
export function conflictJson({ code, recordings, text }: RecordingConflict) {
  return { code, recordings, text };
}

/** A result for programs, and what has to be read with it. */
export function withConflicts(result: unknown, conflicts: readonly RecordingConflict[]): object {
  return { ...(result as object), conflicts: conflicts.map(conflictJson) };
}
