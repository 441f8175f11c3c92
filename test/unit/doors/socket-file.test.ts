import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenOnFile } from '../../../src/doors/socket-file.ts';

let home: string;
let path: string;
let servers: Server[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sallyport-socket-'));
  path = join(home, 'gate.sock');
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map(closed));
  rmSync(home, { recursive: true, force: true });
});

function server(): Server {
  const made = createServer((socket) => {
    // Who only looks whether anybody accepts goes without reading.
    socket.on('error', () => socket.destroy()).end('here');
  });
  servers.push(made);
  return made;
}

function closed(one: Server): Promise<unknown> {
  return one.listening ? new Promise((resolve) => one.close(resolve)) : Promise.resolve();
}

async function answer(): Promise<string> {
  const socket = connect(path);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return text;
}

/** As a process leaves it that is killed. */
function leaveSocket(): void {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
}

describe('a socket file', () => {
  it('is for its user and group alone, and goes with the listener', async () => {
    const umask = process.umask();
    const open = server();
    await listenOnFile(open, path, 8);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('660');
    expect(process.umask()).toBe(umask);
    expect(await answer()).toBe('here');
    await closed(open);
    expect(existsSync(path)).toBe(false);
  });

  it('that a killed process has left is replaced', async () => {
    leaveSocket();
    expect(statSync(path).isSocket()).toBe(true);
    await listenOnFile(server(), path, 8);
    expect(await answer()).toBe('here');
  });

  it('on which another process accepts is left alone', async () => {
    await listenOnFile(server(), path, 8);
    await expect(listenOnFile(server(), path, 8)).rejects.toThrow(
      `cannot listen on the socket ${path}: another process listens there already`,
    );
    expect(await answer()).toBe('here');
  });

  it('is not opened in the place of something else, nor where no folder is', async () => {
    writeFileSync(path, 'kept');
    await expect(listenOnFile(server(), path, 8)).rejects.toThrow('it is left alone');
    expect(readFileSync(path, 'utf8')).toBe('kept');
    await expect(listenOnFile(server(), join(home, 'none', 'a.sock'), 8)).rejects.toThrow(
      'its folder is not there, or this user may not write there',
    );
  });
});
