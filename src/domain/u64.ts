export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** `0x…` in lower case: how registers and pointers are printed. */
export function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** Decimal with thousands separators: how counts are printed. */
export function grouped(value: bigint | number): string {
  return value.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
