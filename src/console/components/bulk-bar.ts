import type { AccountView } from '../../admin/views.ts';
import { type Html, html } from '../html.ts';
import type { Visitor } from '../visitor.ts';
import { formFields, selectField } from './form.ts';

/** What can be done to many accounts at a time; those with … ask for more first. */
export const BULK_ACTS = [
  { value: 'deactivate', words: 'Deactivate' },
  { value: 'activate', words: 'Activate' },
  { value: 'expire', words: 'Set an expiry…' },
  { value: 'role', words: 'Give a default role…' },
  { value: 'join', words: 'Put into a team…' },
  { value: 'leave', words: 'Take out of a team…' },
] as const;

export type BulkAct = (typeof BULK_ACTS)[number]['value'];

const FORM = 'bulk';

/** The box before a name; it belongs to the form of the bar, wherever it stands. */
export function selectBox({ id, name }: AccountView): Html {
  return html`<input type="checkbox" form="${FORM}" name="id" value="${id}" aria-label="Select ${name}"> `;
}

/** Below a list: what is to be done to those that are selected. */
export function bulkBar(visitor: Visitor, section: string): Html {
  return html`<form class="bulk" id="${FORM}" method="post" action="/bulk${section}">${formFields(visitor)}
<button type="button" class="small" data-select-all="${FORM}" hidden>Select all on this page</button>
${selectField({ name: 'act', label: 'With those selected', value: 'deactivate', choices: BULK_ACTS })}
<button>Preview</button></form>`;
}
