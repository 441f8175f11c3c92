import { type Html, html } from '../html.ts';

const CHOICES = [
  { name: 'Rows', choices: ['rows:comfortable', 'rows:dense'], words: ['Comfortable', 'Dense'] },
  { name: 'Times', choices: ['time:utc', 'time:local'], words: ['UTC', 'Local time'] },
] as const;

/** How pages are looked at: kept in this browser alone, by a script, and not there without one. */
export function viewChoices(): Html {
  return html`<div class="views" data-views hidden>${CHOICES.map(
    ({ name, choices, words }) =>
      html`<div role="group" aria-label="${name}" class="ranges">${choices.map((choice, n) => html`<button type="button" data-view="${choice}" aria-pressed="false">${words[n]}</button>`)}</div>`,
  )}</div>`;
}
