import { pathToFileURL } from 'node:url';

/** The wire engine, from the project or from a folder with a changed copy of it. */
export interface Wire {
  readonly HeadReader: typeof import('../../src/wire/head-reader.ts').HeadReader;
  readonly BodyReader: typeof import('../../src/wire/body-reader.ts').BodyReader;
  readonly parseRequestHead: typeof import('../../src/wire/request-parser.ts').parseRequestHead;
  readonly isHeadFault: typeof import('../../src/wire/request-parser.ts').isHeadFault;
  readonly UpstreamConnection: typeof import('../../src/wire/upstream-connection.ts').UpstreamConnection;
}

export async function loadWire(folder: string): Promise<Wire> {
  const load = (file: string) => import(pathToFileURL(`${folder}/${file}`).href);
  const { HeadReader } = await load('head-reader.ts');
  const { BodyReader } = await load('body-reader.ts');
  const { parseRequestHead, isHeadFault } = await load('request-parser.ts');
  const { UpstreamConnection } = await load('upstream-connection.ts');
  return { HeadReader, BodyReader, parseRequestHead, isHeadFault, UpstreamConnection };
}
