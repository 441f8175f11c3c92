import { expect, it } from 'vitest';
import { type LeftPermit, openIn, permitText } from '../../../src/audit/permits/notes.ts';
import { type OpenPermit, OpenPermits } from '../../../src/audit/permits/open-permits.ts';

const permit = (id: string, name = 'ada', traceId: string | null = null): OpenPermit => ({
  place: -1,
  id,
  traceId,
  kind: () => name,
  describe: () => permitText({ type: 'call', account: { id: name, name, kind: 'user' } }),
});

/**
 * What a store keeps of the batches, which forgets what came before notes that are written anew.
 */
class Kept {
  readonly permits = new OpenPermits();
  text = '';

  batch(work: (permits: OpenPermits) => void): string {
    const notes = this.permits.begin();
    work(this.permits);
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

it('describes with nothing but its id what the store has lost the description of', () => {
  expect(openIn('+a 3\nnonsense\n+b 3 \n-b\n')).toEqual([{ id: 'a', type: 'call', account: null }]);
});
