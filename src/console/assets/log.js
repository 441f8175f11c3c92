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
  // The newest beginnings, as many as can be shown, each with the ending that has come meanwhile.
  let held = new Map();
  let news = 0;

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
    held = new Map();
    news = 0;
    for (const events of due.values()) for (const event of events) show(event);
    tell();
  }

  function hold(event) {
    if (event.ending || held.has(event.id)) {
      held.get(event.id)?.push(event);
      return;
    }
    held.set(event.id, [event]);
    news += 1;
    if (held.size > rowsMax) held.delete(held.keys().next().value);
    tell();
  }

  let state = live.textContent;
  function say(name, words) {
    state = words;
    live.dataset.state = name;
    const still = paused ? 'Paused' : 'Waiting';
    const shown = name === 'on' && (paused || news > 0) ? still : words;
    if (live.textContent !== shown) live.textContent = shown;
  }

  function tell() {
    pause.textContent = paused ? 'Resume' : 'Pause';
    waiting.hidden = news === 0;
    waiting.textContent =
      news > held.size ? `Show the newest ${held.size} of ${news}` : `Show ${news} new`;
    say(live.dataset.state, state);
  }

  function look() {
    if (held.size > 0 && !paused && !isRead()) showHeld();
  }

  function came(event) {
    look();
    // The ending of a row that is there moves nothing.
    if (event.ending && rows.has(event.id)) show(event);
    else if (paused || isRead()) hold(event);
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
