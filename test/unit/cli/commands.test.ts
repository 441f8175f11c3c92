import { describe, expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/program.ts';

describe('the commands', () => {
  it('stand in the help as they are, though none of them is loaded for it', async () => {
    const whole = (await createProgram(null)).helpInformation();
    for (const words of [['--help'], ['help'], [], ['acount']])
      expect((await createProgram(words)).helpInformation(), words.join(' ')).toBe(whole);
  });

  it('are loaded one by one', async () => {
    const loaded = async (...words: string[]) =>
      (await createProgram(words)).commands
        .filter((command) => command.description() !== '')
        .map((command) => command.name());
    expect(await loaded('--version')).toEqual([]);
    expect(await loaded('account', 'list')).toEqual(['account']);
    expect(await loaded('-h', 'role')).toEqual(['role']);
    expect(await loaded('help', 'team')).toEqual(['team']);
    expect((await loaded('completion', 'bash')).length).toBeGreaterThan(15);
  });
});
