import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CAUSE_CODES, CAUSES, causeByCode } from '../../src/diagnose/causes/catalogue.ts';
import { CAUSE_GROUPS, RECORDINGS } from '../../src/diagnose/causes/cause.ts';
import { MARK_WORDS, readMarks, resetMark } from '../../src/diagnose/guest-windows/marks.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';

const anchor = (code: string): string => `### ${code}`;

/** docs/causes.md as the catalogue says it. */
function page(): string {
  const lines = [
    '# Causes',
    '',
    'Why the counts of a guest and of its host differ: every cause `vpmu diagnose` can name, as `vpmu explain CODE` prints it.',
    'This page is made from the catalogue in `src/diagnose/causes` (`npx vitest run --project rooms test/diagnose/causes.test.ts -u`).',
    '',
    'A later stage is not called proven while an earlier one is undecided for the same counter and window.',
  ];
  for (const { key, title } of CAUSE_GROUPS) {
    lines.push('', `## ${title[0]!.toUpperCase()}${title.slice(1)}`);
    for (const code of CAUSE_CODES) {
      const cause = CAUSES[code];
      if (cause.group !== key) continue;
      lines.push(
        '',
        anchor(code),
        '',
        `${cause.title[0]!.toUpperCase()}${cause.title.slice(1)}. ${cause.definition}`,
        '',
      );
      lines.push(
        `- direction: ${cause.direction}; size: ${cause.size}; grows with ${cause.scalesWith}`,
      );
      lines.push(`- needs: ${cause.necessary}`);
      lines.push(`- proved by: ${cause.proof}`);
      lines.push(`- ruled out by: ${cause.ruledOutBy}`);
      for (const need of cause.needs) {
        lines.push(`- record ${RECORDINGS[need].text}: ${RECORDINGS[need].how}`);
      }
      lines.push(`- do: ${cause.remedy}`, `- from: ${cause.sources.join('; ')}`);
    }
  }
  lines.push(
    '',
    '## Marks',
    '',
    'Facts that no tracepoint records can be written into a recording while it is made: `echo TEXT > /sys/kernel/tracing/trace_marker` with',
    '`ftrace:print` among its events.',
    '',
    ...MARK_WORDS.map(({ example, meaning }) => `- \`${example}\`: ${meaning}`),
  );
  return `${lines.join('\n')}\n`;
}

describe('marks', () => {
  it.each(MARK_WORDS.map(({ example }) => example))('%s is understood', (example) => {
    const log = new MemoryLog(draw(`0 v0 mark ${example}`));
    const { filter, userIrqchip, haltPollNs, nmiWatchdog } = readMarks(log);
    const told = [filter !== null, userIrqchip > 0, haltPollNs !== null, nmiWatchdog > 0];
    expect([...told, resetMark(example)].filter(Boolean)).toHaveLength(1);
  });
});

describe('the catalogue of causes', () => {
  it('is what docs/causes.md says', async () => {
    const path = fileURLToPath(new URL('../../docs/causes.md', import.meta.url));
    await expect(page()).toMatchFileSnapshot(path);
    expect(readFileSync(path, 'utf8')).toContain(anchor('pinned-error'));
  });

  it.each(CAUSE_CODES)('%s is complete', (code) => {
    const cause = CAUSES[code];
    expect(cause.code).toBe(code);
    for (const [name, text] of Object.entries(cause)) {
      if (typeof text !== 'string') continue;
      expect(text.trim(), name).toBe(text);
      expect(text.length, name).toBeGreaterThan(2);
    }
    expect(cause.definition).toMatch(/\.$/);
    expect(cause.remedy).toMatch(/\.$/);
    expect(cause.sources.length).toBeGreaterThan(0);
    // Without a need nothing could ever be missing: only what the recording itself leaves open has none.
    expect(cause.needs.length === 0).toBe(cause.group === 'method');
  });

  it('finds codes exactly', () => {
    expect(causeByCode('pinned-error')?.group).toBe('backing');
    expect(causeByCode('toString')).toBeUndefined();
  });
});
