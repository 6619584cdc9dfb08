-- vpmu log, schema 1: the truth (append-only, hash-chained) and its projections (derived, droppable).
-- Unsigned 64-bit numbers (times, configs) are stored in two's complement: 2^64 - 1 is -1.

PRAGMA application_id = 0x76706d75; -- 'vpmu'

-- One call of the importer: all its recordings, merged in time order. `hash` closes the chain over the segments of the
-- run and over the rows it added to the side tables.
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  events INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- Up to 4096 events in order of their sequence numbers. `first_time` and `last_time` are effective times (running
-- maximum inside the run), `min_time` is the smallest time as recorded. `kinds`: bit k set = an event of kind k is in it.
-- `vcpus`: bits 0..61 slots, 62 any higher slot, 63 an event without vCPU. `kind_counts`: JSON, kind number to count.
-- `columns_crc` is over `columns`, `header_crc` over all the columns before it; `hash` is the chain.
CREATE TABLE segment (
  number INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  events INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  first_time INTEGER NOT NULL,
  last_time INTEGER NOT NULL,
  kinds INTEGER NOT NULL,
  vcpus INTEGER NOT NULL,
  kind_counts TEXT NOT NULL,
  codec TEXT NOT NULL,
  columns_crc INTEGER NOT NULL,
  header_crc INTEGER NOT NULL,
  hash BLOB NOT NULL,
  columns BLOB NOT NULL
) STRICT;

-- One recording; `id` is the `source` of its events. `facts` and `notices` are JSON.
CREATE TABLE import (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  digest TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  events INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  first_seq INTEGER,
  last_seq INTEGER,
  facts TEXT NOT NULL,
  notices TEXT NOT NULL
) STRICT;

-- Strings that events refer to by number; 0 is the empty string and has no row.
CREATE TABLE name (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;

-- perf_event_attrs that events refer to by number; 0 means "not recorded" and has no row.
CREATE TABLE attr (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  type INTEGER NOT NULL,
  config1 INTEGER NOT NULL,
  attr_flags INTEGER NOT NULL,
  cpu INTEGER NOT NULL,
  task INTEGER NOT NULL
) STRICT;

-- What a run learned of a vCPU; of several rows of one slot the one of the latest run holds.
CREATE TABLE vcpu (
  slot INTEGER NOT NULL,
  run INTEGER NOT NULL,
  vcpu_index INTEGER NOT NULL,
  tid INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  learned_from TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (slot, run)
) STRICT, WITHOUT ROWID;

-- The last name a run saw of a thread; of several rows of one thread the one of the latest run holds.
CREATE TABLE thread (
  tid INTEGER NOT NULL,
  run INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (tid, run)
) STRICT, WITHOUT ROWID;

-- Append-only: rows come in order, belong to the run under way (its own row comes last) and stay as they are. The insert
-- triggers also stop INSERT OR REPLACE, which would delete without firing a delete trigger.

CREATE TRIGGER run_insert BEFORE INSERT ON run
WHEN new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: run'); END;
CREATE TRIGGER run_update BEFORE UPDATE ON run
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: run'); END;
CREATE TRIGGER run_delete BEFORE DELETE ON run
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: run'); END;

CREATE TRIGGER segment_insert BEFORE INSERT ON segment
WHEN new.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM segment)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: segment'); END;
CREATE TRIGGER segment_update BEFORE UPDATE ON segment
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: segment'); END;
CREATE TRIGGER segment_delete BEFORE DELETE ON segment
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: segment'); END;

CREATE TRIGGER import_insert BEFORE INSERT ON import
WHEN new.id IS NULL OR new.id <= (SELECT coalesce(max(id), 0) FROM import)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: import'); END;
CREATE TRIGGER import_update BEFORE UPDATE ON import
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: import'); END;
CREATE TRIGGER import_delete BEFORE DELETE ON import
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: import'); END;

CREATE TRIGGER name_insert BEFORE INSERT ON name
WHEN new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM name)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: name'); END;
CREATE TRIGGER name_update BEFORE UPDATE ON name
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: name'); END;
CREATE TRIGGER name_delete BEFORE DELETE ON name
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: name'); END;

CREATE TRIGGER attr_insert BEFORE INSERT ON attr
WHEN new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM attr)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: attr'); END;
CREATE TRIGGER attr_update BEFORE UPDATE ON attr
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: attr'); END;
CREATE TRIGGER attr_delete BEFORE DELETE ON attr
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: attr'); END;

CREATE TRIGGER vcpu_insert BEFORE INSERT ON vcpu
WHEN EXISTS (SELECT 1 FROM vcpu WHERE slot = new.slot AND run = new.run)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: vcpu'); END;
CREATE TRIGGER vcpu_update BEFORE UPDATE ON vcpu
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: vcpu'); END;
CREATE TRIGGER vcpu_delete BEFORE DELETE ON vcpu
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: vcpu'); END;

CREATE TRIGGER thread_insert BEFORE INSERT ON thread
WHEN EXISTS (SELECT 1 FROM thread WHERE tid = new.tid AND run = new.run)
  OR new.run IS NOT (SELECT coalesce(max(id), 0) + 1 FROM run)
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: thread'); END;
CREATE TRIGGER thread_update BEFORE UPDATE ON thread
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: thread'); END;
CREATE TRIGGER thread_delete BEFORE DELETE ON thread
BEGIN SELECT raise(ABORT, 'a vpmu log is append-only: thread'); END;

-- Projections. A set of checkpoints belongs to one replay (`key`) of one state of the log (`head`: its last chain hash).
CREATE TABLE checkpoint_set (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  head BLOB NOT NULL,
  UNIQUE (key, head)
) STRICT;

-- `crc` is over key, head, time, ordinal, cursor and state; `time` is the effective time, `ordinal` the number of events replayed.
CREATE TABLE checkpoint (
  id INTEGER PRIMARY KEY,
  set_id INTEGER NOT NULL REFERENCES checkpoint_set (id) ON DELETE CASCADE,
  time INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  cursor TEXT NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (set_id, time, ordinal)
) STRICT;
