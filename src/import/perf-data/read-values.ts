import { ReadFormat } from './format.ts';

/** Where READ ends, −1 if that is beyond the record. */
export function readEnd(
  format: number,
  view: DataView,
  p: number,
  from: number,
  size: number,
): number {
  const times =
    8 *
    (((format & ReadFormat.enabled) !== 0 ? 1 : 0) + ((format & ReadFormat.running) !== 0 ? 1 : 0));
  const each =
    8 * (1 + ((format & ReadFormat.id) !== 0 ? 1 : 0) + ((format & ReadFormat.lost) !== 0 ? 1 : 0));
  let end = from + times + each;
  if (format & ReadFormat.group) {
    if (from + 8 > size || view.getUint32(p + from + 4, true) !== 0) return -1;
    const count = view.getUint32(p + from, true);
    if (count > size / 8) return -1;
    end = from + 8 + times + each * count;
  }
  return end > size ? -1 : end;
}
