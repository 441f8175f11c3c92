import { pathToFileURL } from 'node:url';

/** The HTTP/1.1 engine, from the project's `src` or from a folder with a changed copy of it. */
export interface Wire {
  readonly HeadReader: typeof import('../../src/http1/head-reader.ts').HeadReader;
  readonly BodyReader: typeof import('../../src/http1/body-reader.ts').BodyReader;
  readonly parseRequestHead: typeof import('../../src/http1/request-parser.ts').parseRequestHead;
  readonly isHeadFault: typeof import('../../src/http1/request-parser.ts').isHeadFault;
  readonly UpstreamConnection: typeof import('../../src/upstream/connection.ts').UpstreamConnection;
}

export async function loadWire(folder: string): Promise<Wire> {
  const load = (file: string) => import(pathToFileURL(`${folder}/${file}`).href);
  const { HeadReader } = await load('http1/head-reader.ts');
  const { BodyReader } = await load('http1/body-reader.ts');
  const { parseRequestHead, isHeadFault } = await load('http1/request-parser.ts');
  const { UpstreamConnection } = await load('upstream/connection.ts');
  return { HeadReader, BodyReader, parseRequestHead, isHeadFault, UpstreamConnection };
}
