import { hash } from 'node:crypto';
import type { Config } from '../config/schema.ts';

const DIGITS = 12;

let hashed: Config | null = null;
let last = '';

/**
 * Tells whether two instances run the same configuration: `instance` and `listen` are left out,
 * which differ between them. Secrets say nothing of themselves (`Secret`), so nobody can try
 * passwords by it; a secret that is exchanged leaves it as it is.
 */
export function configHash(config: Config): string {
  if (config !== hashed) {
    const { instance: _instance, listen: _listen, ...same } = config;
    last = hash('sha256', JSON.stringify(same)).slice(0, DIGITS);
    hashed = config;
  }
  return last;
}
