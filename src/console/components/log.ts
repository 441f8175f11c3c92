import type { EventRow } from '../event-row.ts';
import { type Html, html } from '../html.ts';
import { zone } from '../words.ts';
import { empty } from './parts.ts';

/** Rows that a log shows at once; older ones make room for newer ones. */
export const LOG_ROWS = 100;

export interface LogAbout {
  readonly caption: string;
  readonly rows: readonly EventRow[];
  /** Where further events come from; null = the log does not go on by itself. */
  readonly stream: string | null;
  readonly whenEmpty: string;
  /** Id of the row that the page is about. */
  readonly current?: string;
}

/**
 * A log that goes on by itself where a script may run; without one it is as it was when the page
 * was made.
 */
export function logTable({ caption, rows, stream, whenEmpty, current }: LogAbout): Html {
  const newest = rows[0]?.mark ?? '';
  const source =
    stream === null
      ? ''
      : `${stream}${newest === '' ? '' : `?after=${encodeURIComponent(newest)}`}`;
  const following = stream === null ? '' : html` data-stream="${source}" data-rows="${LOG_ROWS}"`;
  return html`<div class="scroll"${following}${rows.length === 0 ? html` hidden` : ''}><table class="folding log"><caption class="hidden">${caption}</caption>
<thead><tr><th scope="col">Time (${zone()})</th><th scope="col">Verdict</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Answer</th></tr></thead>
<tbody>${rows.map((row) => logRow(row, row.id === current))}</tbody></table></div>
${rows.length === 0 ? html`<div id="log-empty">${empty('Nothing has happened yet', whenEmpty)}</div>` : ''}
${stream === null ? '' : html`<template id="event-row">${logRow(NOTHING)}</template>`}`;
}

const NOTHING: EventRow = {
  id: '',
  mark: '',
  kind: '',
  story: '',
  ending: false,
  iso: '',
  time: '',
  tone: '',
  verdict: '',
  who: '',
  what: '',
  detail: '',
  result: '',
};

/** The script fills the same slots in a copy of an empty row. */
function logRow(row: EventRow, isCurrent = false): Html {
  return html`<tr data-id="${row.id}" data-kind="${row.kind}"${isCurrent ? html` aria-current="true"` : ''}><td><time class="mono" datetime="${row.iso}" data-slot="time">${row.time}</time></td>
<td><span class="badge ${row.tone}" data-slot="verdict">${row.verdict}</span></td>
<td><a class="what" data-slot="what"${row.story === '' ? '' : html` href="${row.story}"`}>${row.what}</a> <span class="small quiet" data-slot="detail">${row.detail}</span></td>
<td class="who-cell" data-label="Who" data-slot="who">${row.who}</td>
<td data-label="Answer" data-slot="result">${row.result}</td></tr>`;
}

/** Says whether the log goes on by itself, and stops it; the script fills it in. */
export function liveMark(): Html {
  return html`<span class="live" id="live" role="status" data-state="off">Reload to see what is new</span><button type="button" class="small" id="live-waiting" hidden></button><button type="button" class="small" id="live-pause" hidden>Pause</button>`;
}
