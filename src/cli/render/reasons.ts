import { UNCERTAINTY_REASONS } from '../../emulator/uncertainty.ts';

const TEXTS: ReadonlyMap<string, string> = new Map([
  ...UNCERTAINTY_REASONS.map(({ code, text }) => [code, text] as const),
  ['constant-not-seen-elsewhere', 'a constant of the VM that only this record shows'],
]);

/** Why a value is not exact, for people; a word that is not known stands for itself. */
export function reasonText(code: string): string {
  return TEXTS.get(code) ?? code;
}
