import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UsageError } from '../../../src/cli/exit.ts';
import {
  changeContexts,
  contextsFile as placed,
  readContexts,
} from '../../../src/cli/place/contexts-file.ts';
import { placeOf, placeWords, type StoreOptions } from '../../../src/cli/place/place.ts';

let folder: string;
const began = process.cwd();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-places-'));
  vi.stubEnv('XDG_CONFIG_HOME', join(folder, 'config'));
  vi.stubEnv('SALLYPORT_CONTEXT', undefined);
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(began);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const contextsFile = () => placed()!;
const kept = (current: string | null = null) =>
  changeContexts(() => ({
    current,
    contexts: {
      production: { server: 'https://gate.example:9443', tokenFile: join(folder, 'token') },
      local: { config: join(folder, 'manage.yaml') },
    },
  }));
const words = (options: StoreOptions) => placeWords(placeOf(options));

describe('the place of a command', () => {
  it('is what options say, then the context that is asked for, then the one in use', () => {
    kept('local');
    expect(words({ config: 'a.yaml' })).toBe('a.yaml');
    expect(words({ server: 'https://x:1' })).toBe('https://x:1');
    expect(words({ context: 'production' })).toBe('production (https://gate.example:9443)');
    expect(words({})).toBe(`local (${join(folder, 'manage.yaml')})`);
    vi.stubEnv('SALLYPORT_CONTEXT', 'production');
    expect(words({})).toBe('production (https://gate.example:9443)');
    expect(words({ context: 'local' })).toContain('local');
    expect(words({ config: 'a.yaml' })).toBe('a.yaml');
  });

  it('is ./data where no context is in use, and nobody guesses where there are both', () => {
    mkdirSync('data');
    writeFileSync('data/dev.yaml', '');
    expect(words({})).toBe('data/dev.yaml');
    kept('production');
    expect(() => words({})).toThrow(/context production is in use and there is a .\/data here/);
    expect(words({ context: 'production' })).toContain('production');
    expect(words({ config: 'data/dev.yaml' })).toBe('data/dev.yaml');
  });

  it('is refused where it is said twice, or not known', () => {
    kept();
    expect(() => words({ context: 'local', config: 'a.yaml' })).toThrow(/either --context or/);
    expect(() => words({ config: 'a.yaml', server: 'https://x' })).toThrow(/not both/);
    expect(() => words({ context: 'elsewhere' })).toThrow(/no context elsewhere/);
    expect(() => words({ context: 'toString' })).toThrow(/no context toString/);
    expect(() => words({ context: 'local', caFile: 'ca.pem' })).toThrow(/--ca-file is for/);
    expect(() => words({})).toThrow(/which store/);
  });

  it('names its token source, and reads it when it is needed', () => {
    kept();
    const place = placeOf({ context: 'production' });
    if (place.server === null) throw new Error('it is a server');
    expect(() => place.token.read()).toThrow(/token of the context production/);
    writeFileSync('token', 'no token\n', { mode: 0o600 });
    expect(() => place.token.read()).toThrow(/has no token/);
  });
});

describe('the file of contexts', () => {
  it('is 0600 in a folder of mode 0700, also where it was open', () => {
    kept();
    const file = contextsFile();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    chmodSync(file, 0o644);
    kept('local');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readContexts().current).toBe('local');
  });

  it('is refused where others can write to it', () => {
    kept();
    const file = contextsFile();
    chmodSync(file, 0o620);
    expect(() => readContexts()).toThrow(/can be written by other users/);
    expect(() => kept('local')).toThrow(/can be written by other users/);
  });

  it('is refused where others can write to it, sticky or not', () => {
    kept();
    chmodSync(contextsFile(), 0o1666);
    expect(() => readContexts()).toThrow(/can be written by other users/);
  });

  it('is never looked for in the working folder', () => {
    for (const XDG_CONFIG_HOME of ['', '.', 'config'])
      for (const HOME of ['', '.', 'home']) {
        const file = placed({ XDG_CONFIG_HOME, HOME });
        expect(file === null || (isAbsolute(file) && !file.startsWith(folder)), file!).toBe(true);
      }
    expect(placed({ HOME: '/people/ada' })).toBe('/people/ada/.config/sallyport/contexts.yaml');
  });

  it('is refused in a folder that others can write to', () => {
    kept();
    chmodSync(dirname(contextsFile()), 0o770);
    expect(() => readContexts()).toThrow(/can be written by other users/);
  });

  it('stays a link where it is one', () => {
    kept();
    const file = contextsFile();
    const elsewhere = join(folder, 'dotfiles.yaml');
    writeFileSync(elsewhere, readFileSync(file), { mode: 0o600 });
    rmSync(file);
    symlinkSync(elsewhere, file);
    kept('local');
    expect(readFileSync(elsewhere, 'utf8')).toContain('current: local');
  });

  it('is refused where others could put another file in the place of what a link leads to', () => {
    kept();
    const file = contextsFile();
    const [shared, ours] = [join(folder, 'shared'), join(folder, 'ours')];
    for (const made of [shared, ours]) mkdirSync(made, { mode: 0o700 });
    const elsewhere = join(ours, 'dotfiles.yaml');
    writeFileSync(elsewhere, readFileSync(file), { mode: 0o600 });
    rmSync(file);
    // By two links, the second of which says from its own folder where the file is.
    symlinkSync(join(shared, 'link.yaml'), file);
    symlinkSync('../ours/dotfiles.yaml', join(shared, 'link.yaml'));
    expect(Object.keys(readContexts().contexts)).toEqual(['production', 'local']);
    for (const open of [shared, ours]) {
      chmodSync(open, 0o770);
      expect(() => readContexts(), open).toThrow(`${open} can be written by other users`);
      expect(() => kept('local'), open).toThrow(`${open} can be written by other users`);
      chmodSync(open, 0o700);
    }
    kept('local');
    expect(readFileSync(elsewhere, 'utf8')).toContain('current: local');
  });

  it('is refused where what others can write to is hidden behind a linked folder', () => {
    const text = 'contexts: { ours: { config: /a.yaml } }';
    const make = (...names: string[]) => {
      for (const name of names) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    };
    make('shared/dots/deep', 'kept', 'config', 'other/sallyport');
    writeFileSync(join(folder, 'shared/dots/contexts.yaml'), text, { mode: 0o600 });
    writeFileSync(join(folder, 'kept/real.yaml'), text, { mode: 0o600 });
    symlinkSync(join(folder, 'kept/real.yaml'), join(folder, 'shared/hop.yaml'));
    // The folder of contexts is the link, and then what the link says goes by a linked folder.
    symlinkSync(join(folder, 'shared/dots'), join(folder, 'config/sallyport'));
    symlinkSync(join(folder, 'shared/dots'), join(folder, 'other/sallyport/sub'));
    symlinkSync('sub/../hop.yaml', join(folder, 'other/sallyport/contexts.yaml'));
    for (const config of ['config', 'other']) {
      vi.stubEnv('XDG_CONFIG_HOME', join(folder, config));
      expect(Object.keys(readContexts().contexts), config).toEqual(['ours']);
      chmodSync(join(folder, 'shared'), 0o777);
      const refused = `${join(folder, 'shared')} can be written by other users`;
      expect(() => readContexts(), config).toThrow(refused);
      // What would be taken for the hop where paths are put together as words.
      writeFileSync(join(folder, 'other/sallyport/hop.yaml'), text, { mode: 0o600 });
      expect(() => readContexts(), config).toThrow(refused);
      chmodSync(join(folder, 'shared'), 0o700);
    }
    kept('local');
    expect(readFileSync(join(folder, 'kept/real.yaml'), 'utf8')).toContain('current: local');
  });

  it('is refused where others can write to a linked folder that plain names follow', () => {
    kept();
    const [config, moved] = [join(folder, 'config'), join(folder, 'moved')];
    renameSync(config, moved);
    symlinkSync('moved', config);
    expect(readContexts().contexts).toHaveProperty('local');
    // Only above the folder of contexts, which is closed.
    chmodSync(moved, 0o777);
    expect(() => readContexts()).toThrow(`${moved} can be written by other users`);
    expect(() => kept('local')).toThrow(`${moved} can be written by other users`);
  });

  it('is named where its links go in a circle', () => {
    kept();
    const file = contextsFile();
    rmSync(file);
    symlinkSync('contexts.yaml', file);
    for (const use of [() => readContexts(), () => kept()]) {
      expect(use).toThrow(UsageError);
      expect(use).toThrow(`${file} cannot be reached: the symbolic links go in a circle`);
    }
  });

  it('is refused behind a link of another user', (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('only root gives a link to another user');
    kept();
    const file = contextsFile();
    renameSync(file, join(folder, 'real.yaml'));
    symlinkSync(join(folder, 'real.yaml'), file);
    expect(readContexts().contexts).toHaveProperty('local');
    lchownSync(file, 65_534, 65_534);
    expect(() => readContexts()).toThrow(
      `${file} belongs to another user, who would say where commands go: remove the link`,
    );
  });

  it('takes one change at a time', () => {
    kept();
    const lock = `${contextsFile()}.lock`;
    writeFileSync(lock, '');
    expect(() => kept()).toThrow(/being changed by another command/);
    rmSync(lock);
    kept();
  });

  it.each([
    ['contexts: [', /no YAML/],
    ['contexts: { a: { server: https://x, token: slp_x } }', /contexts/],
    ['contexts: { a: { config: relative.yaml } }', /contexts\.a/],
    ['contexts: { a: { server: https://x, tokenFile: /t, tokenEnv: T } }', /contexts\.a/],
    ['contexts: { "../a": { config: /a.yaml } }', /contexts/],
    ['other: 1', /other/],
  ])('%j is a fault with its place', (text, message) => {
    mkdirSync(dirname(contextsFile()), { recursive: true, mode: 0o700 });
    writeFileSync(contextsFile(), text, { mode: 0o600 });
    expect(() => readContexts()).toThrow(message);
  });
});
