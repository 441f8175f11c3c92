import type { OwnPermission } from '../../account/permission.ts';
import { CHARTS, LOG_SCRIPT, MARK, SCRIPT, STYLE, VIEW_SCRIPT } from '../assets.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { Visitor } from '../visitor.ts';

export interface Crumb {
  readonly name: string;
  readonly path: string;
}

export interface PageFrame {
  readonly title: string;
  readonly nonce: string;
  readonly visitor: Visitor;
  /** Which entry of the menu the page belongs to: that entry's path. */
  readonly section: string;
  /** The way back up. */
  readonly crumbs?: readonly Crumb[];
  /** Beside the title. */
  readonly badge?: Slot;
  readonly lead?: Slot;
  /** Buttons opposite the title. */
  readonly actions?: Slot;
  /** Where a reload leads, when the page is an answer to a form. */
  readonly replaceUrl?: string;
}

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly needs: OwnPermission;
  /** And this. */
  readonly besides?: OwnPermission;
}

const TRAFFIC: readonly Entry[] = [
  { name: 'Overview', path: '/', needs: 'sallyport:activity:read' },
];
const MANAGEMENT: readonly Entry[] = [
  { name: 'Service Accounts', path: '/service-accounts', needs: 'sallyport:registry:read' },
  { name: 'Users', path: '/users', needs: 'sallyport:registry:read' },
  { name: 'Roles', path: '/roles', needs: 'sallyport:registry:read' },
  { name: 'Teams', path: '/teams', needs: 'sallyport:registry:read' },
];
const ASKING: readonly Entry[] = [
  { name: 'Who Can', path: '/who-can', needs: 'sallyport:registry:read' },
  { name: 'Try It', path: '/try', needs: 'sallyport:registry:read' },
  {
    name: 'Worth a Look',
    path: '/advice',
    needs: 'sallyport:registry:read',
    besides: 'sallyport:activity:read',
  },
];
const APPROVALS: Entry = {
  name: 'Approvals',
  path: '/approvals',
  needs: 'sallyport:registry:read',
};
const WATCHING: readonly Entry[] = [
  { name: 'Activity', path: '/activity', needs: 'sallyport:activity:read' },
  { name: 'Instances', path: '/instances', needs: 'sallyport:instances:read' },
];

function maySee(visitor: Visitor, { needs, besides = needs }: Entry): boolean {
  return visitor.may(needs) && visitor.may(besides);
}

/** The first page that somebody may see. */
export function homeOf(visitor: Visitor): string {
  return (
    [...TRAFFIC, ...MANAGEMENT, ...ASKING, ...WATCHING].find((entry) => maySee(visitor, entry))
      ?.path ?? '/profile'
  );
}

/** A whole page for somebody who is signed in. */
export function page(frame: PageFrame, content: Slot): Html {
  const { visitor } = frame;
  return documentOf(
    frame,
    html`<a class="skip" href="#content">Skip to the content</a>
<div class="frame">
<header class="side"><div class="side-inner">
<a class="brand" href="${homeOf(visitor)}">${mark()}Sallyport</a>
${findBox(visitor)}
<nav class="menu" aria-label="Main">
${group(null, TRAFFIC, frame)}${group('User Management', visitor.waiting === null ? MANAGEMENT : [...MANAGEMENT, APPROVALS], frame)}${group('Access', ASKING, frame)}${group(null, WATCHING, frame)}
<div><ul><li><a href="/docs/">Documentation</a></li></ul></div>
</nav>
<div class="who">
<p><span class="hidden">Signed in as </span><a href="/profile"${frame.section === '/profile' ? html` aria-current="page"` : ''}>${visitor.actor.name}</a><br class="quiet"><span class="quiet">${visitor.role}</span></p>
<form method="post" action="/sign-out"><input type="hidden" name="form" value="${visitor.formToken}"><button class="small">Sign out</button></form>
</div>
</div></header>
<main id="content" tabindex="-1"${frame.replaceUrl === undefined ? '' : html` data-replace-url="${frame.replaceUrl}"`}>
<div class="head"><div>
${crumbs(frame.crumbs ?? [])}
<div class="title-line"><h1>${frame.title}</h1>${frame.badge}</div>
${frame.lead === undefined ? '' : html`<p class="lead">${frame.lead}</p>`}
</div>${frame.actions === undefined ? '' : html`<div class="actions">${frame.actions}</div>`}</div>
${content}
</main>
</div>`,
  );
}

/**
 * A page for whoever is not signed in: a card in the middle and nothing that tells about the
 * inside.
 */
export function door(
  frame: { readonly title: string; readonly nonce: string },
  content: Slot,
): Html {
  return documentOf(
    frame,
    html`<div class="door"><main id="content"><div class="card"><div class="card-body">
<p class="brand">${mark()}Sallyport</p>
${content}
</div></div></main><footer class="door-foot"><a href="/docs/">Documentation</a></footer></div>`,
  );
}

function documentOf(
  { title, nonce }: { readonly title: string; readonly nonce: string },
  body: Html,
): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Sallyport</title>
<link rel="icon" href="${MARK.path}" type="image/svg+xml">
<script src="${VIEW_SCRIPT.path}" nonce="${nonce}"></script>
<link rel="stylesheet" href="${STYLE.path}" nonce="${nonce}">
<script src="${SCRIPT.path}" nonce="${nonce}" defer></script>
<script src="${CHARTS.path}" nonce="${nonce}" defer></script>
<script src="${LOG_SCRIPT.path}" nonce="${nonce}" defer></script>
</head>
<body>
${body}
</body>
</html>`;
}

/** On every page: what somebody was told is pasted here. */
function findBox(visitor: Visitor): Slot {
  const [accounts, requests] = [
    visitor.may('sallyport:registry:read'),
    visitor.may('sallyport:activity:read'),
  ];
  if (!accounts && !requests) return '';
  const words = [...(accounts ? ['name'] : []), ...(requests ? ['request id'] : [])].join(' or ');
  const label = `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
  return html`<form class="find" method="post" action="/find" role="search" aria-label="Find"><input type="hidden" name="form" value="${visitor.formToken}"><label class="hidden" for="find">${label}</label><input type="search" id="find" name="q" required maxlength="2000" autocomplete="off" spellcheck="false" placeholder="${label}"><button class="small">Find</button></form>`;
}

function group(
  title: string | null,
  entries: readonly Entry[],
  { visitor, section }: PageFrame,
): Slot {
  const shown = entries.filter((entry) => maySee(visitor, entry));
  if (shown.length === 0) return '';
  return html`<div>${title === null ? '' : html`<h2>${title}</h2>`}<ul>${shown.map(
    ({ name, path }) =>
      html`<li><a href="${path}"${path === section ? html` aria-current="page"` : ''}>${name}${path === APPROVALS.path ? waitingBadge(visitor) : ''}</a></li>`,
  )}</ul></div>`;
}

function waitingBadge({ waiting }: Visitor): Slot {
  return waiting === null || waiting === 0
    ? ''
    : html` <span class="badge warn plain">${waiting}<span class="hidden"> waiting</span></span>`;
}

function crumbs(way: readonly Crumb[]): Slot {
  if (way.length === 0) return '';
  return html`<nav aria-label="Breadcrumb"><ol class="crumbs">${way.map(({ name, path }) => html`<li><a href="${path}">${name}</a></li>`)}</ol></nav>`;
}

function mark(): Html {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="currentColor"/><path d="M7 25V9h3v2h3V9h6v2h3V9h3v16h-5v-5a4 4 0 0 0-8 0v5z" fill="var(--surface)"/></svg>`;
}
