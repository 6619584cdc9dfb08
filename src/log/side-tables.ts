import type Database from 'better-sqlite3';
import type { ImportNotice, PerfEventAttr, RecordingFacts, VcpuFact } from '../domain/log-facts.ts';
import { asInteger, asNumber, asText, asUnsigned, RowError, type SqlValue } from './canonical.ts';
import type { ImportRow } from './types.ts';

/** The small tables beside the segments. Columns in hash order; the first is the key inside a run, `run` the second. */
export const SIDE_TABLES = [
  {
    table: 'import',
    columns: 'id, run, digest, bytes, events, lost, first_seq, last_seq, facts, notices',
  },
  { table: 'name', columns: 'id, run, text' },
  { table: 'attr', columns: 'id, run, type, config1, attr_flags, cpu, task' },
  { table: 'vcpu', columns: 'slot, run, vcpu_index, tid, pid, learned_from, seq' },
  { table: 'thread', columns: 'tid, run, name' },
] as const;

export type SideTable = (typeof SIDE_TABLES)[number]['table'];

/** Rows of the side tables as stored, each table's in order of its key. */
export type SideRows = Record<SideTable, SqlValue[][]>;

export function emptySideRows(): SideRows {
  return { import: [], name: [], attr: [], vcpu: [], thread: [] };
}

/** All rows of the side tables, by run. */
export function readSideRows(db: Database.Database): Map<number, SideRows> {
  const runs = new Map<number, SideRows>();
  for (const { table, columns } of SIDE_TABLES) {
    const key = columns.slice(0, columns.indexOf(','));
    const rows = db
      .prepare(`SELECT ${columns} FROM ${table} ORDER BY run, ${key}`)
      .raw()
      .safeIntegers()
      .all() as SqlValue[][];
    for (const row of rows) {
      const run = asNumber(row[1]);
      let entry = runs.get(run);
      if (entry === undefined) {
        entry = emptySideRows();
        runs.set(run, entry);
      }
      entry[table].push(row);
    }
  }
  return runs;
}

/** Writes the rows of one run. */
export function insertSideRows(db: Database.Database, rows: SideRows): void {
  for (const { table, columns } of SIDE_TABLES) {
    if (rows[table].length === 0) continue;
    const marks = columns.replace(/[a-z_0-9]+/g, '?');
    const insert = db.prepare(`INSERT INTO ${table} (${columns}) VALUES (${marks})`);
    for (const row of rows[table]) insert.run(...row);
  }
}

/** What the side tables of all runs say together. */
export interface SideFacts {
  imports: ImportRow[];
  /** Index = id. */
  names: string[];
  /** Index = id; 0 is "not recorded". */
  attrs: (PerfEventAttr | undefined)[];
  /** By slot. */
  vcpus: Map<number, VcpuFact>;
  threads: Map<number, string>;
}

export function noSideFacts(): SideFacts {
  return { imports: [], names: [''], attrs: [undefined], vcpus: new Map(), threads: new Map() };
}

/**
 * Adds what one run said. Runs must come in order: of a slot or thread the latest holds.
 * @throws RowError for rows no importer writes.
 */
export function addSideRows(facts: SideFacts, rows: SideRows): void {
  for (const row of rows.import) facts.imports.push(importRowOf(row));
  for (const [id, , text] of rows.name) {
    if (asNumber(id) !== facts.names.length) throw new RowError(`name ${id} is out of order`);
    facts.names.push(asText(text));
  }
  for (const [id, , type, config1, attrFlags, cpu, task] of rows.attr) {
    if (asNumber(id) !== facts.attrs.length) throw new RowError(`attr ${id} is out of order`);
    facts.attrs.push({
      type: asNumber(type),
      config1: asUnsigned(config1),
      attrFlags: asUnsigned(attrFlags),
      cpu: asNumber(cpu),
      task: asNumber(task),
    });
  }
  for (const [id, , index, tid, pid, learnedFrom, seq] of rows.vcpu) {
    const slot = asInteger(id);
    if (slot < 0n || slot > MAX_SLOT) throw new RowError(`vCPU slot ${slot} is out of range`);
    facts.vcpus.set(Number(slot), {
      slot: Number(slot),
      index: asNumber(index),
      tid: asNumber(tid),
      pid: asNumber(pid),
      learnedFrom: asText(learnedFrom),
      seq: asNumber(seq),
    });
  }
  for (const [tid, , name] of rows.thread) facts.threads.set(asNumber(tid), asText(name));
}

/** Slots are what an i16 column can hold. */
export const MAX_SLOT = 32767;

function importRowOf(row: readonly SqlValue[]): ImportRow {
  const [id, run, digest, bytes, events, lost, firstSeq, lastSeq, facts, notices] = row;
  return {
    source: asNumber(id),
    run: asNumber(run),
    digest: asText(digest),
    bytes: asNumber(bytes),
    events: asNumber(events),
    lost: asUnsigned(lost),
    firstSeq: firstSeq === null ? undefined : asNumber(firstSeq),
    lastSeq: lastSeq === null ? undefined : asNumber(lastSeq),
    facts: factsOf(asText(facts), asNumber(id)),
    notices: noticesOf(asText(notices), asNumber(id)),
  };
}

/** JSON as stored: bigints become decimal strings. */
export function storedJson(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v));
}

function factsOf(json: string, id: number): RecordingFacts {
  const facts = parsed(json, `facts of import ${id}`);
  const good =
    isRecord(facts) &&
    typeof facts['name'] === 'string' &&
    typeof facts['format'] === 'string' &&
    typeof facts['role'] === 'string' &&
    typeof facts['timeResolution'] === 'number' &&
    Object.values(facts).every((v) => typeof v === 'string' || typeof v === 'number');
  if (!good) throw new RowError(`facts of import ${id} are not those of a recording`);
  return facts as unknown as RecordingFacts;
}

function noticesOf(json: string, id: number): readonly ImportNotice[] {
  const notices = parsed(json, `notices of import ${id}`);
  const good = (n: unknown) =>
    isRecord(n) &&
    typeof n['severity'] === 'string' &&
    typeof n['code'] === 'string' &&
    typeof n['text'] === 'string' &&
    typeof n['count'] === 'number';
  if (!Array.isArray(notices) || !notices.every(good)) {
    throw new RowError(`notices of import ${id} are no list of notices`);
  }
  return notices as ImportNotice[];
}

function parsed(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new RowError(`${what} are no JSON`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
