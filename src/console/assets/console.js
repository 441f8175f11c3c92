/*
 * All that the console needs a script for: copying a token, following a log, and leaving a page that was an answer to a form. Everything else works without.
 * Text that comes from the server is only ever set as text.
 */
(() => {
  // The token's page is the answer to a form. A reload is to show the account and not ask whether to send the form again.
  const place = document.querySelector('[data-replace-url]');
  if (place !== null) history.replaceState(null, '', place.dataset.replaceUrl);

  for (const button of document.querySelectorAll('[data-copy]')) {
    const source = document.getElementById(button.dataset.copy);
    const status = document.getElementById(button.getAttribute('aria-describedby'));
    if (source === null || navigator.clipboard === undefined) continue;
    button.hidden = false;
    button.addEventListener('click', () => {
      navigator.clipboard.writeText(source.textContent.trim()).then(
        () => {
          button.textContent = 'Copied';
          status.textContent = 'Copied to the clipboard.';
        },
        () => {
          status.textContent =
            'The browser does not allow copying: select the text and copy it by hand.';
        },
      );
    });
  }

  const log = document.querySelector('[data-stream]');
  if (log === null || typeof EventSource === 'undefined') return;
  const body = log.querySelector('tbody');
  const template = document.getElementById('event-row');
  const empty = document.getElementById('log-empty');
  const live = document.getElementById('live');
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

  const source = new EventSource(log.dataset.stream);
  const say = (state, words) => {
    live.dataset.state = state;
    live.textContent = words;
  };
  source.addEventListener('open', () => say('on', 'Live'));
  source.addEventListener('activity', (message) => show(JSON.parse(message.data)));
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
