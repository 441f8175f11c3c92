import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { brokenReading, routeTables } from '../support/path-readers.ts';
import { route } from '../unit/decision/samples.ts';
import { rowsOf } from './rows.ts';

/**
 * The same promise over targets that were found in attacks on other gates: whatever reading an
 * upstream makes of a path that is let in, that reading would have been let in, too.
 */
it('a target that is let in is let in under every reading, whatever the routes', (ctx) => {
  const targets = rowsOf(ctx, 'paths.jsonl')
    .map((row) => Buffer.from(row.target_b64, 'base64').toString('latin1'))
    .flatMap((target) => [target, `${target};x`, `${target};x/`, `${target}/`])
    .filter((target) => target.length < 2000);
  const words = ['admin', 'Admin', 'secret', 'public', 'a', 'b', 'foo', 'abc'];
  void fc.assert(
    fc.property(
      routeTables(words, (path, caseInsensitive) =>
        route({ path, name: path, application: { from: 'any' }, caseInsensitive }),
      ),
      (routes) => {
        for (const target of targets) expect(brokenReading(routes, target)).toBe(null);
      },
    ),
    { numRuns: 200 },
  );
});
