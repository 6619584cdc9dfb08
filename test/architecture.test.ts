import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** A room of src and what may stand in its import statements, type imports included. */
interface Rule {
  readonly room: string;
  /** Other rooms it may import. Its own room is always allowed. */
  readonly rooms: readonly string[];
  /** npm packages it may import. */
  readonly packages: readonly string[];
  /** Whether it may import `node:` builtins. */
  readonly node: boolean;
  readonly why: string;
}

const LAW: readonly Rule[] = [
  {
    room: 'domain',
    rooms: [],
    packages: [],
    node: false,
    why: 'the shared vocabulary: whatever it imported, every room would import',
  },
  {
    room: 'arch',
    rooms: ['domain'],
    packages: [],
    node: false,
    why: 'facts as tables, with no behaviour that could need anything',
  },
  {
    room: 'emulator',
    rooms: ['arch', 'domain'],
    packages: [],
    node: false,
    why: 'pure: the same events give the same registers on every machine, without files, clock, SQL or streams',
  },
  {
    room: 'replay',
    rooms: ['emulator', 'arch', 'domain'],
    packages: ['rxjs'],
    node: false,
    why: 'handed chunks and a checkpoint store as arguments, so that every pipeline is tested without a database',
  },
  {
    room: 'diagnose',
    rooms: ['replay', 'emulator', 'arch', 'domain'],
    packages: [],
    node: false,
    why: 'compares values and returns results; reading and printing is not its business',
  },
  {
    room: 'log',
    rooms: ['domain'],
    packages: ['better-sqlite3'],
    node: true,
    why: 'the only room that knows SQL; it stores events without knowing what they mean',
  },
  {
    room: 'import',
    rooms: ['arch', 'domain'],
    packages: ['zstddec'],
    node: true,
    why: 'turns bytes into chunks; where they go is an argument, so importers are tested without a database',
  },
  {
    room: 'cli',
    rooms: ['index', 'diagnose', 'replay', 'emulator', 'import', 'log', 'arch', 'domain'],
    packages: ['commander'],
    node: true,
    why: 'the shell around the library: arguments in, text or JSON out',
  },
  {
    room: 'index',
    rooms: ['diagnose', 'replay', 'emulator', 'import', 'log', 'arch', 'domain'],
    packages: ['rxjs'],
    node: false,
    why: 'the public library by name; a program that imports it must not get the command line with it',
  },
];

/** Source text by path relative to src, with `/`. */
type Sources = ReadonlyMap<string, string>;

interface ImportStatement {
  readonly specifier: string;
  readonly line: number;
}

/** Import and re-export statements of one file as the formatter writes them, dynamic and type imports included. */
function importsOf(text: string): readonly ImportStatement[] {
  // Comments first, so that an example in a docstring is no import; a comment keeps its line breaks.
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
  const found: ImportStatement[] = [];
  const forms = [
    /^(?:import|export)\b[^'";]*?\bfrom\s*(['"])(?<specifier>[^'"\n]+)\1/gm,
    /^import\s*(['"])(?<specifier>[^'"\n]+)\1/gm,
    /\b(?:import|require)\s*\(\s*(['"`])(?<specifier>[^'"`\n]+)\1/g,
  ];
  for (const form of forms) {
    for (const match of code.matchAll(form)) {
      found.push({
        specifier: match.groups!['specifier']!,
        line: code.slice(0, match.index).split('\n').length,
      });
    }
  }
  return found;
}

/** The room of a file: its first folder, or the file's own name when it lies in src itself. */
function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '');
}

/** Path (relative to src) a relative specifier names. */
function resolveSpecifier(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

/** Every breach of the law, one line each: where, what, and the reason of the rule. */
function breaches(sources: Sources, law: readonly Rule[]): readonly string[] {
  const found: string[] = [];
  for (const [file, text] of sources) {
    const rule = law.find(({ room }) => room === roomOf(file));
    if (!rule) {
      found.push(`${file}: no rule for the room "${roomOf(file)}"`);
      continue;
    }
    for (const { specifier, line } of importsOf(text)) {
      const complaint = complaintAbout(sources, rule, file, specifier);
      if (complaint) found.push(`${file}:${line}: ${complaint} (${rule.room}: ${rule.why})`);
    }
  }
  return found;
}

function complaintAbout(
  sources: Sources,
  rule: Rule,
  file: string,
  specifier: string,
): string | undefined {
  if (specifier.startsWith('.')) {
    const target = resolveSpecifier(file, specifier);
    if (target.startsWith('../')) return `imports ${specifier}, which is outside src`;
    if (!sources.has(target)) return `imports ${specifier}, which is no file`;
    const room = roomOf(target);
    return room === rule.room || rule.rooms.includes(room) ? undefined : `may not import ${room}/`;
  }
  if (isBuiltin(specifier)) return rule.node ? undefined : `may not import ${specifier}`;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return rule.packages.includes(name) ? undefined : `may not import the package ${name}`;
}

/** Import cycles whose files lie in more than one room, each as `a.ts → b.ts → a.ts`. */
function crossRoomCycles(sources: Sources): readonly string[] {
  const edges = new Map<string, readonly string[]>();
  for (const [file, text] of sources) {
    edges.set(
      file,
      importsOf(text)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => resolveSpecifier(file, specifier))
        .filter((target) => sources.has(target)),
    );
  }
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      const cycle = path.slice(start);
      if (new Set(cycle.map(roomOf)).size > 1) found.add([...cycle, file].join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const target of edges.get(file)!) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return [...found];
}

/** Paths that only exist on some machine of ours have no place in a source file. */
const MACHINE_PATH = /(?<![\w.)\]<>*-])\/(?:work|tmp|root|home|Users|mnt|private)(?:\/|\b)/;

/** Lines that mention an absolute machine path. */
function machinePaths(sources: Sources): readonly string[] {
  return [...sources].flatMap(([file, text]) =>
    text
      .split('\n')
      .flatMap((line, i) => (MACHINE_PATH.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  );
}

/** Public exports of index.ts without a docstring where they are defined, and exports that are not by name. */
function undocumentedExports(sources: Sources): readonly string[] {
  const text = sources.get('index.ts');
  if (text === undefined) return [];
  const found: string[] = [];
  if (/^export \*/m.test(text)) found.push('index.ts: export * hides what is public');
  for (const match of text.matchAll(
    /^export (?:type )?\{(?<names>[^}]*)\} from '(?<from>[^']+)'/gm,
  )) {
    const from = resolveSpecifier('index.ts', match.groups!['from']!);
    for (const name of namesIn(match.groups!['names']!)) {
      if (!isDocumented(sources, from, name)) found.push(`${from}: ${name} has no docstring`);
    }
  }
  for (const match of text.matchAll(DECLARATION)) {
    const name = match.groups!['name']!;
    if (!isDocumented(sources, 'index.ts', name)) found.push(`index.ts: ${name} has no docstring`);
  }
  return found;
}

const DECLARATION =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) (?<name>\w+)/gm;

function namesIn(list: string): readonly string[] {
  return list
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .split(',')
    .map((part) =>
      part
        .trim()
        .replace(/^type /, '')
        .replace(/ as \w+$/, ''),
    )
    .filter((name) => name !== '');
}

/** A const and a type of one name (an enum in the erasable style) need one docstring between them. */
function isDocumented(sources: Sources, file: string, name: string): boolean {
  const text = sources.get(file) ?? '';
  const reExport = new RegExp(
    `^export (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from '([^']+)'`,
    'm',
  );
  const target = reExport.exec(text);
  if (target) return isDocumented(sources, resolveSpecifier(file, target[1]!), name);
  return [...text.matchAll(DECLARATION)]
    .filter((match) => match.groups!['name'] === name)
    .some((match) => /\*\/\s*$/.test(text.slice(0, match.index)));
}

function readSources(): Sources {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');
  return new Map(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => existsSync(path))
      .map((path) => [relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8')]),
  );
}

describe('the house', () => {
  const sources = readSources();

  it('keeps the import law', () => {
    expect(sources.size).toBeGreaterThan(5);
    expect(breaches(sources, LAW)).toEqual([]);
  });

  it('has no import cycle through more than one room', () => {
    expect(crossRoomCycles(sources)).toEqual([]);
  });

  it('documents every public export', () => {
    expect(undocumentedExports(sources)).toEqual([]);
  });

  it('mentions no path of a machine', () => {
    expect(machinePaths(sources)).toEqual([]);
  });
});

describe('the checks themselves', () => {
  const at = (files: Record<string, string>): Sources => new Map(Object.entries(files));

  it('finds every form of import statement with its line', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      'import {',
      '  c,',
      "} from './c.ts';",
      "import './d.ts';",
      "export { e } from './e.ts';",
      "export type { F } from './f.ts';",
      "export * as g from './g.ts';",
      "const h = await import('./h.ts');",
      "type I = import('./i.ts').I;",
      "const j = require('j');",
      '// import { no } from "./comment.ts"',
      '/** import { no } from "./comment.ts" */',
    ].join('\n');
    expect(importsOf(text).map(({ specifier, line }) => `${specifier} ${line}`)).toEqual([
      './a.ts 1',
      './b.ts 2',
      './c.ts 3',
      './e.ts 7',
      './f.ts 8',
      './g.ts 9',
      './d.ts 6',
      './h.ts 10',
      './i.ts 11',
      'j 12',
    ]);
  });

  it.each([
    ['a room to the left', 'emulator/a.ts', "import type { L } from '../log/log.ts';", 'log/'],
    ['the command line from the library', 'index.ts', "export { x } from './cli/x.ts';", 'cli/'],
    ['a builtin in a pure room', 'diagnose/a.ts', "import { x } from 'node:fs';", 'node:fs'],
    ['a builtin without prefix', 'arch/a.ts', "import { x } from 'fs';", 'fs'],
    ['SQL outside the log', 'import/a.ts', "import D from 'better-sqlite3';", 'better-sqlite3'],
    ['streams outside replay', 'emulator/a.ts', "import { x } from 'rxjs/operators';", 'rxjs'],
    ['a scoped package', 'domain/a.ts', "import { x } from '@s/p/q';", '@s/p'],
    ['a file outside src', 'domain/a.ts', "import x from '../../test/x.ts';", 'outside src'],
    ['a file that is not there', 'domain/a.ts', "import x from './x.ts';", 'no file'],
    ['a room without a rule', 'attic/a.ts', '', 'no rule'],
  ])('sees %s', (_what, file, text, complaint) => {
    const others = { 'log/log.ts': '', 'cli/x.ts': '' };
    const found = breaches(at({ ...others, [file]: text }), LAW);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(complaint);
  });

  it('lets what is allowed pass', () => {
    const files = {
      'domain/a.ts': '',
      'arch/a.ts': "import '../domain/a.ts';",
      'log/a.ts': "import D from 'better-sqlite3';\nimport { x } from 'node:fs';",
      'replay/a.ts': "import { x } from 'rxjs/operators';\nimport '../arch/a.ts';",
      'cli/a.ts': "import { Command } from 'commander';\nimport '../log/a.ts';",
    };
    expect(breaches(at(files), LAW)).toEqual([]);
  });

  it('sees a cycle through two rooms and lets one inside a room pass', () => {
    const inside = { 'cli/a.ts': "import './b.ts';", 'cli/b.ts': "import './a.ts';" };
    expect(crossRoomCycles(at(inside))).toEqual([]);
    const across = { 'cli/a.ts': "import '../log/b.ts';", 'log/b.ts': "import '../cli/a.ts';" };
    expect(crossRoomCycles(at(across))).toEqual(['cli/a.ts → log/b.ts → cli/a.ts']);
  });

  it('sees an export without a docstring, through re-exports, and export *', () => {
    const files = {
      'index.ts':
        "export { f, type T } from './log/a.ts';\nexport * from './log/b.ts';\nexport const g = 1;",
      'log/a.ts': "/** Good. */\nexport function f() {}\nexport { T } from './b.ts';",
      'log/b.ts': '// no docstring\nexport type T = 1;',
    };
    expect(undocumentedExports(at(files))).toEqual([
      'index.ts: export * hides what is public',
      'log/a.ts: T has no docstring',
      'index.ts: g has no docstring',
    ]);
  });

  it('sees machine paths and lets kernel files pass', () => {
    const bad = [`'${'/'}tmp/x'`, `// see ${'/'}work/shared`, `"${'/'}home/me/a"`];
    for (const text of bad) expect(machinePaths(at({ 'cli/a.ts': text }))).toHaveLength(1);
    const good = ["'/proc/self/status'", '/sys/kernel/tracing', 'a.root/2', 'x </root>'];
    expect(machinePaths(at({ 'cli/a.ts': good.join('\n') }))).toEqual([]);
  });
});
