/*
 * A log that goes on by itself. What comes is shown at once, unless somebody has stopped it or is reading: then it waits, and a button says how much.
 * Text that comes from the server is only ever set as text.
 */
(() => {
  const log = document.querySelector('[data-stream]');
  if (log === null || typeof EventSource === 'undefined') return;
  const body = log.querySelector('tbody');
  const template = document.getElementById('event-row');
  const empty = document.getElementById('log-empty');
  const live = document.getElementById('live');
  const pause = document.getElementById('live-pause');
  const waiting = document.getElementById('live-waiting');
  const rowsMax = Number(log.dataset.rows);
  const rows = new Map();
  for (const row of body.rows) rows.set(row.dataset.id, row);

  /** Fills a row's slots. A call's ending fills in what its beginning could not know. */
  function fill(row, event) {
    for (const slot of row.querySelectorAll('[data-slot]')) {
      const text = event[slot.dataset.slot];
      if (typeof text === 'string' && text !== '') slot.textContent = text;
    }
    if (event.tone !== '') row.querySelector('.badge').className = `badge ${event.tone}`;
    if (event.iso !== '') row.querySelector('time').dateTime = event.iso;
    if (event.story) row.querySelector('a.what').href = event.story;
  }

  function show(event) {
    const known = rows.get(event.id);
    if (known !== undefined) {
      fill(known, event.ending ? { result: event.result, tone: event.tone, iso: '' } : event);
      return;
    }
    // An ending whose beginning is no longer shown tells nobody anything.
    if (event.ending) return;
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.id = event.id;
    row.dataset.kind = event.kind;
    fill(row, event);
    row.classList.add('fresh');
    body.prepend(row);
    rows.set(event.id, row);
    log.hidden = false;
    if (empty !== null) empty.hidden = true;
    while (body.rows.length > rowsMax) {
      const last = body.rows[body.rows.length - 1];
      rows.delete(last.dataset.id);
      last.remove();
    }
  }

  // Whoever wants less motion begins with a log that stands still.
  let paused = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let held = [];
  let news = 0;
  // What can be shown at once, and the endings of what is shown already.
  const heldMax = 4 * rowsMax;

  /** A row that moves away under the pointer, the keyboard or the eyes is not what anybody wants. */
  function isRead() {
    const selection = getSelection();
    return (
      log.matches(':hover') ||
      log.contains(document.activeElement) ||
      log.getBoundingClientRect().top < 0 ||
      (selection !== null && !selection.isCollapsed && log.contains(selection.anchorNode))
    );
  }

  function showHeld() {
    const due = held;
    held = [];
    news = 0;
    for (const event of due) show(event);
    tell();
  }

  function hold(event) {
    held.push(event);
    if (!event.ending) news += 1;
    if (held.length > heldMax) held.shift();
    tell();
  }

  function tell() {
    pause.textContent = paused ? 'Resume' : 'Pause';
    waiting.hidden = news === 0;
    waiting.textContent = `Show ${news} new`;
  }

  function look() {
    if (held.length > 0 && !paused && !isRead()) showHeld();
  }

  function came(event) {
    look();
    if (paused || isRead()) hold(event);
    else show(event);
  }

  pause.hidden = false;
  pause.addEventListener('click', () => {
    paused = !paused;
    say(live.dataset.state, state);
    if (!paused) showHeld();
    tell();
  });
  waiting.addEventListener('click', () => {
    pause.focus();
    showHeld();
  });
  log.addEventListener('pointerleave', look);
  log.addEventListener('focusout', () => setTimeout(look));
  for (const kind of ['scroll', 'selectionchange'])
    document.addEventListener(kind, look, { passive: true });
  tell();

  const source = new EventSource(log.dataset.stream);
  let state = live.textContent;
  function say(name, words) {
    state = words;
    live.dataset.state = name;
    live.textContent = paused && name === 'on' ? 'Paused' : words;
  }
  source.addEventListener('open', () => say('on', 'Live'));
  source.addEventListener('activity', (message) => came(JSON.parse(message.data)));
  source.addEventListener('over', () => {
    source.close();
    say('off', 'Stopped: reload the page to sign in again');
  });
  source.addEventListener('error', () => {
    say(
      'off',
      source.readyState === EventSource.CLOSED ? 'Stopped: reload the page' : 'Reconnecting',
    );
  });
})();
