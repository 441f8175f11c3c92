import type { Hono } from 'hono';
import { nameIn } from '../answer.ts';
import type { Env } from '../guard.ts';
import type { ConsoleParts } from '../parts.ts';

/**
 * From a name alone to its page: lists of who uses something do not say whether that is a machine
 * or a person.
 */
export function findPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get('/find/:name', async (c) => {
    const { kind, name } = await parts.control.administration.showAccount(c.var.visitor.actor, {
      name: nameIn(c),
    });
    return c.redirect(`${kind === 'user' ? '/users' : '/service-accounts'}/${name}`, 303);
  });
}
