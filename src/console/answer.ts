import { isName } from '../account/model.ts';
import type { AdminError } from '../admin/error.ts';
import { AdminError as Refused } from '../admin/error.ts';
import { statusOf } from './attempt.ts';
import { type PageFrame, page } from './components/layout.ts';
import { notice } from './components/parts.ts';
import type { ConsoleContext } from './guard.ts';
import { html, type Slot } from './html.ts';

/** What a page says about itself; who looks at it is known from the request. */
export type Frame = Omit<PageFrame, 'nonce' | 'visitor'>;

type Status = 200 | 400 | 403 | 404 | 409 | 422 | 500 | 503;

/** A page for whoever asked. */
export function show(
  c: ConsoleContext,
  frame: Frame,
  content: Slot,
  status: Status = 200,
): Response | Promise<Response> {
  return c.html(page({ ...frame, nonce: c.var.nonce, visitor: c.var.visitor }, content), status);
}

/**
 * What was done and needs no more words than these; the address names one of them, never a text.
 */
const DONE = {
  created: 'It is created.',
  changed: 'The change is made.',
  deleted: 'It is deleted.',
  shown: 'The token was shown once, and is not kept anywhere. If it is lost, generate a new one.',
  proposed:
    'Nothing is changed yet: this concerns a protected role, and waits here until another administrator approves it.',
  approved: 'It is approved, and the change is made.',
  withdrawn: 'It waits no more. Nothing was changed.',
  password: 'The password is set. All sessions of that user have ended.',
} as const;

export type Done = keyof typeof DONE;

/**
 * Goes on to a page of ours (303: whatever was asked before, this is a GET), which says what was
 * done.
 */
export function goOn(c: ConsoleContext, path: string, done: Done): Response {
  return c.redirect(`${path}?done=${done}`, 303);
}

export function doneNotice(c: ConsoleContext): Slot {
  const done = c.req.query('done') ?? '';
  return Object.hasOwn(DONE, done) ? notice('good', html`<p>${DONE[done as Done]}</p>`) : '';
}

/** The name in the path; what cannot be a name is a page that does not exist. */
export function nameIn(c: ConsoleContext): string {
  const name = c.req.param('name') ?? '';
  if (!isName(name)) throw new Refused('not-found', 'there is no such page');
  return name;
}

const TITLES = {
  403: 'Not allowed',
  404: 'Not found',
  409: 'Changed meanwhile',
  422: 'That is not valid',
  503: 'Not available now',
} as const;

/** Administration refused to show something: said on a page of its own. */
export function showRefusal(c: ConsoleContext, error: AdminError): Response | Promise<Response> {
  const status = statusOf(error);
  const words = `${error.message.slice(0, 1).toUpperCase()}${error.message.slice(1)}.`;
  return show(
    c,
    { title: TITLES[status], section: '' },
    notice(status === 503 ? 'warn' : 'bad', html`<p>${words}</p>`),
    status,
  );
}
