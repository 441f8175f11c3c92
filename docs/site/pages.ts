import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** A page of the site. Its text is Markdown. */
export interface Page {
  /** File of the repository that it is made of, from the root on; for generated ones, none. */
  readonly source: string | null;
  /** Its name on the site, without `.html`. */
  readonly name: string;
  /** In the navigation. */
  readonly title: string;
  readonly text: string;
}

export interface Section {
  readonly title: string;
  readonly pages: readonly Page[];
}

type Entry = readonly [source: string, title: string] | keyof Generated;

/** Pages that are made of the program itself. */
export interface Generated {
  readonly configuration: string;
  readonly commands: string;
  readonly api: string;
}

const TITLES: Readonly<Record<keyof Generated, string>> = {
  configuration: 'Configuration',
  commands: 'Command line',
  api: 'Admin API',
};

/** The order in which somebody reads who is new. */
const SECTIONS: readonly (readonly [title: string, entries: readonly Entry[]])[] = [
  [
    'Begin',
    [
      ['docs/README.md', 'Start here'],
      ['docs/QUICK-START.md', 'Quick start'],
      ['docs/CONCEPTS.md', 'Concepts'],
      ['docs/TOKENS.md', 'Tokens and rotation'],
      ['docs/WEBHOOKS.md', 'Webhooks'],
      ['docs/COMMAND-LINE.md', 'On the command line'],
      ['README.md', 'Overview'],
      ['docs/FAQ.md', 'Questions'],
    ],
  ],
  [
    'Use',
    [
      ['docs/ACCESS.md', 'How access is decided'],
      ['docs/CALLS.md', 'What services and callers see'],
      ['docs/DECISION.md', 'Behind your proxy'],
      ['docs/ASSERTION.md', 'Signed identity'],
      ['docs/GRPC.md', 'gRPC and HTTP/2'],
      ['docs/AUDIT.md', 'The record'],
    ],
  ],
  [
    'Run',
    [
      ['docs/OPERATIONS.md', 'Operations'],
      ['docs/REDIS.md', 'Redis'],
      ['config/redis/README.md', 'Users of Redis'],
      ['docs/KUBERNETES.md', 'Kubernetes'],
      ['docs/IMAGE.md', 'The image'],
      ['docs/UPGRADE.md', 'Upgrade and rollback'],
      ['docs/RUNBOOKS.md', 'Runbooks'],
      ['docs/TROUBLESHOOTING.md', 'Troubleshooting'],
      ['docs/LOG.md', 'Lines of the log'],
      ['docs/METRICS.md', 'Metrics'],
      ['docs/TRACES.md', 'Traces'],
    ],
  ],
  [
    'Examples',
    [
      ['config/examples/README.md', 'All of them'],
      ['config/examples/one-machine/README.md', 'One machine'],
      ['config/examples/edge/README.md', 'Edge'],
      ['config/examples/sidecar/README.md', 'Sidecar'],
      ['config/examples/decision/README.md', 'Decision endpoint'],
      ['config/examples/package-registry/README.md', 'Package registry'],
      ['config/examples/lifetime/README.md', 'LifeTime'],
      ['config/kubernetes/README.md', 'Files for Kubernetes'],
    ],
  ],
  ['Reference', ['configuration', 'commands', 'api', ['CHANGELOG.md', 'Changes']]],
  [
    'Judge',
    [
      ['SECURITY.md', 'Security model'],
      ['docs/COMPARISON.md', 'Beside the alternatives'],
      ['docs/PERFORMANCE.md', 'Performance'],
      ['docs/RELIABILITY.md', 'Reliability'],
      ['docs/SCALE.md', 'How far it goes'],
    ],
  ],
];

/**
 * All pages by sections. Documents that no section names stand in one of their own, so that none is
 * forgotten. Throws where a named one is not there.
 */
export function sectionsOf(generated: Generated): readonly Section[] {
  const named = SECTIONS.map(([title, entries]) => ({
    title,
    pages: entries.map((entry) =>
      typeof entry === 'string'
        ? { source: null, name: entry, title: TITLES[entry], text: generated[entry] }
        : pageOf(...entry),
    ),
  }));
  const known = new Set(named.flatMap(({ pages }) => pages.map(({ source }) => source)));
  const others = globSync(['docs/*.md', 'config/**/README.md'], { cwd: ROOT })
    .filter((source) => !known.has(source))
    .sort()
    .map((source) => pageOf(source, headingOf(read(source))));
  return others.length === 0 ? named : [...named, { title: 'More', pages: others }];
}

function pageOf(source: string, title: string): Page {
  if (!existsSync(join(ROOT, source)))
    throw new Error(`${source}: the site names it, and it is not there`);
  return { source, name: nameOf(source), title, text: read(source) };
}

/** `docs/QUICK-START.md` is `quick-start`, `config/redis/README.md` is `config-redis`. */
function nameOf(source: string): string {
  if (source === 'docs/README.md') return 'index';
  if (source === 'README.md') return 'overview';
  return source
    .replace(/^docs\//, '')
    .replace(/(\/README)?\.md$/, '')
    .replaceAll('/', '-')
    .toLowerCase();
}

function headingOf(text: string): string {
  return /^# (.+)$/m.exec(text)?.[1] ?? 'Untitled';
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
