/**
 * `npm run docs [-- FOLDER]`: makes the documentation's site, in dist/docs unless a folder is
 * named. Fails where the OpenAPI document has a fault, or a link leads nowhere.
 */
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { apiDocument, apiPage } from './api.ts';
import { commandsPage } from './commands.ts';
import { configurationPage } from './configuration.ts';
import { type Generator, openGenerator } from './generator.ts';
import { layout } from './layout.ts';
import { publishedAs } from './links.ts';
import { lint } from './lint.ts';
import { adapt } from './markdown.ts';
import { ROOT, type Section, sectionsOf } from './pages.ts';

const HERE = import.meta.dirname;
const TARGET = resolve(process.argv[2] ?? join(ROOT, 'dist/docs'));

const generator = await openGenerator();
await lint(apiDocument(), generator);
const sections = sectionsOf({
  configuration: configurationPage(),
  commands: await commandsPage(),
  api: apiPage(),
});
// Whoever reads meanwhile finds the former one.
const next = `${TARGET}.${process.pid}`;
rmSync(next, { recursive: true, force: true });
try {
  for (const path of await render(generator, sections, next)) copy(path, publishedAs(path));
  copy('docs/site/site.css', 'site.css');
  copy('src/console/assets/mark.svg', 'mark.svg');
  writeFileSync(join(next, 'openapi.json'), JSON.stringify(apiDocument(), null, 2));
  rmSync(TARGET, { recursive: true, force: true });
  renameSync(next, TARGET);
} finally {
  rmSync(next, { recursive: true, force: true });
}
const count = sections.reduce((sum, { pages }) => sum + pages.length, 0);
console.log(`${count} pages in ${relative(ROOT, TARGET)}`);

/** @returns the files that pages need beside them, by their paths in the repository */
async function render(
  { Eleventy, markdownIt }: Generator,
  all: readonly Section[],
  folder: string,
): Promise<ReadonlySet<string>> {
  // Eleventy takes paths from where it runs.
  process.chdir(ROOT);
  const pages = all.flatMap(({ pages: own }) => own);
  const needed = new Set<string>();
  const md = markdownIt({ html: true });
  adapt(md, pages, (path) => needed.add(path));
  const site = new Eleventy(relative(ROOT, HERE), relative(ROOT, folder), {
    quietMode: true,
    configPath: relative(ROOT, join(HERE, 'eleventy.config.mjs')),
    config(config) {
      config.setUseGitIgnore(false);
      config.setTemplateFormats(['md']);
      config.setLibrary('md', md);
      for (const { name, text, source } of pages)
        config.addTemplate(`${name}.md`, text, { source, permalink: `${name}.html` });
      config.addTransform('layout', function (content) {
        const page = pages.find(({ name }) => `${name}.html` === basename(this.page.outputPath));
        if (page === undefined) throw new Error(`nothing is known of ${this.page.outputPath}`);
        return layout(page, content, all);
      });
    },
  });
  await site.write();
  return needed;
}

function copy(path: string, to: string): void {
  mkdirSync(dirname(join(next, to)), { recursive: true });
  cpSync(join(ROOT, path), join(next, to));
}
