import { describe, expect, it } from 'vitest';
import { expectedSteps, readVectors, runVector } from './reference-vectors.ts';

/** How many vectors and steps each file has: a shortened file must not pass for the whole. */
const FILES = [
  ['6.12', 'intel', 238, 21_038],
  ['6.12', 'amd', 119, 12_092],
  ['6.1', 'intel', 238, 21_038],
  ['6.1', 'amd', 119, 12_092],
  ['4.14', 'intel', 190, 17_442],
  ['4.14', 'amd', 21, 2_230],
] as const;

describe.each(FILES)('the plain reference of Linux %s %s', (kernel, vendor, count, steps) => {
  const vectors = readVectors(kernel, vendor);

  it(`has all ${count} vectors and ${steps} steps`, () => {
    expect(vectors.length).toBe(count);
    expect(vectors.reduce((sum, vector) => sum + vector.steps.length, 0)).toBe(steps);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const { init, steps: seen } = runVector(vector);
    expect(init).toEqual(vector.init);
    expect(seen).toEqual(expectedSteps(vector));
  });
});
