import { describe, expect, it } from 'vitest';
import { planOf } from '../../bench/arguments.ts';
import { ASKED, LOADS, TARGETS, VARIANTS } from '../../bench/names.ts';

describe('what the benchmark is asked to do', () => {
  it('measures everything but the extra loads when nothing is said', () => {
    expect(planOf([])).toMatchObject({
      loads: LOADS,
      extraLoads: [],
      targets: TARGETS.filter(
        (name) => !['sallyport-beside', ...ASKED, ...VARIANTS].includes(name),
      ),
      json: false,
      write: false,
    });
  });

  it('takes six loads and seven targets, three rounds each, when it has to be quick', () => {
    const plan = planOf(['--quick']);
    expect(plan?.loads).toEqual([
      'mixed-plain',
      'mixed-tls',
      'get-128-plain',
      'get-128-tls',
      'get-64k-tls',
      'post-4k-tls',
    ]);
    expect(plan?.targets).toEqual([
      'sallyport-buffered',
      'sallyport-acknowledged',
      'nginx-plain',
      'nginx-lua-cached',
      'nginx-lua',
      'nginx-auth-request',
      'nginx-auth-request-cached',
    ]);
    expect(plan?.rounds).toBe(3);
  });

  it('leaves out what is not named, loads and targets apart', () => {
    const plan = planOf(['--only', 'get-64k-tls,caddy', '--only', 'haproxy']);
    expect(plan).toMatchObject({ loads: ['get-64k-tls'], targets: ['haproxy', 'caddy'] });
    expect(planOf(['--only', 'sallyport-hashed'])?.targets).toEqual(['sallyport-hashed']);
    expect(planOf(['--only', 'caddy'])).toMatchObject({ loads: LOADS, targets: ['caddy'] });
  });

  it('runs the extra loads only when they are named, and then nothing else', () => {
    expect(planOf(['--only', 'idle-memory'])).toMatchObject({
      loads: [],
      extraLoads: ['idle-memory'],
    });
  });

  it('takes another checkout as a target of its own, beside those that are named', () => {
    const plan = planOf(['--beside', '/elsewhere', '--only', 'mixed-plain,sallyport-buffered']);
    expect(plan?.targets).toEqual(['sallyport-buffered', 'sallyport-beside']);
    expect(plan?.beside).toBe('/elsewhere');
  });

  it('names what it does not know', () => {
    expect(() => planOf(['--only', 'get-2m'])).toThrow('get-2m');
    expect(() => planOf(['--rounds', '0'])).toThrow('--rounds');
    expect(() => planOf(['--fast'])).toThrow('--fast');
  });
});
