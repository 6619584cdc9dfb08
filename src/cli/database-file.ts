import { closeSync, openSync, readSync } from 'node:fs';

const SQLITE_MAGIC = 'SQLite format 3\0';
/** Where the header of an SQLite database holds the number of the program it belongs to, and the log's (migrations). */
const APPLICATION_ID_AT = 68;
const LOG_APPLICATION_ID = 0x76706d75;

/** True for a regular file that is an SQLite database: the only kind of file a log can be. */
export function isDatabase(path: string): boolean {
  return isMagic(headOf(path));
}

/** True for a database that says it is a log. */
export function isLogFile(path: string): boolean {
  const head = headOf(path);
  return isMagic(head) && head.readUInt32BE(APPLICATION_ID_AT) === LOG_APPLICATION_ID;
}

function isMagic(head: Buffer): boolean {
  return head.toString('latin1', 0, SQLITE_MAGIC.length) === SQLITE_MAGIC;
}

function headOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(APPLICATION_ID_AT + 4);
    readSync(file, head, 0, head.length, 0);
    return head;
  } finally {
    closeSync(file);
  }
}
