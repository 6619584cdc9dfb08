import { EventKind } from '../../domain/event-kind.ts';

/** Kinds of records that belong to no window, or only move the replay on. */
export const IGNORED: readonly EventKind[] = [
  EventKind.schedMigrate,
  EventKind.halt,
  EventKind.wakeup,
  EventKind.userspaceExit,
  EventKind.counterGet,
  EventKind.counterSet,
  EventKind.eventTypeSet,
  EventKind.pmcrHandle,
  EventKind.maskEnable,
  EventKind.maskDisable,
  EventKind.softwareIncrement,
  EventKind.hostRdpmc,
  EventKind.count,
  EventKind.countSpread,
  EventKind.clock,
  EventKind.vmCreate,
  EventKind.emulated,
  EventKind.pmuRefresh,
  EventKind.cpuid,
];
