import type { Context, Hono } from 'hono';
import type { Clock } from '../clock.ts';
import { BASE, caller, jsonLimit, jsonObject, list, Problem, pick, text } from './answers.ts';
import { APPLICATIONS, ENVIRONMENTS, type Version } from './seed.ts';

const VERSIONS_MAX = 2_000;

/** Environments, applications and their versions. */
export function addCatalogue(app: Hono, versions: Version[], clock: Clock): void {
  app.get(`${BASE}/environments`, (c) => list(c, ENVIRONMENTS));
  app.get(`${BASE}/environments/:environment`, (c) =>
    c.json(pick(ENVIRONMENTS, c.req.param('environment'), 'environment')),
  );
  app.get(`${BASE}/environments/:environment/applications`, (c) => {
    pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
    return list(c, APPLICATIONS);
  });
  app.get(`${BASE}/applications`, (c) => list(c, APPLICATIONS));
  app.get(`${BASE}/applications/:application`, (c) =>
    c.json(pick(APPLICATIONS, c.req.param('application'), 'application')),
  );
  app.get(`${BASE}/applications/:application/versions`, (c) => {
    const { Key } = pick(APPLICATIONS, c.req.param('application'), 'application');
    return list(
      c,
      versions.filter((version) => version.ApplicationKey === Key),
    );
  });
  app.get(`${BASE}/applications/:application/versions/:version`, (c) =>
    c.json(versionOf(c, versions)),
  );
  app.get(`${BASE}/applications/:application/versions/:version/content`, (c) => {
    const version = versionOf(c, versions);
    return c.json({
      url: `${outsideOrigin(c)}${BASE}/downloads/${version.ApplicationKey}/${version.Key}`,
    });
  });
  app.get(`${BASE}/downloads/:application/:version`, (c) => {
    const version = versionOf(c, versions);
    c.header('Content-Type', 'application/octet-stream');
    c.header('Content-Disposition', `attachment; filename="${version.Key}.oap"`);
    return c.body(`package of ${version.Key}\n`.repeat(1024));
  });
  app.post(
    `${BASE}/environments/:environment/applications/:application/versions`,
    jsonLimit,
    async (c) => {
      pick(ENVIRONMENTS, c.req.param('environment'), 'environment');
      const { Key } = pick(APPLICATIONS, c.req.param('application'), 'application');
      const body = await jsonObject(c);
      const number = text(body, 'Version');
      if (!/^\d{1,4}(\.\d{1,4}){0,3}$/.test(number))
        throw new Problem(400, 'Version must look like 1.4.0');
      if (versions.some((v) => v.ApplicationKey === Key && v.Version === number))
        throw new Problem(409, `Version ${number} of ${Key} exists`);
      if (versions.length >= VERSIONS_MAX) versions.shift();
      const made: Version = {
        Key: `${Key}-${number}`,
        ApplicationKey: Key,
        Version: number,
        ChangeLog: text(body, 'ChangeLog', ''),
        CreatedOn: new Date(clock.wallMs()).toISOString(),
        CreatedBy: caller(c),
      };
      versions.push(made);
      return c.json(made, 201);
    },
  );
}

/**
 * Where the client believes this service to be: links in answers must lead through the gate again.
 */
function outsideOrigin(c: Context): string {
  const here = new URL(c.req.url);
  return `${c.req.header('x-forwarded-proto') ?? here.protocol.slice(0, -1)}://${c.req.header('x-forwarded-host') ?? here.host}`;
}

function versionOf(c: Context, versions: readonly Version[]): Version {
  const { Key } = pick(APPLICATIONS, c.req.param('application') ?? '', 'application');
  const own = versions.filter((version) => version.ApplicationKey === Key);
  return pick(own, c.req.param('version') ?? '', 'version');
}
