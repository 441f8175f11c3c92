import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** Half as long as what the package says of itself: every page is given it anew. */
const SOURCE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/**
 * WCAG 2.2, levels A and AA. One line per finding; a page that was hardly looked at is a finding
 * too.
 */
export async function inaccessible(page: Page): Promise<readonly string[]> {
  await page.evaluate(SOURCE);
  const options = JSON.stringify({
    runOnly: {
      type: 'tag',
      values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    },
    resultTypes: ['violations'],
  });
  const results = await page.evaluate<AxeResults>(`axe.run(document, ${options})`);
  if (results.passes.length < 5)
    return [`${page.url()}: only ${results.passes.length} rules found something to look at`];
  return results.violations.flatMap(({ id, impact, help, nodes }) =>
    nodes.map(
      ({ target }) =>
        `${new URL(page.url()).pathname}: ${impact} ${id} (${help}) at ${target.join(' ')}`,
    ),
  );
}
