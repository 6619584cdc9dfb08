import { EventKind } from '../../domain/event-kind.ts';
import { firstJump } from './facts.ts';
import { migrationGap } from './migration-gap-rule.ts';
import { excluded, finding, olderThan, type Rule, undecided } from './rule.ts';
import { liveTwice } from './value-rules.ts';

/** The live part of a count was doubled or dropped when the VMM wrote it. */
const migrationStale: Rule = {
  code: 'migration-stale',
  judge({ window }) {
    const { opening, restoredAt, restoredPmcr } = window.records;
    if (restoredPmcr !== null && restoredPmcr.seq === opening.seq) return undefined;
    if (opening.by !== 'vmm') {
      const { vmmAccess } = window.happenings;
      const raised = (firstJump(window)?.by.low ?? 0n) > 0n;
      return raised && vmmAccess.count > 0
        ? undecided(
            'migration-stale',
            'The VMM read registers and the counter jumped up; whether the VMM wrote it is not recorded.',
            ['vmm-marks'],
            vmmAccess.evidence,
          )
        : undefined;
    }
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
    const jump = firstJump(window);
    if (restoredPmcr === null) {
      const { migration } = window.happenings;
      const fell = jump !== undefined && jump.by.high < 0n;
      return fell && migration.count > 0
        ? undecided(
            'migration-reset',
            'The VM was moved and the counter began again; what the VMM restored is not recorded.',
            ['vmm-marks'],
            [...migration.evidence, jump.seq],
          )
        : undefined;
    }
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

/** PMU state outlives a reset of the VM. */
const resetLeftover: Rule = {
  code: 'reset-leftover',
  judge({ window }) {
    const { leftover, vmReset, selector } = window.records;
    if (leftover.count === 0) {
      const goesOn =
        vmReset > window.fromSeq &&
        vmReset < window.toSeq &&
        selector !== null &&
        selector.seq < vmReset;
      return goesOn
        ? undecided(
            'reset-leftover',
            'The VM was reset while the counter was on; what its registers held after that is not recorded.',
            ['register-values'],
            [vmReset],
          )
        : undefined;
    }
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
/** Control writes of a counter that is switched on and off all the time. */
const MANY_WRITES = 16;

/** The same event is created again and again. */
const eventChurn: Rule = {
  code: 'event-churn',
  judge({ window, run }) {
    const { createdAlike } = window.records;
    const { controlWrite } = window.happenings;
    if (createdAlike.count === 0) {
      const recorded = run.kinds.has(EventKind.eventCreate);
      const churns = run.arch === 'x86' && olderThan(run, 5, 5) === true;
      return churns && !recorded && controlWrite.count >= MANY_WRITES
        ? undecided(
            'event-churn',
            `${controlWrite.count} control writes, each of which creates the event anew on this kernel; creations are not recorded.`,
            ['backing-events'],
            controlWrite.evidence,
          )
        : undefined;
    }
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
