import type Database from 'better-sqlite3';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { KIND_SPECS, registerSpace } from '../../domain/event-kind.ts';
import type { Log } from '../types.ts';

/** What SQL is made of: a log, and what the log itself does not know. */
export interface SqlSource {
  readonly log: Pick<Log, 'imports' | 'vcpus' | 'threads' | 'names' | 'attr' | 'chunks'>;
  /** The selected events; each iteration reads anew. */
  chunks(): Iterable<EventChunk>;
  /** Name of a register by the columns of an access. */
  registerName(code: number, flags: number): string;
}

const SCHEMA = `
CREATE TABLE recording (id INTEGER PRIMARY KEY, name TEXT, format TEXT, role TEXT, kernel TEXT, arch TEXT, hostname TEXT,
  clock TEXT, events INTEGER, lost INTEGER, digest TEXT);
CREATE TABLE kind (id INTEGER PRIMARY KEY, name TEXT, grp TEXT, meaning TEXT, code TEXT, object TEXT, value TEXT, aux0 TEXT,
  aux1 TEXT);
CREATE TABLE vcpu (slot INTEGER PRIMARY KEY, vcpu_index INTEGER, tid INTEGER, pid INTEGER, learned_from TEXT);
CREATE TABLE thread (tid INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE attr (id INTEGER PRIMARY KEY, type INTEGER, config1 INTEGER, attr_flags INTEGER, cpu INTEGER, task INTEGER);
CREATE TABLE register (space INTEGER, code INTEGER, name TEXT, PRIMARY KEY (space, code)) WITHOUT ROWID;
`;

/** The events with their words: what most queries want. */
const VIEW = `
CREATE VIEW events AS SELECT
  e.seq, e.time, printf('%u.%09u', e.time / 1000000000, e.time % 1000000000) AS seconds, e.recording, k.name AS kind, e.pcpu,
  e.vcpu, e.tid, t.name AS thread, e.counter, r.name AS register, n.text AS name, e.code, e.object, e.value, e.aux0, e.aux1,
  CASE WHEN e.value IS NOT NULL THEN printf('0x%x', e.value) END AS value_hex, e.flags
FROM event e JOIN kind k ON k.id = e.kind LEFT JOIN thread t ON t.tid = e.tid
LEFT JOIN register r ON r.space = e.space AND r.code = e.code
LEFT JOIN name n ON k.code = 'name' AND n.id = e.code;
`;

/** Makes the tables beside `event` and the view over all of them. */
export function createSideTables(db: Database.Database, source: SqlSource): void {
  db.exec(SCHEMA);
  const { log } = source;
  fill(
    db,
    'recording',
    log.imports().map(({ source: id, facts, events, lost, digest }) => {
      const { name, format, role, kernelRelease, arch, hostname, clock } = facts;
      const said = [kernelRelease, arch, hostname, clock].map((text) => text ?? null);
      return [id, name, format, role, ...said, events, BigInt.asIntN(64, lost), digest];
    }),
  );
  fill(
    db,
    'kind',
    KIND_SPECS.map(({ name, group, meaning, code, object, value, aux0, aux1 }, id) => {
      const columns = [code, object, value, aux0, aux1].map((text) => text ?? null);
      return [id, name, group, meaning, ...columns];
    }),
  );
  fill(
    db,
    'vcpu',
    log
      .vcpus()
      .map(({ slot, index, tid, pid, learnedFrom }) => [
        slot,
        index,
        tid < 0 ? null : tid,
        pid < 0 ? null : pid,
        learnedFrom,
      ]),
  );
  fill(db, 'thread', log.threads());
  fill(
    db,
    'name',
    log.names().map((text, id) => [id, text]),
  );
  fill(db, 'attr', attrRows(log));
  fill(db, 'register', registerRows(source));
}

/** Makes the view `events`; `event` must be there. */
export function createView(db: Database.Database): void {
  db.exec(VIEW);
}

type Row = readonly (string | number | bigint | null)[];

function fill(db: Database.Database, table: string, rows: Iterable<Row>): void {
  let insert: Database.Statement | undefined;
  for (const row of rows) {
    insert ??= db.prepare(`INSERT INTO ${table} VALUES (${row.map(() => '?').join(', ')})`);
    insert.run(...row);
  }
}

function* attrRows(log: SqlSource['log']): Generator<Row> {
  // 0 means that none was recorded.
  for (let id = 1; ; id++) {
    const attr = log.attr(id);
    if (attr === undefined) return;
    const { type, config1, attrFlags, cpu, task } = attr;
    yield [id, type, BigInt.asIntN(64, config1), BigInt.asIntN(64, attrFlags), cpu, task];
  }
}

function* registerRows({ log, registerName }: SqlSource): Generator<Row> {
  const kinds = new Set(
    KIND_SPECS.flatMap(({ code }, kind) => (code === 'register' ? [kind] : [])),
  );
  const seen = new Set<string>();
  for (const { length, flags, code } of log.chunks({ kinds: kinds as Set<never> })) {
    for (let i = 0; i < length; i++) {
      const space = registerSpace(flags[i]!);
      const key = `${space}/${code[i]}`;
      if (seen.has(key)) continue;
      seen.add(key);
      yield [space, code[i]!, registerName(code[i]!, flags[i]!)];
    }
  }
}
