import { InputError, UnknownFormatError } from '../domain/errors.ts';
import type { Importer } from './importer.ts';
import { IMPORTERS } from './importers.ts';
import type { Compression } from './input.ts';

/** Least score that opens a recording. */
const LEAST = 0.2;

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let k = 0; k < text.length; k++) if (bytes[k] !== text.charCodeAt(k)) return false;
  return true;
}

/** Files that are known but are not recordings this reads: what to do instead. */
function refuseKnown(name: string, head: Uint8Array, packed: Compression): void {
  if (startsWith(head, '2ELIFREP')) {
    // The tool does not read packed files.
    const unpack = packed === 'none' ? '' : `${packed} -dc ${name} > perf.data; `;
    const file = packed === 'none' ? name : 'perf.data';
    throw new InputError(
      `${name}: is a perf.data file of a big-endian machine, which is not read`,
      `${unpack}perf script --header --ns --guest-code --show-lost-events -i ${file} | vpmu import -`,
    );
  }
  if (startsWith(head, 'PERFFILE')) {
    throw new InputError(
      `${name}: is a perf.data file of the first version (perf before Linux 2.6.36), which is not read`,
      'record again with a newer perf',
    );
  }
  if (startsWith(head, 'SQLite format 3\0')) {
    throw new InputError(
      `${name}: is a database, most likely a vpmu log, and not a recording`,
      `vpmu info ${name}`,
    );
  }
  if (startsWith(head, '\x28\xb5\x2f\xfd') || startsWith(head, '\x1f\x8b')) {
    throw new InputError(
      `${name}: is compressed twice`,
      'decompress it once and import the result',
    );
  }
}

function isBinary(head: Uint8Array): boolean {
  let odd = 0;
  for (const byte of head) {
    if (byte === 0 || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 27))
      odd++;
  }
  return odd * 50 > head.length;
}

/** The importer that reads a recording which begins with `head`; InputError with what to do if there is none. */
export function recognise(
  name: string,
  head: Uint8Array,
  packed: Compression,
  importers: readonly Importer[] = IMPORTERS,
): Importer {
  if (head.length === 0)
    throw new InputError(`${name}: is empty`, 'record again; docs/formats.md tells what is read');
  let best: Importer | undefined;
  let bestScore = LEAST;
  for (const importer of importers) {
    const score = importer.sniff(head);
    if (score > bestScore) {
      best = importer;
      bestScore = score;
      if (score === 1) break;
    }
  }
  if (best !== undefined) return best;
  refuseKnown(name, head, packed);
  throw new UnknownFormatError(
    `${name}: ${isBinary(head) ? 'binary data of no known format' : 'text of no known format'}`,
    `read are ${importers.map(({ format }) => format).join(', ')}, plain or packed with gzip or zstd`,
  );
}
