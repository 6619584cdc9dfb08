import { firstJump } from './facts.ts';
import { excluded, finding, olderThan, percent, type Rule, undecided } from './rule.ts';
import { liveTwice } from './value-rules.ts';

/** The live part of a count was doubled or dropped when the VMM wrote it. */
const migrationStale: Rule = {
  code: 'migration-stale',
  judge({ window }) {
    const { opening, restoredAt, restoredPmcr } = window.records;
    if (opening.by !== 'vmm' || restoredPmcr?.seq === opening.seq) return undefined;
    const twice = liveTwice(window);
    if (twice !== undefined) {
      return finding(
        'migration-stale',
        'proven',
        'The VMM wrote the counter; KVM stored the value and left what its live event had counted in the sum.',
        [opening.seq, twice.seq],
        { integerProof: true },
      );
    }
    const jump = firstJump(window);
    const { live } = opening;
    if (
      jump !== undefined &&
      live !== null &&
      live.low > 0n &&
      jump.by.low <= -live.low &&
      jump.by.high >= -live.high
    ) {
      return finding(
        'migration-stale',
        'proven',
        'After the VMM moved the state the counter lacks what its live event had counted.',
        [restoredAt, jump.seq],
        { amount: jump.by, integerProof: true },
      );
    }
    if (window.reads === 0) {
      return undecided(
        'migration-stale',
        'the VMM wrote the counter and no read of it follows',
        ['register-values'],
        [opening.seq],
      );
    }
    return excluded('migration-stale', 'the value goes on after the VMM wrote it', [opening.seq]);
  },
};

/** Reset bits of a restored PMCR acted again. */
const migrationReset: Rule = {
  code: 'migration-reset',
  judge({ window, run }) {
    const { restoredPmcr, readings } = window.records;
    if (restoredPmcr === null) return undefined;
    const jump = firstJump(window);
    const first = readings[0];
    if (jump === undefined || first === undefined) {
      return window.reads > 0
        ? excluded('migration-reset', 'the value goes on after the restore', [restoredPmcr.seq])
        : undecided(
            'migration-reset',
            'PMCR was restored with its reset bits',
            ['register-values'],
            [restoredPmcr.seq],
          );
    }
    if (jump.by.high >= 0n) return undefined;
    if (olderThan(run, 6, 3) === false)
      return excluded('migration-reset', 'the host kernel does not act on them', [
        restoredPmcr.seq,
      ]);
    return finding(
      'migration-reset',
      'proven',
      'PMCR was restored with its reset bits, and the first run acted on them: the counter began again.',
      [restoredPmcr.seq, jump.seq],
      { amount: jump.by },
    );
  },
};

/** Bit U of a type register: EL0 is not counted. */
const TYPE_U = 1n << 30n;

/** EL0 is not counted after a restore until the thread is switched. */
const migrationGap: Rule = {
  code: 'migration-gap',
  judge({ window, run, difference, host }) {
    const { restoredAt, switchedAfterRestore, selector } = window.records;
    if (run.arch !== 'arm64' || restoredAt === 0 || restoredAt > window.toSeq) return undefined;
    if (selector !== null && (selector.value & TYPE_U) !== 0n) return undefined;
    if (olderThan(run, 6, 3) === false)
      return excluded('migration-gap', 'the host kernel counts from the first load on', [
        restoredAt,
      ]);
    if (difference === null || host === null || difference.high >= 0n) return undefined;
    const evidence = [
      restoredAt,
      ...(switchedAfterRestore > 0 ? [switchedAfterRestore] : []),
      host.toSeq,
    ];
    return finding(
      'migration-gap',
      'consistent',
      `The guest counted ${percent(Number(-difference.high) / Math.max(1, Number(host.host)))} less than the host from the restore on${switchedAfterRestore > 0 ? ', before the thread was switched' : ''}: user mode is not counted until then.`,
      evidence,
      { amount: difference, missing: ['host-counts'] },
    );
  },
};

/** PMU state outlives a reset of the VM. */
const resetLeftover: Rule = {
  code: 'reset-leftover',
  judge({ window }) {
    const { leftover } = window.records;
    if (leftover.count === 0) return undefined;
    return finding(
      'reset-leftover',
      'proven',
      'After the reset of the VM and before its first PMU write the counter still is programmed, or interrupts.',
      leftover.evidence,
    );
  },
};

/** Creations with the attributes of the one before that are no accident. */
const ALIKE = 3;

/** The same event is created again and again. */
const eventChurn: Rule = {
  code: 'event-churn',
  judge({ window }) {
    const { createdAlike } = window.records;
    const { controlWrite } = window.happenings;
    if (createdAlike.count === 0) return undefined;
    if (createdAlike.count < ALIKE) {
      return excluded(
        'event-churn',
        `${createdAlike.count} creations were like the one before`,
        createdAlike.evidence,
      );
    }
    return finding(
      'event-churn',
      'proven',
      `${createdAlike.count} creations had the attributes of the one before, for ${controlWrite.count} control writes.`,
      createdAlike.evidence,
    );
  },
};

export const MOVEMENT_RULES: readonly Rule[] = [
  migrationStale,
  migrationReset,
  migrationGap,
  resetLeftover,
  eventChurn,
];
