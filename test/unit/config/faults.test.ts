import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { ConfigFaults, showFault } from '../../../src/config/faults.ts';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { faultsIn, folder, GATE, parse, saidOf } from './samples.ts';

it('shows file, line, column, path and what was probably meant', () => {
  const text = `${GATE}routes:\n  - name: r\n    permision: a:b\n`;
  const fault = faultsIn(text).find(({ path }) => path === 'routes[0].permision');
  expect(fault && showFault('sallyport.yaml', fault)).toBe(
    'sallyport.yaml:6:5 routes[0].permision: unknown key (did you mean permission?)',
  );
});

it('reports every fault of a file at once, in the order of the file', () => {
  const faults = faultsIn(`
instnce: {}
listen: { proxy: { address: nowhere, plaintext: yes please } }
limits: { headBytes: 1, idleTimeoutMs: soon }
upstreams: { a: { addresses: [] }, b!: {} }
routes:
  - { name: "", path: "a", methods: [BREW], access: members, upstream: c }
audit: { guarantee: perhaps, retention: { days: 0 } }
realm: 3
`);
  expect(faults.map(({ line, path }) => `${line} ${path}`)).toEqual([
    '2 instnce',
    '3 listen.proxy.tls',
    '3 listen.proxy.address',
    '3 listen.proxy.plaintext',
    '4 limits.headBytes',
    '4 limits.idleTimeoutMs',
    '5 upstreams.a.addresses',
    '5 upstreams["b!"]',
    '7 routes[0].permission',
    '7 routes[0].application',
    '7 routes[0].name',
    '7 routes[0].path',
    '7 routes[0].methods[0]',
    '7 routes[0].access',
    '7 routes[0].upstream',
    '8 audit.guarantee',
    '8 audit.retention.days',
    '9 realm',
  ]);
});

it('says what was expected in words for people', () => {
  expect(
    saidOf(
      'limits: { headBytes: 1.5, bodyBytes: -1, idleTimeoutMs: "60000" }\nerrors: html\nroutes: {}\nupstreams: []',
    ),
  ).toEqual([
    'limits.headBytes: expected a whole number',
    'limits.bodyBytes: expected at least 0',
    'limits.idleTimeoutMs: expected a whole number',
    'errors: expected problem or lifetime',
    'routes: expected a list',
    'upstreams: expected a group of keys',
  ]);
  expect(saidOf('limits:')).toEqual(['limits: expected a group of keys']);
  expect(saidOf('store: { kind: postgres }')).toEqual(['store.kind: expected redis or embedded']);
});

it('suggests keys that are near, and none where nothing is', () => {
  expect(saidOf('lisen: {}')).toEqual(['lisen: unknown key (did you mean listen?)']);
  expect(saidOf('limits: { headbytes: 5000 }')).toEqual([
    'limits.headbytes: unknown key (did you mean headBytes?)',
  ]);
  expect(saidOf('store: { kind: redis, url: "redis://localhost", usrename: gate }')).toEqual([
    'store.usrename: unknown key (did you mean username?)',
  ]);
  expect(saidOf('frobnicate: {}')).toEqual(['frobnicate: unknown key']);
  expect(saidOf('{ __proto__: {}, constructor: {}, toString: 1 }')).toEqual([
    '__proto__: unknown key',
    'constructor: unknown key',
    'toString: unknown key',
  ]);
});

it('refuses a key that is given twice', () => {
  const [fault, ...others] = faultsIn('realm: a\nerrors: problem\nrealm: b\n');
  expect(others).toEqual([]);
  expect(fault).toEqual({ line: 3, column: 1, path: 'realm', message: 'the key is given twice' });
});

it.each([
  ['a broken flow', 'listen: { proxy: ['],
  ['a tab as indentation', 'listen:\n\tproxy: {}\n'],
  ['two documents', 'realm: a\n---\nrealm: b\n'],
  ['an unknown tag', 'realm: !!js/function "x"\n'],
  ['a key that is no text', '? [a, b]\n: c\n'],
])('names the line of what is not YAML: %s', (_, text) => {
  const faults = faultsIn(text);
  expect(faults.length).toBeGreaterThan(0);
  for (const fault of faults)
    expect(fault).toMatchObject({
      line: expect.any(Number),
      message: expect.stringContaining('not valid YAML'),
    });
});

it('takes an empty file for a mistake: it is what half a write leaves', () => {
  expect(saidOf('')).toEqual([': the file is empty']);
  expect(saidOf('# nothing but a comment\n')).toEqual([': the file is empty']);
  expect(saidOf('[]')).toEqual([': expected a group of keys']);
});

it('reads an alias like what it stands for', () => {
  const { config } = parse(`upstreams: { a: &same { addresses: ["http://a"] }, b: *same }`);
  expect(config.upstreams.map(({ name }) => name)).toEqual(['a', 'b']);
});

it('refuses an alias without an anchor', () => {
  expect(saidOf('errors: problem\nrealm: *nothing\n')).toEqual([
    'realm: there is no such anchor before it',
  ]);
});

it('does not let aliases grow without end', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
  );
  expect(saidOf(`l0: &l0 [x, x]\n${levels.join('\n')}`).join()).toContain('more than 1000 aliases');
  expect(saidOf('realm: &r [*r]').join()).toContain('nested too deeply');
});

it('survives a file that is all faults, with a bounded list', () => {
  const text = `routes: [${Array(5000).fill('{ x: 1 }').join(', ')}]`;
  expect(faultsIn(text)).toHaveLength(200);
});

it('reads files of at most 1 MiB, and says why one cannot be read', () => {
  const dir = folder({ 'big.yaml': `# ${'x'.repeat(1_048_576)}\n` });
  expect(() => loadConfig(`${dir}/big.yaml`)).toThrow(
    `${dir}/big.yaml is larger than 1048576 bytes`,
  );
  expect(() => loadConfig(`${dir}/none.yaml`)).toThrow(`${dir}/none.yaml does not exist`);
  expect(() => loadConfig(dir)).toThrow(`${dir} is a folder`);
  expect(() => loadConfig('/dev/zero')).toThrow('/dev/zero is not a regular file');
});

it('lets other rooms speak with line and path, once all is in order here', () => {
  const checks = [
    (_: unknown, report: { fault(path: (string | number)[], message: string): void }) =>
      report.fault(['routes', 1], 'tied with routes[0]'),
  ];
  const text = `${GATE}routes:
  - { name: a, path: /a, access: public, upstream: api }
  - { name: b, path: /b, access: public, upstream: api }
`;
  expect(faultsIn(text, { checks })).toEqual([
    { line: 6, column: 5, path: 'routes[1]', message: 'tied with routes[0]' },
  ]);
  expect(saidOf(`${text}x: 1\n`, { checks })).toEqual(['x: unknown key']);
});

it('keeps values of the environment out of everything that is said', () => {
  const environment = { S: 'hunter2-hunter2' };
  const text = `
realm: "\${S}\\""
errors: "\${S}"
store: { kind: redis, url: "redis://h/\${S}", password: "x\${S}", keyPrefix: "!\${S}" }
upstreams: { a: { addresses: ["\${S}"], host: "\${S}/", tls: { caFile: "\${S}" } } }
routes: [{ name: "\${S} ", path: "\${S}", methods: ["\${S}"], application: "{\${S}}", permission: "\${S}", upstream: "\${S}", host: "\${S}:1", stripPrefix: "\${S}" }]
`;
  try {
    parseConfig(text, 'sallyport.yaml', { environment });
    expect.unreachable();
  } catch (fault) {
    expect(fault).toBeInstanceOf(ConfigFaults);
    expect((fault as ConfigFaults).faults.length).toBeGreaterThan(10);
    expect(
      `${fault} ${inspect(fault, { depth: 9 })}`.replaceAll(
        (fault as ConfigFaults).files.join(),
        '',
      ),
    ).not.toContain('hunter2');
  }
});
