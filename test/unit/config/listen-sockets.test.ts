import { describe, expect, it } from 'vitest';
import { folder, GATE, parse, saidOf } from './samples.ts';

const UPSTREAMS = GATE.slice(GATE.indexOf('upstreams'));
const listening = (text: string, more = '') => `listen: { ${text} }\n${UPSTREAMS}${more}`;
const proxy = (address: string, keys = 'plaintext: true') =>
  listening(`proxy: { address: "${address}", ${keys} }`);
const SOCKET = 'unix:/run/sallyport/gate.sock';

describe('a listener on a socket', () => {
  it('is taken, of the gate and of the decision endpoint, and nobody is warned', () => {
    const decision = `decision: { address: "unix:/run/ask.sock", peers: [unix] }`;
    const { config, warnings } = parse(
      listening(`proxy: { address: "${SOCKET}", plaintext: true }, ${decision}`),
    );
    expect(config.listen.proxy!.address).toEqual({ host: SOCKET, port: 0 });
    expect(config.listen.decision!.address).toEqual({ host: 'unix:/run/ask.sock', port: 0 });
    expect(warnings.filter(({ path }) => path.startsWith('listen'))).toEqual([]);
  });

  it.each(['unix:gate.sock', 'unix:/run/a b', `unix:/${'a'.repeat(107)}`, 'unix:'])(
    'is not %s',
    (address) => {
      expect(saidOf(proxy(address))).toEqual([
        expect.stringMatching(/^listen\.proxy\.address: expected host:port, .* or a socket/),
      ]);
    },
  );

  it('speaks no TLS, says that it speaks none, and is one of its own', () => {
    const dir = folder({ c: 'x', k: 'x' });
    const tls = `tls: { certificates: [{ certificateFile: ${dir}/c, keyFile: ${dir}/k }] }`;
    const noTls = 'tls: only with host:port: a socket of this machine is spoken to without TLS';
    expect(saidOf(proxy(SOCKET, tls))).toEqual([`listen.proxy.${noTls}`]);
    expect(saidOf(proxy(SOCKET, 'via: true'))).toEqual([
      expect.stringMatching(/^listen\.proxy\.tls: is missing/),
    ]);
    const twice = `decision: { address: "${SOCKET}", peers: [unix] }`;
    expect(saidOf(listening(`proxy: { address: "${SOCKET}", plaintext: true }, ${twice}`))).toEqual(
      ['listen.decision.address: the socket is already taken by listen.proxy'],
    );
  });

  it('is not shared by workers, nor opened for operations', () => {
    const workers = 'instance: { workers: 2 }\n';
    expect(saidOf(proxy(SOCKET) + workers)).toContain(
      'listen.proxy.address: the 2 workers cannot share a socket: run one worker, or listen on host:port',
    );
    expect(saidOf(listening(`ops: { address: "${SOCKET}" }`))).toEqual([
      'listen.ops.address: expected host:port, such as 127.0.0.1:8443 or [::1]:8443',
    ]);
  });

  it('has peers that are named unix, which no network is', () => {
    const peers =
      'plaintext: true, trustedProxies: [unix, 10.0.0.0/8], proxyProtocol: { peers: [unix] }';
    expect(parse(proxy(SOCKET, peers)).config.listen.proxy!.trustedProxies).toEqual([
      'unix',
      '10.0.0.0/8',
    ]);
    expect(saidOf(proxy(SOCKET, 'plaintext: true, trustedProxies: ["unix:/a"]'))).toEqual([
      expect.stringMatching(/^listen\.proxy\.trustedProxies\[0\]: expected an IP address/),
    ]);
  });
});
