import { Hono } from 'hono';
import { AdminError } from '../admin/error.ts';
import { RegistryUnavailable } from '../registry/port.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { show, showRefusal } from './answer.ts';
import { ASSETS } from './assets.ts';
import { notice } from './components/parts.ts';
import { LookFirst, lookFirst } from './confirming.ts';
import { documentationPages } from './documentation.ts';
import { type ConsoleContext, type Env, guard, isOurs } from './guard.ts';
import { html } from './html.ts';
import { accountChangePages } from './pages/account-changes.ts';
import { activityPages } from './pages/activity.ts';
import { activityExport } from './pages/activity-export.ts';
import { advicePages } from './pages/advice.ts';
import { APPROVALS, approvalsPages } from './pages/approvals.ts';
import { bulkPages } from './pages/bulk.ts';
import { csvPages, questionCsvPages } from './pages/csv.ts';
import { refusalPage } from './pages/door.ts';
import { findPages } from './pages/find.ts';
import { identityPages } from './pages/identity.ts';
import { instancesPages } from './pages/instances.ts';
import { matrixPages } from './pages/matrix.ts';
import { newTokenPages } from './pages/new-token.ts';
import { overviewPages } from './pages/overview.ts';
import { profilePages } from './pages/profile.ts';
import { rolesPages } from './pages/roles.ts';
import { serviceAccountPage } from './pages/service-account.ts';
import { serviceAccountsPages } from './pages/service-accounts.ts';
import { signInPages } from './pages/sign-in.ts';
import { storyPages } from './pages/story.ts';
import { streamPages } from './pages/streams.ts';
import { teamsPages } from './pages/teams.ts';
import { tryPages } from './pages/try.ts';
import { usersPages } from './pages/users.ts';
import { verificationPages } from './pages/verification.ts';
import { whoCanPages } from './pages/who-can.ts';
import type { ConsoleParts } from './parts.ts';
import { SignInThrottle } from './throttle.ts';

export type Console = Hono<Env>;

/** A year: the name changes with the content. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/**
 * The console: pages for the people who give machines their keys. It decides nothing: what may be
 * done is asked of administration, with the person behind the session as the actor. To be mounted
 * at `/` of the admin listener, beside `/api`, which it leaves alone.
 */
export function createConsole(parts: ConsoleParts): Console {
  const app = new Hono<Env>();
  const throttle = new SignInThrottle(parts.tries);
  app.use(guard(parts));
  app.get('/assets/:name', (c, next) => {
    const asset = ASSETS.get(c.req.path);
    return asset === undefined
      ? next()
      : c.body(asset.body, 200, { 'content-type': asset.type, 'cache-control': FOR_EVER });
  });
  documentationPages(app, parts.documentation);
  signInPages(app, parts, throttle);
  identityPages(app, parts, throttle);
  overviewPages(app, parts);
  streamPages(app, parts);
  serviceAccountsPages(app, parts);
  serviceAccountPage(app, parts);
  newTokenPages(app, parts);
  accountChangePages(app, parts);
  usersPages(app, parts);
  bulkPages(app, parts);
  csvPages(app, parts);
  questionCsvPages(app, parts);
  rolesPages(app, parts);
  teamsPages(app, parts);
  whoCanPages(app, parts);
  matrixPages(app, parts);
  tryPages(app, parts);
  approvalsPages(app, parts);
  activityPages(app, parts);
  advicePages(app, parts);
  activityExport(app, parts);
  storyPages(app, parts);
  verificationPages(app, parts);
  instancesPages(app, parts);
  profilePages(app, parts, throttle);
  findPages(app, parts);
  app.all('*', (c, next) => {
    if (!isOurs(c.req.path)) return next();
    return notFound(c);
  });
  app.onError((fault, c) => showFault(parts, c, fault));
  return app;
}

function notFound(c: ConsoleContext): Response | Promise<Response> {
  if (c.var.visitor === undefined)
    return c.html(refusalPage(c.var.nonce, 'There is no such page.'), 404);
  return show(
    c,
    { title: 'Not found', section: '' },
    notice('info', html`<p>There is no such page.</p>`),
    404,
  );
}

/**
 * What administration refuses to show has its own words; what is away is said to be away; the rest
 * goes to the log and not to the page.
 */
function showFault(
  parts: ConsoleParts,
  c: ConsoleContext,
  fault: Error,
): Response | Promise<Response> {
  if (fault instanceof LookFirst) return lookFirst(c, fault, parts.clock.wallMs());
  if (fault instanceof AdminError && fault.approval !== null)
    return c.redirect(`${APPROVALS}/${fault.approval}?done=proposed`, 303);
  if (fault instanceof AdminError && c.var.visitor !== undefined) return showRefusal(c, fault);
  const isAway = fault instanceof StoreUnavailable || fault instanceof RegistryUnavailable;
  if (isAway) parts.log.warn('the console cannot reach the store', { error: fault });
  else parts.log.error('a page of the console failed', { path: c.req.path, error: fault });
  const words = isAway
    ? 'The store cannot be reached now. Try again in a moment.'
    : 'Something went wrong inside the gate. The log knows more.';
  if (isAway) c.header('retry-after', '5');
  return c.html(refusalPage(c.var.nonce, words), isAway ? 503 : 500);
}
