import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  hashPassword,
  PasswordsBusy,
  passwordFault,
  verifyPassword,
} from '../../../src/account/password.ts';

/** A verifier that costs little, made without the code under test. */
function cheapVerifier(password: string, ln = 4): string {
  const salt = Buffer.from('0123456789abcdef');
  const hash = scryptSync(password, salt, 32, { N: 2 ** ln, r: 8, p: 1 });
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=8,p=1$${text(salt)}$${text(hash)}`;
}

describe('a new password', () => {
  it('has 12 to 256 characters, counted as people count them', () => {
    expect(passwordFault('eleven char')).toContain('at least 12 characters and has 11');
    expect(passwordFault('twelve chars')).toBe(null);
    expect(passwordFault('🔑'.repeat(11))).toContain('has 11');
    expect(passwordFault('🔑'.repeat(256))).toBe(null);
    expect(passwordFault('x'.repeat(257))).toContain('at most 256');
    expect(passwordFault(`a lone half \ud83d`)).not.toBe(null);
  });

  it('is refused with a clear fault when it is too short', async () => {
    await expect(hashPassword('short')).rejects.toThrow(/at least 12 characters/);
  });
});

describe('a verifier', () => {
  it('knows its password at the advised cost, says so in PHC form, and never twice the same', async () => {
    const [one, other] = await Promise.all([
      hashPassword('correct horse battery'),
      hashPassword('correct horse battery'),
    ]);
    expect(one).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(other);
    expect(await verifyPassword('correct horse battery', one)).toBe(true);
    expect(await verifyPassword('correct horse batterz', one)).toBe(false);
  });

  it('made by another implementation is understood', async () => {
    expect(
      await verifyPassword('correct horse battery', cheapVerifier('correct horse battery')),
    ).toBe(true);
    expect(
      await verifyPassword('correct horse batter', cheapVerifier('correct horse battery')),
    ).toBe(false);
  });

  it('takes the same text from two keyboards for the same password', async () => {
    expect(
      await verifyPassword(
        'café au lait noir'.normalize('NFD'),
        cheapVerifier('café au lait noir'.normalize('NFC')),
      ),
    ).toBe(true);
  });

  it('that is missing or damaged verifies nothing', async () => {
    const hash = 'A'.repeat(43);
    const damaged = [null, 'plain', `$scrypt$ln=99,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$${hash}`];
    for (const stored of damaged)
      expect(await verifyPassword('correct horse battery', stored)).toBe(false);
  });

  it('is not even asked about a text that no password can be', async () => {
    expect(await verifyPassword('x'.repeat(1_000_000), cheapVerifier('x'))).toBe(false);
  });
});

describe('many at once', () => {
  it('wait in a short queue, and beyond it are told to come back', async () => {
    const verifier = cheapVerifier('correct horse battery', 12);
    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, () => verifyPassword('correct horse battery', verifier)),
    );
    const refused = answers.filter((answer) => answer.status === 'rejected');
    expect(answers.filter((answer) => answer.status === 'fulfilled' && answer.value).length).toBe(
      18,
    );
    expect(refused.every((answer) => answer.reason instanceof PasswordsBusy)).toBe(true);
    // The queue is empty again.
    expect(await verifyPassword('correct horse battery', verifier)).toBe(true);
  });
});
