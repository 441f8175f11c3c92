/**
 * `npm run prove -- docker`: builds the image, runs docker-compose.yml on a real Docker engine, and
 * looks at it from outside. Uses the engine of this machine if one answers; else, as root on a
 * Debian, starts one of its own, makes the base images that cannot be pulled, and clears everything
 * away again. The last line is `N passed, N failed, N skipped`. Two to three minutes. The figures
 * go to docs/IMAGE.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearAlone, runsAlone } from '../support/docker/alone.ts';
import { type BaseImages, baseImagesOf, pullAll, standIn } from '../support/docker/base-images.ts';
import { CHECKS, type Tokens } from '../support/docker/checks.ts';
import { Commands } from '../support/docker/commands.ts';
import { type Engine, machinesEngine, startEngine } from '../support/docker/engine.ts';
import { checkImage, type ImageFigures } from '../support/docker/image.ts';
import { Stack } from '../support/docker/stack.ts';
import { buildsTheSame } from '../support/docker/twice.ts';
import { have, type Part, prepare } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENT = join(ROOT, 'docs', 'IMAGE.md');
const [BEGIN, END] = ['<!-- image: begin -->', '<!-- image: end -->'];
const OWN_ENGINE: readonly Part[] = [
  'docker',
  'dockerd',
  'docker-compose',
  'iptables',
  'mmdebstrap',
  'curl',
];

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

const counts = { passed: 0, failed: 0, skipped: 0 };
/** What the image is made on: a name, or what stands for it. */
let madeOn = '';
await main();
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-docker-'));
  const commands = new Commands({ cwd: ROOT, signal: stop.signal });
  let engine: Engine | null = null;
  try {
    engine = await step('an engine', () => engineHere(join(folder, 'engine'), commands));
    if (engine !== null) await onEngine(engine, folder);
  } catch (error) {
    counts.failed += 1;
    console.error(error instanceof Error ? error.message : error);
  } finally {
    await engine?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Null, with the reason said and a skip counted, where there can be none. */
async function engineHere(folder: string, commands: Commands): Promise<Engine | null> {
  const running = await machinesEngine(commands);
  if (running !== null) return running;
  prepare(['docker']);
  const missing = OWN_ENGINE.filter((part) => !have(part));
  if (process.getuid?.() === 0 && missing.length === 0) return await startEngine(folder, commands);
  const why =
    missing.length > 0 ? `not installed: ${missing.join(', ')}` : 'only root may start one';
  console.log(`skipped: no Docker engine answers, and an own one cannot be started (${why})`);
  counts.skipped += 1;
  return null;
}

async function onEngine(engine: Engine, folder: string): Promise<void> {
  const bases = baseImagesOf(ROOT);
  if (!(await step('base images', () => bringBases(bases, engine, folder)))) return;
  const stack = await Stack.prepare(`sallyport-prove-${process.pid}`, folder, engine.commands);
  try {
    // In the engine's own network a builder may have no way out.
    await step('docker build', () =>
      stack.docker('build', '--network', 'host', '--tag', stack.image, ROOT),
    );
    let image: ImageFigures | undefined;
    let starts: readonly number[] = [];
    let layers = 0;
    await judge('the image holds what runs, and nothing else', async () => {
      image = await checkImage(stack, bases.node);
    });
    await judge(
      'alone, with a store in a volume and no shell, it runs as the Dockerfile says',
      async () => {
        starts = await runsAlone(stack, folder);
      },
    );
    await judge('built again elsewhere, every layer is the same', async () => {
      layers = await buildsTheSame(stack, ROOT, folder);
    });
    if (image !== undefined) write(figuresOf(image, starts, layers, madeOn));
    await step('docker-compose up', () => stack.compose('up', '--detach'));
    const tokens: Tokens = { deployer: '', viewer: '', administrator: '', password: '' };
    for (const [what, check] of CHECKS) await judge(what, () => check(stack, tokens));
    if (counts.failed > 0)
      console.log(
        (await stack.logs(await stack.container('gate'))).split('\n').slice(-40).join('\n'),
      );
  } finally {
    await clearAlone(stack);
    await stack.clear();
  }
}

/** One line for each figure. */
function figuresOf(
  image: ImageFigures,
  starts: readonly number[],
  layers: number,
  base: string,
): readonly string[] {
  const [least = Number.NaN, ...more] = starts.toSorted((a, b) => a - b);
  const middle = [least, ...more][Math.floor(starts.length / 2)];
  const day = new Date().toISOString().slice(0, 10);
  const load = loadavg()[0]?.toFixed(1);
  return [
    `what is above the base: ${image.ours.toFixed(1)} MB (with it ${image.megabytes.toFixed(0)} MB; ${image.architecture})`,
    `packages in its bill of materials: ${image.packages}`,
    `layers that were the same in two builds: ${layers === 0 ? 'not all' : `${layers} of ${layers}`}`,
    `from the start of the container to the first TLS handshake: least ${least} ms, middle ${middle} ms of ${starts.length}`,
    `${day}, ${cpus().length} cores, load ${load}, on ${base}`,
  ];
}

function write(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT} has lost its marks ${BEGIN}`);
  const list = lines.map((line) =>
    `| ${line.replace(': ', ' | ')} |`.replace(/^(\| [^|]+) \|$/, '$1 | |'),
  );
  const table = ['| what | found |', '| --- | --- |', ...list].join('\n');
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`);
}

async function bringBases(bases: BaseImages, engine: Engine, folder: string): Promise<boolean> {
  madeOn = bases.node;
  if (await pullAll(bases, engine.commands)) return true;
  if (engine.own) {
    console.log(
      `${bases.node} and ${bases.redis} cannot be pulled: stand-ins are made from Debian's packages`,
    );
    await standIn(bases, folder, engine.commands);
    madeOn = `a stand-in for ${bases.node}`;
    return true;
  }
  console.log(
    `skipped: ${bases.node} and ${bases.redis} cannot be pulled, and the engine of this machine is not ours to put others in their place`,
  );
  counts.skipped += 1;
  return false;
}

async function judge(what: string, check: () => Promise<void>): Promise<void> {
  stop.signal.throwIfAborted();
  const begin = performance.now();
  try {
    await check();
    counts.passed += 1;
    say('ok', what, begin);
  } catch (error) {
    counts.failed += 1;
    say('FAILED', what, begin);
    console.error(error instanceof Error ? error.message : error);
  }
}

async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  const result = await work();
  say('..', what, begin);
  return result;
}

function say(mark: string, what: string, begin: number): void {
  console.log(
    `${mark.padEnd(6)} ${((performance.now() - begin) / 1000).toFixed(1).padStart(5)} s  ${what}`,
  );
}
