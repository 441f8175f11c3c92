import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiOperation, apiDocument, sampleOf } from '../../docs/site/api.ts';
import { samplesOf } from '../../docs/site/samples.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { requireOrSkip } from '../support/system.ts';

/** The samples of the documentation, run as they stand there, against a gate. */
const run = promisify(execFile);
const paths = apiDocument().paths as Record<string, Record<string, ApiOperation>>;

let test: TestGateway;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  test = await startGateway({
    upstreams: { none: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
  });
  const { token } = await test.createAccount({ name: 'pipeline', role: 'administrator' });
  env = {
    ...process.env,
    SALLYPORT_URL: `https://localhost:${test.gateway.addresses.admin?.port}`,
    SALLYPORT_TOKEN: token,
    SALLYPORT_CA: test.caFile,
    NODE_EXTRA_CA_CERTS: test.caFile,
    SSL_CERT_FILE: test.caFile,
  };
});
afterAll(() => test?.stop());

const create = (name: string) => ({
  method: 'POST',
  path: '/roles',
  body: { name, permissions: ['a:b'] },
});

it('lists and creates by curl', async (ctx) => {
  requireOrSkip(ctx, 'curl');
  expect(await output('sh', ['-c', samplesOf(list()).curl])).toContain('administrator');
  expect(await output('sh', ['-c', samplesOf(create('by-curl')).curl])).toContain('by-curl');
});

it('lists and creates by Node', async () => {
  const node = (code: string) => output(process.execPath, ['--input-type=module', '-e', code]);
  expect(await node(samplesOf(list()).node)).toContain('administrator');
  expect(await node(samplesOf(create('by-node')).node)).toContain('by-node');
});

it('lists and creates by Python', async (ctx) => {
  requireOrSkip(ctx, 'python3');
  expect(await output('python3', ['-c', samplesOf(list()).python])).toContain('administrator');
  expect(await output('python3', ['-c', samplesOf(create('by-python')).python])).toContain(
    'by-python',
  );
});

function list() {
  return sampleOf({ path: '/roles', method: 'get', operation: paths['/roles']!.get! });
}

async function output(program: string, words: readonly string[]): Promise<string> {
  const { stdout } = await run(program, words, { env });
  return stdout;
}
