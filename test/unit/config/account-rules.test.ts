import { expect, it } from 'vitest';
import { folder, parse, saidOf } from './samples.ts';

const ROUTES = `
upstreams: { api: { addresses: ["http://a"] } }
routes: [{ name: p, path: /p, access: public, upstream: api }]
`;
/** TLS with files that are there; `CA` stands for one. */
const withTls = (tls: string) => {
  const dir = folder({ a: 'x', b: 'x', c: 'x' });
  const certificates = `certificates: [{ certificateFile: ${dir}/a, keyFile: ${dir}/b }]`;
  return `tls: { ${certificates}${tls.replace('CA', `${dir}/c`)} }`;
};

/** What `check` says of an account that is bound like this, where clients are asked like that. */
const warned = (boundTo: string, tls: string, more = '') =>
  parse(`
listen: { proxy: { address: "127.0.0.1:0", ${withTls(tls)} }${more} }
accounts: { serviceAccounts: [{ name: ci, role: none, boundTo: ${boundTo} }] }
${ROUTES}`).warnings.map(({ path, message }) => `${path}: ${message}`);

const OPTIONAL = ', clientCertificates: optional';
const THUMBPRINT = '{ thumbprint: abc }';
const SUBJECT = '{ subject: CN=ci }';
const DECISION = ', decision: { peers: [127.0.0.1] }';

it('names accounts that are bound to a certificate which nobody asks for', () => {
  for (const boundTo of [THUMBPRINT, SUBJECT])
    expect(warned(boundTo, '')).toEqual([
      expect.stringContaining('accounts.serviceAccounts[0].boundTo: listen.proxy.tls asks'),
    ]);
  expect(warned(SUBJECT, OPTIONAL)).toEqual([expect.stringContaining('vouches for a subject')]);
  expect(warned(THUMBPRINT, OPTIONAL)).toEqual([]);
  for (const tls of [', clientCaFile: CA', `${OPTIONAL}, clientCaFile: CA`])
    expect(warned(SUBJECT, tls)).toEqual([]);
});

it('names those that are refused where other proxies ask', () => {
  expect(warned(THUMBPRINT, OPTIONAL, DECISION)).toEqual([
    expect.stringContaining('at the decision endpoint'),
  ]);
});

it('asks of clients only what somebody can vouch for', () => {
  const said = (tls: string) => saidOf(`listen: { proxy: { ${withTls(tls)} } }${ROUTES}`);
  expect(said(', clientCertificates: required')).toEqual([
    expect.stringContaining('required needs a clientCaFile'),
  ]);
  expect(said(', clientCertificates: none, clientCaFile: CA')).toEqual([
    expect.stringContaining('either none or a clientCaFile'),
  ]);
});
