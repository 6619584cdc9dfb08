import { describe, expect, it } from 'vitest';
import { run, vectorsOf } from './vector-run.ts';

const SUITES = [
  ['6.12-intel', 238],
  ['6.12-amd', 119],
  ['6.1-intel', 238],
  ['6.1-amd', 119],
  ['4.14-intel', 190],
  ['4.14-amd', 21],
] as const;

describe.each(SUITES)('conformance vectors of Linux %s', (name, count) => {
  const vectors = vectorsOf(name);

  it('has them all', () => {
    expect(vectors.length).toBe(count);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const { init, steps } = run(vector);
    expect(init).toEqual(vector.init);
    expect(steps).toEqual(vector.steps);
  });
});
