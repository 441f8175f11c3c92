import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** A larger file is read as if it were empty: it is no hosts file. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Addresses by name as `/etc/hosts` gives them (hosts(5)), read again when the file changed. A file
 * that is not there is an empty one. Look-ups read the file's time at most once a second.
 */
export class HostsFile {
  readonly #path: string;
  readonly #nowMs: () => number;
  #entries: ReadonlyMap<string, readonly string[]> = new Map();
  #stamp = '';
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs a monotonic clock */
  constructor(path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  /** In the file's order; empty when it does not name the host. `name` in lower case. */
  addressesOf(name: string): readonly string[] {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedAtMs >= 1000) {
      this.#lookedAtMs = nowMs;
      this.#refresh();
    }
    return this.#entries.get(name) ?? [];
  }

  #refresh(): void {
    try {
      const { mtimeMs, ino, size } = statSync(this.#path);
      const stamp = `${mtimeMs} ${ino} ${size}`;
      if (stamp === this.#stamp) return;
      this.#entries = size > MAX_BYTES ? new Map() : parseHosts(readFileSync(this.#path, 'utf8'));
      this.#stamp = stamp;
    } catch {
      this.#entries = new Map();
      this.#stamp = '';
    }
  }
}

/** `ADDRESS NAME...` on each line; `#` begins a comment. Names in lower case. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const entries = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names.map((one) => one.toLowerCase())) {
      const known = entries.get(name) ?? [];
      if (!known.includes(address)) entries.set(name, [...known, address]);
    }
  }
  return entries;
}
