import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { Commands } from '../docker/commands.ts';
import { until } from '../docker/stack.ts';
import type { Proof } from '../proof.ts';
import { APPLICATION, GATE, type GuardedPod, REDIS } from './guarded-pod.ts';

const CALLS = 2000;

/** What a cluster does to a guarded pod, in its order, each step a check. */
export async function story(scene: GuardedPod, proof: Proof): Promise<void> {
  const { podman } = scene;
  let token = '';
  const status = async (path: string, by: string | null = token) =>
    (await scene.call(path, by)).status;

  await proof.step('the pod of examples/redis', () => scene.startRedis());
  await proof.judge('an administrator makes registry, role and account from outside', async () => {
    await until('Redis takes the manager', async () =>
      scene.manage('registry', 'init', '--if-none').then(
        () => true,
        () => false,
      ),
    );
    await scene.manage('role', 'create', 'deployer', '--permission', 'deployments:*');
    const created = await scene.manage('account', 'create', 'ci', '--role', 'deployer');
    token = /slp_\w+/.exec(created)![0];
  });
  await proof.judge('the pod of examples/guarded becomes ready', () => scene.start());
  await proof.judge('whoever holds a token is let in over HTTPS, and nobody else', async () => {
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
    assert.equal(await status('/lifetimeapi/rest/v2/environments', null), 401);
    assert.equal(await status('/healthz', null), 200, 'the public route of the readiness probe');
  });
  await proof.judge('the application cannot be reached around its gate', async () => {
    const { out } = await new Commands({ cwd: import.meta.dirname }).outcome(
      'curl',
      '-q',
      '-s',
      '--max-time',
      '5',
      '-w',
      '%{http_code}',
      `http://${scene.address}:8080/healthz`,
    );
    assert.equal(out, '000');
    const inside = "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1))";
    assert.equal((await podman.outcome('exec', APPLICATION, 'node', '-e', inside)).code, 0);
  });
  await proof.judge(
    'the gate is the user 10001, without rights, on a root that it cannot write',
    () => isRestricted(scene),
  );
  await proof.judge(`${CALLS} calls, and what they took`, () => measure(scene, token));
  await proof.judge('a rotated token is refused from the receipt on', async () => {
    const before = token;
    const said = await scene.manage('account', 'rotate', 'ci', '--yes', '--json');
    assert.match(said, /"effective": ?true/);
    token = /slp_\w+/.exec(said)![0];
    assert.equal(await status('/lifetimeapi/rest/v2/environments', before), 401);
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
  });
  await proof.judge('a ConfigMap that is swapped counts without a restart', async () => {
    const { Pid } = await scene.state(GATE);
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
    const closed = scene.text.replace(/ {2}- name: read\n[\s\S]*?\n\n/, '');
    assert.notEqual(closed, scene.text);
    scene.swap(scene.config, { 'sallyport.yaml': closed });
    await until('the route is gone', async () => (await status('/x')) === 405);
    scene.swap(scene.config, { 'sallyport.yaml': scene.text });
    await until('the route is back', async () => (await status('/healthz')) === 200);
    await until(
      'reads pass',
      async () => (await status('/lifetimeapi/rest/v2/environments')) === 200,
    );
    assert.equal((await scene.state(GATE)).Pid, Pid);
  });
  await proof.judge('a ConfigMap with a fault changes nothing, and is told', async () => {
    scene.swap(scene.config, { 'sallyport.yaml': `${scene.text}\nnonsense: true\n` });
    await until('it is told', async () => /nonsense/.test((await scene.health('/readyz')).body));
    assert.equal((await scene.health('/readyz')).status, 200);
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
    scene.swap(scene.config, { 'sallyport.yaml': scene.text });
    await until(
      'it is in order',
      async () => !/nonsense/.test((await scene.health('/readyz')).body),
    );
  });
  await proof.judge('a renewed certificate is served without a restart', async () => {
    const before = await serialOf(scene);
    const { certificate, key } = await scene.authority.issue(['deployments']);
    scene.swap(scene.tls, { 'tls.crt': certificate, 'tls.key': key });
    await until('the new one is served', async () => (await serialOf(scene)) !== before);
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
  });
  await proof.judge(
    'a new password of Redis is taken over, and no call fails meanwhile',
    async () => {
      const seen = await whileCalled(scene, token, async () => {
        await scene.setRedisPassword('password-of-gate-2');
        scene.swap(scene.redisSecret, { password: 'password-of-gate-2\n' });
        // Redis was restarted, so whoever is looked up is looked up with the new password.
        const created = await scene.manage('account', 'create', 'late', '--role', 'deployer');
        const late = /slp_\w+/.exec(created)![0];
        await until('the new password is used', async () => (await status('/x', late)) === 404);
      });
      assert.deepEqual(seen.wrong, []);
      console.log(`       ${seen.calls} calls meanwhile`);
    },
  );
  await proof.judge('a gate that is killed comes back, and no record is missing', async () => {
    await podman.run('kill', '--signal', 'KILL', GATE);
    await scene.ended(GATE);
    await podman.run('start', GATE);
    await scene.ready();
    assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
    assert.match(await scene.manage('audit', 'verify'), /0 gaps, 0 edits/);
  });
  await proof.judge(
    'a gate that starts while Redis is away is alive, not ready, and lets nobody in',
    async () => {
      // Stopped, it would come back at another address: podman ends a pod with its last container.
      await podman.run('pause', REDIS);
      await podman.run('kill', '--signal', 'KILL', GATE);
      await scene.ended(GATE);
      await podman.run('start', GATE);
      await until('it is alive', async () => (await scene.health('/livez')).status === 200);
      assert.equal((await scene.health('/readyz')).status, 503);
      // Its port is not open yet, or it says 503; never 401, and never 200.
      assert([0, 503].includes(await status('/lifetimeapi/rest/v2/environments')));
      await podman.run('unpause', REDIS);
      await scene.ready();
      assert.equal(await status('/lifetimeapi/rest/v2/environments'), 200);
    },
  );
  await proof.judge('at its end nothing is lost: the call under way, late calls, the record', () =>
    ends(scene, token),
  );
}

async function isRestricted(scene: GuardedPod): Promise<void> {
  const pid = await scene.pid(GATE);
  const field = (name: string) =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  assert.match(field('Uid')!, /^10001\s/);
  assert.equal(Number.parseInt(field('CapEff')!, 16), 0);
  assert.equal(Number.parseInt(field('CapBnd')!, 16), 0);
  assert.equal(field('NoNewPrivs'), '1');
  assert.equal(field('Seccomp'), '2');
  const write = (path: string) => {
    const script = `require('fs').writeFileSync(${JSON.stringify(path)}, 'x')`;
    return scene.podman.outcome('exec', GATE, 'node', '-e', script);
  };
  for (const path of [
    '/intruder',
    '/tmp/intruder',
    '/etc/sallyport/config/intruder',
    '/app/intruder',
  ])
    assert.notEqual((await write(path)).code, 0, path);
}

/** Memory and processor time of the gate, for `resources`. */
async function measure(scene: GuardedPod, token: string): Promise<void> {
  const pid = await scene.pid(GATE);
  const before = cpuMs(pid);
  const seen = await whileCalled(
    scene,
    token,
    async (calls) => {
      await until('all have been made', async () => calls() >= CALLS);
    },
    8,
  );
  assert.deepEqual(seen.wrong, []);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)![1]) / 1024);
  const each = (cpuMs(pid) - before) / seen.calls;
  console.log(
    `       ${mib('VmRSS')} MiB resident, ${mib('VmHWM')} MiB at most; ${each.toFixed(2)} ms of processor time for each of ${seen.calls} calls on new TLS connections`,
  );
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Calls by the token, each on a connection of its own, until `work` is done. */
async function whileCalled(
  scene: GuardedPod,
  token: string,
  work: (calls: () => number) => Promise<void>,
  lanes = 2,
): Promise<{ calls: number; wrong: string[] }> {
  const wrong: string[] = [];
  let [calls, going] = [0, true];
  const lane = async () => {
    while (going) {
      const got = await once(scene, token).catch((fault: Error) => fault.message);
      calls += 1;
      if (got !== '200') wrong.push(got);
      await sleep(1);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  try {
    await work(() => calls);
  } finally {
    going = false;
    await all;
  }
  return { calls, wrong };
}

/** The status of a call, and what was said with it where it was not let in. */
function once(scene: GuardedPod, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({
      host: scene.address,
      port: 8443,
      servername: 'deployments',
      ca: scene.authority.pem,
      path: '/lifetimeapi/rest/v2/environments',
      headers: { host: 'deployments', authorization: `Bearer ${token}` },
      agent: false,
      signal: AbortSignal.timeout(20_000),
    })
      .once('error', reject)
      .once('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        const { statusCode } = response;
        response.once('end', () => resolve(statusCode === 200 ? '200' : `${statusCode} ${body}`));
      })
      .end();
  });
}

function serialOf(scene: GuardedPod): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: scene.address, port: 8443, servername: 'deployments', ca: scene.authority.pem },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    ).once('error', reject);
  });
}

/** An upload that lasts longer than the application's preStop, and calls that come late. */
async function ends(scene: GuardedPod, token: string): Promise<void> {
  // Both are waited for below; a check that fails before must not leave them to nobody.
  const upload = slowUpload(scene, token, 8000);
  upload.catch(() => {});
  await sleep(1000);
  const ending = scene.end();
  ending.catch(() => {});
  const late: string[] = [];
  for (let second = 2; second < 10; second += 2) {
    await sleep(2000);
    const { status, body } = await scene.call(
      '/lifetimeapi/rest/v2/environments',
      token,
      '-i',
      '--http1.1',
    );
    late.push(`${status} ${/^connection: *(\S+)/im.exec(body)?.[1] ?? 'kept'}`);
  }
  assert.deepEqual(new Set(late), new Set(['200 close']), 'late calls, until the application ends');
  assert.equal(await upload, 200, 'the call under way');
  const ended = await ending;
  assert.deepEqual(ended, { gate: 0, applicationFirst: true });
  assert.match(await scene.manage('audit', 'verify'), /0 gaps, 0 edits/);
}

function slowUpload(scene: GuardedPod, token: string, forMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: scene.address,
      port: 8443,
      servername: 'deployments',
      ca: scene.authority.pem,
      path: '/echo/upload',
      method: 'POST',
      headers: { host: 'deployments', authorization: `Bearer ${token}` },
      agent: false,
    })
      .once('error', reject)
      .once('response', (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
    const end = performance.now() + forMs;
    const timer = setInterval(() => {
      if (performance.now() < end) return void sent.write('x'.repeat(1024));
      clearInterval(timer);
      sent.end();
    }, 200);
  });
}
