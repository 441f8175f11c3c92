import { describe, expect, it } from 'vitest';
import { read } from './tree.ts';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
}

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

/**
 * Packages whose install script may stand in the lock file: the first is never installed on the
 * platforms that we ship for; the other comes with the tests' client of gRPC, is never shipped, and
 * compares version numbers.
 */
const MAY_HAVE_SCRIPTS = ['node_modules/fsevents', 'node_modules/protobufjs'];

/** The project's, and that of what builds the documentation. */
const FOLDERS = ['', 'docs/site/generator/'];

describe.each(FOLDERS)('the lock file in %s.', (folder) => {
  const lock = JSON.parse(read(`${folder}package-lock.json`)) as {
    packages: Record<string, Locked>;
  };
  const manifest = JSON.parse(read(`${folder}package.json`)) as Manifest;
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

  it('names no registry: whichever one is configured must deliver the same bytes', () => {
    expect(
      packages.filter(([, locked]) => locked.resolved !== undefined).map(([path]) => path),
    ).toEqual([]);
  });

  it('holds the hash of every package', () => {
    expect(
      packages
        .filter(([, locked]) => !locked.integrity?.startsWith('sha512-'))
        .map(([path]) => path),
    ).toEqual([]);
  });

  it('runs no code of a package at installation', () => {
    const withScript = packages.filter(
      ([path, locked]) => locked.hasInstallScript && !MAY_HAVE_SCRIPTS.includes(path),
    );
    expect(withScript.map(([path]) => path)).toEqual([]);
  });

  it('holds every platform: without one of them `npm ci` refuses the whole file', () => {
    const locked = new Set(
      packages.map(([path]) =>
        path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      ),
    );
    const wanted = packages.flatMap(([, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies),
    );
    expect(wanted.filter((name) => !locked.has(name))).toEqual([]);
  });

  it('agrees with package.json, which pins exact versions', () => {
    const wanted = {
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    };
    for (const [name, version] of Object.entries(wanted)) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });
});
