import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type LeftPermit, openIn } from '../../../src/audit/permits/notes.ts';
import { type OpenPermit, OpenPermits } from '../../../src/audit/permits/open-permits.ts';

const CALLERS = new Map<string, OpenPermit['caller']>();

function callerOf(name: string): OpenPermit['caller'] {
  const caller = CALLERS.get(name) ?? { id: name, name, kind: 'user' };
  CALLERS.set(name, caller);
  return caller;
}

const permit = (id: string, name = 'ada', traceId: string | null = null): OpenPermit => ({
  place: -1,
  batch: -1,
  id,
  traceId,
  caller: callerOf(name),
  route: null,
  application: null,
  describe: () => null,
});

/**
 * What a store keeps of the batches, which forgets what came before notes that are written anew.
 */
class Kept {
  readonly permits = new OpenPermits();
  text = '';

  batch(work: (permits: OpenPermits) => void): string {
    work(this.permits);
    const notes = this.permits.seal();
    this.text = notes.anew ? notes.text : this.text + notes.text;
    return notes.text;
  }

  get open(): readonly LeftPermit[] {
    return openIn(this.text);
  }

  get ids(): readonly string[] {
    return this.open.map(({ id }) => id).toSorted();
  }
}

it('notes what is open as of each batch, with what is known of whom it is for', () => {
  const kept = new Kept();
  const [long, short] = [permit('long', 'ada', 'f00d'), permit('short')];
  kept.batch((permits) => permits.add(long));
  kept.batch((permits) => permits.add(short));
  expect(kept.ids).toEqual(['long', 'short']);
  kept.batch((permits) => permits.remove(short));
  const account = { id: 'ada', name: 'ada', kind: 'user' };
  expect(kept.open).toEqual([{ id: 'long', type: 'call', account, traceId: 'f00d' }]);
  kept.batch((permits) => permits.remove(long));
  expect(kept.ids).toEqual([]);
  expect(kept.permits.size).toBe(0);
});

it('notes what many have in common once, and again when it writes its notes anew', () => {
  const kept = new Kept();
  expect(kept.batch((permits) => permits.add(permit('one')))).toContain('"ada"');
  expect(kept.batch((permits) => permits.add(permit('two')))).toBe('+two 0\n');
  expect(kept.batch((permits) => permits.add(permit('other', 'bob')))).toContain('"bob"');
  kept.permits.noteAnew();
  kept.text = 'lost with the store\n';
  kept.batch((permits) => permits.add(permit('three', 'bob')));
  expect(kept.ids).toEqual(['one', 'other', 'three', 'two']);
  expect(kept.open.filter(({ account }) => account?.name === 'bob')).toHaveLength(2);
});

it('keeps its notes short, however much begins and ends', () => {
  const kept = new Kept();
  const stays = permit('stays');
  kept.batch((permits) => permits.add(stays));
  for (let call = 0; call < 40_000; call += 1) {
    const one = permit(`call-${call}`, `account-${call % 7}`);
    kept.batch((permits) => permits.add(one));
    kept.batch((permits) => permits.remove(one));
  }
  expect(kept.text.length).toBeLessThan(300_000);
  expect(kept.ids).toEqual(['stays']);
});

it('says nothing of what was given and has ended in one batch', () => {
  const kept = new Kept();
  kept.batch(() => {});
  const [stays, goes] = [permit('stays'), permit('goes')];
  const text = kept.batch((permits) => {
    permits.add(goes);
    permits.add(stays);
    permits.remove(goes);
  });
  expect(text).toContain('+stays');
  expect(text).not.toContain('goes');
  expect(kept.batch((permits) => permits.remove(stays))).toBe('-stays\n');
  expect(kept.ids).toEqual([]);
});

it('agrees with what is open, whatever begins and ends in whichever batch', () => {
  const kept = new Kept();
  const open = new Set<OpenPermit>();
  const steps = fc.array(fc.oneof(fc.constant('seal'), fc.constant('anew'), fc.nat({ max: 9 })));
  let given = 0;
  fc.assert(
    fc.property(steps, (made) => {
      for (const step of made) {
        if (step === 'seal') kept.batch(() => {});
        else if (step === 'anew') kept.permits.noteAnew();
        else if (typeof step === 'number' && step > 4) {
          const one = permit(`call-${given++}`, `account-${step}`);
          kept.permits.add(one);
          open.add(one);
        } else {
          const one = [...open][Number(step)];
          if (one === undefined) continue;
          kept.permits.remove(one);
          open.delete(one);
        }
      }
      kept.batch(() => {});
      expect(kept.ids).toEqual([...open].map(({ id }) => id).toSorted());
      expect(kept.permits.size).toBe(open.size);
    }),
  );
});

it('describes whom, where and on what, without tokens and whatever the application is called', () => {
  const route = { name: 'all', permission: 'a:read', upstream: 'apps' };
  const token = `slp_a1B2c3D4e5F6_${'s3CrEt'.repeat(8)}x`;
  for (const application of ['crm', 'two words', '"quoted" \n', '\u00e9', token]) {
    const kept = new Kept();
    kept.batch((permits) => permits.add({ ...permit('one'), route, application }));
    const [left] = kept.open;
    expect(left).toMatchObject({ route: 'all', permission: 'a:read', upstream: 'apps' });
    expect(left?.account).toEqual({ id: 'ada', name: 'ada', kind: 'user' });
    if (application === token) expect(kept.text).not.toContain(token.slice(17, 40));
    else expect(left?.application).toBe(application);
    expect(left).not.toHaveProperty('traceId');
  }
});

it('takes a description of its own in place of what is shared', () => {
  const kept = new Kept();
  const own = { type: 'admin-call', account: null, method: 'GET' };
  kept.batch((permits) =>
    permits.add({ ...permit('one'), caller: null, describe: () => JSON.stringify(own) }),
  );
  expect(kept.open).toEqual([{ id: 'one', ...own }]);
});

it('describes with nothing but its id what the store has lost the description of', () => {
  expect(openIn('+a 3\nnonsense\n=4 {broken\n+b 3,4  "x\n-b\n')).toEqual([
    { id: 'a', type: 'call', account: null },
  ]);
});
