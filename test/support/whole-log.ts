import { storeOwner } from '../../src/admin/actor.ts';
import type { Control } from '../../src/admin/control.ts';

const owner = storeOwner('test', 'command-line');

/** All that is on record, oldest first, as the lines that they are. */
export async function wholeLog({
  administration,
}: Pick<Control, 'administration'>): Promise<readonly string[]> {
  const lines: string[] = [];
  const asked = { account: null, everything: true, limit: 500 };
  let cursor: string | null = null;
  do {
    const page: { readonly items: readonly string[]; readonly next: string | null } =
      await administration.activityPage(owner, { ...asked, cursor });
    lines.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return lines.reverse();
}
