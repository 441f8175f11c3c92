import { randomBytes } from 'node:crypto';
import type { Fault } from '../../admin/error.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { Visitor } from '../visitor.ts';

/** What every form of a session carries; `once` for those whose answer must not be given twice. */
export function formFields(visitor: Visitor, { once = false } = {}): Html {
  return html`<input type="hidden" name="form" value="${visitor.formToken}">${
    once
      ? html`<input type="hidden" name="once" value="${randomBytes(16).toString('base64url')}">`
      : ''
  }`;
}

/** A form that is one button. */
export function buttonForm(
  visitor: Visitor,
  path: string,
  words: string,
  { tone = '', fields = {} as Record<string, string>, about = '' } = {},
): Html {
  return html`<form method="post" action="${path}">${formFields(visitor)}${Object.entries(
    fields,
  ).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}<button class="${tone}">${words}${about === '' ? '' : html`<span class="hidden"> ${about}</span>`}</button></form>`;
}

export interface FieldAbout {
  readonly name: string;
  readonly label: string;
  readonly hint?: Slot;
  readonly faults?: readonly Fault[];
}

/** Messages about this field, or about a part of it (`permissions[2]`). */
function messagesFor({ name, faults = [] }: FieldAbout): readonly string[] {
  return faults
    .filter(({ field }) => field === name || field.startsWith(`${name}[`))
    .map(({ message }) => message);
}

/** Label, hint, control, faults; the control is told which words are about it. */
function field(about: FieldAbout, control: (attributes: Html) => Html): Html {
  const messages = messagesFor(about);
  const id = `field-${about.name}`;
  const described = [
    ...(about.hint === undefined ? [] : [`${id}-hint`]),
    ...(messages.length === 0 ? [] : [`${id}-fault`]),
  ];
  const attributes = html` id="${id}" name="${about.name}"${described.length === 0 ? '' : html` aria-describedby="${described.join(' ')}"`}${
    messages.length === 0 ? '' : html` aria-invalid="true"`
  }`;
  return html`<div class="field"><label for="${id}">${about.label}</label>${control(attributes)}${
    about.hint === undefined ? '' : html`<p class="hint" id="${id}-hint">${about.hint}</p>`
  }${messages.length === 0 ? '' : html`<p class="fault" id="${id}-fault">${sentence(messages.join('; '))}</p>`}</div>`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

export interface TextAbout extends FieldAbout {
  readonly value?: string;
  readonly type?: 'text' | 'password' | 'search' | 'date' | 'datetime-local';
  readonly isRequired?: boolean;
  readonly autocomplete?: string;
  readonly maxLength?: number;
  readonly isFirst?: boolean;
  readonly list?: readonly string[];
  /** Of a moment: seconds that it may be finer than a minute by. */
  readonly step?: string;
}

export function textField(about: TextAbout): Html {
  const {
    value = '',
    type = 'text',
    isRequired = false,
    autocomplete = 'off',
    maxLength = 500,
    isFirst = false,
    list,
    step,
  } = about;
  // Names are no words of a language: nobody is to correct or capitalise them.
  const plain = type === 'text' ? html` spellcheck="false" autocapitalize="none"` : '';
  return field(
    about,
    (attributes) =>
      html`<input type="${type}" value="${value}" autocomplete="${autocomplete}" maxlength="${maxLength}"${plain}${isRequired ? html` required` : ''}${
        isFirst ? html` autofocus` : ''
      }${step === undefined ? '' : html` step="${step}"`}${list === undefined ? '' : html` list="list-${about.name}"`}${attributes}>${
        list === undefined
          ? ''
          : html`<datalist id="list-${about.name}">${list.map((word) => html`<option value="${word}"></option>`)}</datalist>`
      }`,
  );
}

export function areaField(
  about: FieldAbout & { readonly value?: string; readonly rows?: number },
): Html {
  return field(
    about,
    (attributes) => html`<textarea rows="${about.rows ?? 5}" spellcheck="false"${attributes}>
${about.value ?? ''}</textarea>`,
  );
}

export interface Choice {
  readonly value: string;
  readonly words: string;
}

export function selectField(
  about: FieldAbout & { readonly value?: string; readonly choices: readonly Choice[] },
): Html {
  return field(
    about,
    (attributes) =>
      html`<select${attributes}>${about.choices.map(
        ({ value, words }) =>
          html`<option value="${value}"${value === about.value ? html` selected` : ''}>${words}</option>`,
      )}</select>`,
  );
}

/** Everything that is wrong, above the form; what belongs to a field is said there too. */
export function faultSummary(message: string | null, faults: readonly Fault[]): Slot {
  if (message === null) return '';
  if (faults.length === 0)
    return html`<div class="notice bad" role="alert"><p>${sentence(message)}</p></div>`;
  return html`<div class="notice bad" role="alert"><p>Nothing was changed yet. Please look at:</p><ul>${faults.map(
    ({ field: name, message: words }) =>
      html`<li><strong>${fieldName(name)}</strong> ${words}</li>`,
  )}</ul></div>`;
}

/** `expiresAt` as people say it. */
function fieldName(name: string): string {
  const [base = ''] = name.split('[');
  return (
    { expiresAt: 'Expiry', name: 'Name', role: 'Role', current: 'Current password' }[base] ??
    `${base.slice(0, 1).toUpperCase()}${base.slice(1)}`
  );
}
