import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';

const LIMIT_MS = 50_000;

function isInstalled(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore', timeout: LIMIT_MS }).status === 0;
}

describe('completion by a shell', () => {
  const shell = new Shell();

  beforeAll(async () => {
    for (const name of ['bash', 'zsh', 'fish']) {
      const made = await shell.run('completion', name);
      expect(made).toMatchObject({ code: 0, err: '' });
      shell.write(`completion.${name}`, made.out);
    }
    shell.write('manage.yaml', EMBEDDED);
    shell.write('sallyport', `#!/bin/sh\nexec '${process.execPath}' '${shell.main}' "$@"\n`);
    chmodSync(shell.path('sallyport'), 0o755);
    await shell.prepare(async (admin) => {
      await admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] });
      for (const name of ['ci', 'ci-nightly', 'other'])
        await admin.createServiceAccount(owner, { name, role: 'viewer' });
    });
    await shell.run('context', 'add', 'here', '--config', 'manage.yaml');
    mkdirSync(shell.path('manage folder'));
  });
  afterAll(() => shell.close());

  const inShell = (name: string, ...words: readonly string[]): string => {
    const { stdout, stderr, error } = spawnSync(name, words, {
      cwd: shell.folder,
      env: {
        ...shell.env,
        PATH: `${shell.folder}:${process.env.PATH}`,
        TERM: 'dumb',
        // However busy the machine is.
        SALLYPORT_COMPLETE_MS: String(LIMIT_MS),
      },
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    if (error !== undefined) throw error;
    expect(stderr).toBe('');
    return stdout;
  };

  /** What bash offers for the last of the words; they are split as readline splits a line. */
  const inBash = (...words: readonly string[]): readonly string[] => {
    const script = `set -u; source ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return inShell('bash', '--norc', '-c', script, 'bash', 'sallyport', ...words)
      .split('\n')
      .filter((line) => line !== '');
  };

  const inFish = (line: string): readonly string[] =>
    inShell('fish', '--no-config', '-c', 'source ./completion.fish; complete -C $argv[1]', line)
      .split('\n')
      .filter((one) => one !== '');

  it('offers commands, and below them those of a group', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('acc')).toEqual(['account']);
    expect(inBash('')).toEqual(
      expect.arrayContaining(['dev', 'serve', 'account', 'audit', 'completion', 'help']),
    );
    expect(inBash('audit', '')).toEqual(['tail', 'show', 'export', 'verify', 'reindex', 'help']);
    expect(inBash('help', 'inst')).toEqual(['instances']);
    expect(inBash('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('offers the options of the very command, and what they take', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('account', 'list', '--nev')).toEqual(['--never-used']);
    expect(inBash('user', 'list', '--nev')).toEqual([]);
    expect(inBash('account', 'list', '--status', '')).toEqual(['active', 'inactive', 'expired']);
    expect(inBash('account', 'list', '--status', '=', 'in')).toEqual(['inactive']);
    expect(inBash('account', 'list', '--status', '=')).toEqual(['active', 'inactive', 'expired']);
    expect(inBash('account', 'list', '--team', '')).toEqual([]);
  });

  it('takes no value for a command, and no option for an argument', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('account', 'list', '--team', 'show', '--stat')).toEqual(['--status']);
    expect(
      inBash('registry', 'import', '--server', 'https', ':', '//gate', ':', '9443', 'man'),
    ).toEqual(['manage folder', 'manage.yaml']);
  });

  it('offers files where a file is wanted, and nowhere else', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('serve', '--config', 'man')).toEqual(['manage folder', 'manage.yaml']);
    expect(inBash('account', 'show', 'man')).toEqual([]);
  });

  it('offers names of what there is, at the place that the line says', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('account', 'show', '--config', 'manage.yaml', 'ci')).toEqual([
      'ci',
      'ci-nightly',
    ]);
    expect(inBash('account', 'edit', '--context', 'here', 'ci', '--role', 'v')).toEqual(['viewer']);
    expect(inBash('account', 'create', '--context', 'here', 'c')).toEqual([]);
    expect(inBash('context', 'use', '')).toEqual(['here']);
  });

  it('offers no names, and says nothing, where it cannot ask or nobody should be asked', async () => {
    const names = (line: string) => shell.run('__complete', '--', 'account', '', line);
    await shell.run(
      ...['context', 'add', 'asks', '--server', 'https://127.0.0.1:9'],
      ...['--token-command', 'touch asked'],
    );
    for (const line of [
      'sallyport account show --config missing.yaml ',
      'sallyport account show --context asks ',
      'sallyport account show ',
    ])
      expect(await names(line), line).toEqual({ code: 0, out: '', err: '' });
    expect(existsSync(shell.path('asked'))).toBe(false);
  });

  it('offers nothing that is in no help, and all that is', (ctx) => {
    if (!isInstalled('bash')) return ctx.skip('bash is not installed');
    expect(inBash('instances', '--')).toEqual([
      '--config',
      '--server',
      '--ca-file',
      '--context',
      '--output',
      '--json',
      '--csv',
      '--limit',
      '--no-pager',
      '--watch',
      '--help',
    ]);
  });

  it('completes a line that is typed into zsh', (ctx) => {
    if (!isInstalled('zsh')) return ctx.skip('zsh is not installed');
    shell.write(
      'inner.zsh',
      'autoload -U compinit; compinit -D -u; source ./completion.zsh; bindkey "^I" complete-word; unsetopt beep; sallyport() { print -r -- "<got:$*>" }; PS1=ready; print -r -- "<started>"\n',
    );
    const script = `
      zmodload zsh/zpty
      zpty inner 'zsh -f -i'
      zpty -w inner 'source ./inner.zsh'
      zpty -r inner seen '*<started>*'
      zpty -w inner "$1"
      zpty -r inner seen '*<got:*>*'
      print -r -- "$seen"`;
    const typed = (line: string) =>
      /<got:([^$>]*)>/.exec(inShell('zsh', '-f', '-c', script, 'zsh', line))?.[1];
    expect(typed('sallyport acc\tli\t--nev\t--stat\tina\t')).toBe(
      'account list --never-used --status inactive',
    );
    expect(typed('sallyport serve --config manage.\t')).toBe('serve --config manage.yaml');
    expect(typed('sallyport account list --status=exp\t')).toBe('account list --status=expired');
    expect(typed('sallyport completion zs\t')).toBe('completion zsh');
    expect(typed('sallyport account show --context here oth\t')).toBe(
      'account show --context here other',
    );
  });

  it('completes a line in fish', (ctx) => {
    if (!isInstalled('fish')) return ctx.skip('fish is not installed');
    expect(inFish('sallyport acc')).toEqual([
      'account\tservice accounts: the machines that are let in',
    ]);
    expect(inFish('sallyport account list --status ')).toEqual(['active', 'expired', 'inactive']);
    expect(inFish('sallyport account list --status=in')).toEqual(['--status=inactive']);
    expect(inFish('sallyport account list --team show --nev')).toEqual([
      expect.stringMatching(/^--never-used\t/),
    ]);
    expect(inFish('sallyport serve --config manage.')).toEqual(['manage.yaml']);
    expect(inFish('sallyport account show man')).toEqual([]);
    expect(inFish('sallyport account show --context here ci')).toEqual(['ci', 'ci-nightly']);
    expect(inFish('sallyport account list --context=her')).toEqual(['--context=here']);
  });
});
