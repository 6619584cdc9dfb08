/** `part` drawn `times` times; it gets the number of the turn, from 0. */
export function repeat(times: number, part: (turn: number) => string): string {
  return Array.from({ length: times }, (_, turn) => part(turn)).join('\n');
}

/** An arm64 guest has its cycle counter at 0 and everything disabled. */
export const ARM_START = `
  0    v0 reset
  1us  v0 enter
  +1us v0 exit SYS64
  +100 v0 write PMCNTENCLR_EL0 0xffffffff
  +100 v0 write PMCCFILTR_EL0 0x0
  +100 v0 write PMCCNTR_EL0 0x0
`;

/** … and enables it: KVM makes event e1, and the PMU driver finds a counter for it. */
export const ARM_CYCLES = `
  ${ARM_START}
  +100 v0 write PMCNTENSET_EL0 0x80000000
  +100 v0 entry write PMCR_EL0 0x1
  +100 v0 create 31 e1 config=0x11 period=0
  +100 v0 place e1
  +100 v0 done write PMCR_EL0 0x1
`;
