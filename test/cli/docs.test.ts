import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EventFlag, KIND_SPECS } from '../../src/domain/event-kind.ts';

function page(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8');
}

/** The table of kinds as docs/formats.md has to print it. */
function kindTable(): string {
  const rows = KIND_SPECS.map((spec) =>
    [
      `\`${spec.name}\``,
      spec.group,
      spec.meaning,
      spec.code ?? '',
      spec.counter ? 'yes' : '',
      spec.object ?? '',
      spec.value ?? '',
      spec.aux0 ?? '',
      spec.aux1 ?? '',
    ].join(' | '),
  );
  return [
    '| kind | group | what happened | `code` | `counter` | `object` | `value` | `aux0` | `aux1` |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`.replaceAll('|  |', '| |').replaceAll('|  |', '| |')),
  ].join('\n');
}

describe('docs/formats.md', () => {
  const text = page('docs/formats.md');

  it('lists every kind with the meaning of its columns', () => {
    expect(text).toContain(kindTable());
  });

  it('explains every flag', () => {
    const spaceBits = ['spaceLow', 'spaceHigh'];
    for (const flag of Object.keys(EventFlag).filter((name) => !spaceBits.includes(name))) {
      expect(text).toContain(`\`${flag}\``);
    }
  });
});

describe('the pages', () => {
  const PAGES = [
    'README.md',
    'CHANGELOG.md',
    'traces/README.md',
    ...['concepts', 'decisions', 'formats', 'guide', 'json', 'library', 'recordings'].map(
      (name) => `docs/${name}.md`,
    ),
  ];

  it.each(PAGES)('%s has only links that lead somewhere', (name) => {
    const folder = name.includes('/') ? name.slice(0, name.lastIndexOf('/') + 1) : '';
    for (const [, target] of page(name).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      expect(() =>
        readFileSync(fileURLToPath(new URL(`../../${folder}${target}`, import.meta.url))),
      ).not.toThrow(/ENOENT/);
    }
  });
});
