// node build.mjs [--program] [FOLDER]: makes dist/ (or FOLDER).
//   FOLDER/**          the library with its types, file by file (tsc); not with --program
//   FOLDER/cli/*.js    the command line as one program: what every verb needs, and a piece for each verb (rolldown)
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('.', import.meta.url));

/** Compiles the library. Returns the compiler's complaints, '' for none. */
export function buildLibrary(folder) {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return status === 0 ? '' : `${stdout}${stderr}`;
}

/** zstddec makes its own wasm with fetch() where there is one; loading that takes 60 ms, Buffer takes none. */
const wasmWithoutFetch = {
  name: 'wasm-without-fetch',
  transform: {
    filter: { id: /zstddec/ },
    handler(code) {
      const found = code.replace('typeof fetch !== "undefined"', 'false');
      if (found === code) throw new Error('zstddec has changed: see build.mjs');
      return { code: found, map: null };
    },
  },
};

/** What is CommonJS is required as such: an import would first search its source for the names it exports. */
const requiredSqlite = {
  name: 'required-sqlite',
  resolveId: {
    filter: { id: /^better-sqlite3$/ },
    handler: () => ({ id: '\0better-sqlite3', moduleSideEffects: false }),
  },
  load: {
    filter: { id: /^\0better-sqlite3$/ },
    handler: () => `import { createRequire } from 'node:module';
export default createRequire(import.meta.url)('better-sqlite3');`,
  },
};

/** The rooms of src/ whose code decides what an import gives, as in src/cli/code-digest.ts: hashed here, not at run time. */
function codeDigest() {
  const hash = createHash('sha256');
  for (const room of ['import', 'log', 'arch', 'domain']) {
    const folder = join(ROOT, 'src', room);
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
      if (file.endsWith('.ts')) hash.update(readFileSync(join(folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 8);
}

const computedDigest = {
  name: 'computed-digest',
  load: {
    filter: { id: /src\/cli\/code-digest\.ts$/ },
    handler: () => `export const codeDigest = () => '${codeDigest()}';`,
  },
};

/** Bundles the command line. All pieces are one folder below `folder`, as the sources are below src/. */
export async function buildProgram(folder) {
  const bundle = await rolldown({
    input: { main: join(ROOT, 'src/cli/main.ts'), demo: join(ROOT, 'src/cli/demo.ts') },
    platform: 'node',
    // The modules of rxjs one by one, so that only what is used is taken.
    resolve: { alias: { rxjs: join(ROOT, 'node_modules/rxjs/dist/esm/index.js') } },
    treeshake: {
      moduleSideEffects: [
        { test: /src\/cli\/(main|demo)\.ts$/, sideEffects: true },
        { test: /./, sideEffects: false },
      ],
    },
    plugins: [wasmWithoutFetch, requiredSqlite, computedDigest],
    checks: { circularDependency: false },
  });
  const made = join(folder, `cli.${process.pid}`);
  await bundle.write({
    dir: made,
    format: 'esm',
    sourcemap: true,
    chunkFileNames: '[name]-[hash].js',
  });
  await bundle.close();
  chmodSync(join(made, 'main.js'), 0o755);
  // The pieces of an older build, or what tsc made, in one go.
  const old = join(folder, `cli.${process.pid}.old`);
  if (existsSync(join(folder, 'cli'))) renameSync(join(folder, 'cli'), old);
  renameSync(made, join(folder, 'cli'));
  rmSync(old, { recursive: true, force: true });
}

async function main(args) {
  const programOnly = args[0] === '--program';
  const folder = resolve(args[programOnly ? 1 : 0] ?? join(ROOT, 'dist'));
  mkdirSync(folder, { recursive: true });
  if (!programOnly) {
    const complaints = buildLibrary(folder);
    if (complaints !== '') {
      process.stderr.write(complaints);
      process.exit(1);
    }
  }
  await buildProgram(folder);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
