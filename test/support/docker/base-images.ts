import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Commands } from './commands.ts';

/** What a shell script, Node and Redis need of a Debian. */
const PACKAGES = 'base-files,libc-bin,dash,coreutils,grep,sed,libstdc++6,libatomic1,redis-server';
/** From the mirror that mmdebstrap takes by itself. */
const RELEASE = 'bookworm';
/** Any that reads our lock file; the real image has one of its own. */
const NPM = 'npm@11';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const LAYERS = 'sallyport-prove-base';

/** The images that our files name. */
export interface BaseImages {
  readonly node: string;
  readonly redis: string;
}

export function baseImagesOf(root: string): BaseImages {
  const file = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8')) as {
    services: { redis: { image: string } };
  };
  return {
    node: /^ARG BASE=(\S+)/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1] ?? '',
    redis: file.services.redis.image,
  };
}

/** True when all of them are there, or could be pulled. */
export async function pullAll(images: BaseImages, commands: Commands): Promise<boolean> {
  for (const image of [images.node, images.redis]) {
    if ((await commands.outcome('docker', 'image', 'inspect', image)).code === 0) continue;
    if ((await commands.outcome('docker', 'pull', '--quiet', image)).code !== 0) return false;
  }
  return true;
}

/**
 * Makes images of the same names, paths and users from Debian's packages and the locked Node. What
 * they do not have of the real ones is their entrypoint scripts, which neither of our files uses.
 * Only for an engine of one's own: nobody wants these under those names.
 */
export async function standIn(
  images: BaseImages,
  folder: string,
  commands: Commands,
): Promise<void> {
  const tar = join(folder, 'base.tar');
  await Promise.all([
    commands.run(
      'mmdebstrap',
      '--quiet',
      '--variant=extract',
      `--include=${PACKAGES}`,
      RELEASE,
      tar,
    ),
    // Its tarball is whole, where a distribution spreads npm over many packages.
    commands.run('npm', 'pack', NPM, '--silent', '--pack-destination', folder),
  ]);
  await commands.run('docker', 'import', tar, LAYERS);
  rmSync(tar);

  const context = join(folder, 'context');
  mkdirSync(join(context, 'lib'), { recursive: true });
  const npm = (await commands.run('sh', '-c', `ls ${folder}/npm-*.tgz`)).trim();
  await commands.run('tar', '-xzf', npm, '-C', join(context, 'lib'));
  copyFileSync(process.execPath, join(context, 'node'));
  // A machine behind a proxy that looks into TLS has that proxy's CA among its own, and npm in the
  // builder needs it too.
  if (existsSync(CERTIFICATES)) {
    copyFileSync(CERTIFICATES, join(context, 'ca.crt'));
    writeFileSync(join(context, 'npmrc'), `cafile=${CERTIFICATES}\n`);
  } else writeFileSync(join(context, 'npmrc'), '');

  writeFileSync(join(context, 'node.Dockerfile'), nodeFile(existsSync(CERTIFICATES)));
  writeFileSync(join(context, 'redis.Dockerfile'), REDIS_FILE);
  for (const [name, image] of Object.entries(images))
    await commands.run(
      'docker',
      'build',
      '--quiet',
      '--file',
      join(context, `${name}.Dockerfile`),
      '--tag',
      image,
      context,
    );
  rmSync(context, { recursive: true });
}

function nodeFile(certificates: boolean): string {
  return `FROM ${LAYERS}
COPY lib/package /usr/local/lib/node_modules/npm
COPY node /usr/local/bin/
COPY npmrc /usr/local/etc/npmrc
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
${certificates ? `COPY ca.crt ${CERTIFICATES}` : ''}
CMD ["node"]
`;
}

const REDIS_FILE = `FROM ${LAYERS}
RUN mkdir -p /data && chown 999:999 /data
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
`;
