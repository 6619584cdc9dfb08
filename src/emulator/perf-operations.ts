/** What a vPMU asked of host perf so far. */
export interface PerfOperations {
  creates: number;
  /** Creations that perf refused. */
  failedCreates: number;
  /** Enables of an event that existed already. */
  reuses: number;
  releases: number;
  /** Changes of the sample period of an event that existed already. */
  periods: number;
}

/** Nothing was asked of perf. */
export const NO_OPERATIONS: Readonly<PerfOperations> = {
  creates: 0,
  failedCreates: 0,
  reuses: 0,
  releases: 0,
  periods: 0,
};
