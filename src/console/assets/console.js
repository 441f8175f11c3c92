/*
 * All that the console needs a script for: copying a token, following a log, selecting all rows of a list, keeping filters in this browser, and leaving a page that was an answer to a form. Everything else works without.
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

  for (const button of document.querySelectorAll('[data-select-all]')) {
    const boxes = document.querySelectorAll(
      `input[type=checkbox][form="${button.dataset.selectAll}"]`,
    );
    button.hidden = false;
    button.addEventListener('click', () => {
      const all = [...boxes].some((box) => !box.checked);
      for (const box of boxes) box.checked = all;
      button.textContent = all ? 'Select none' : 'Select all on this page';
    });
  }

  // Filters that somebody wants to come back to: they are addresses, and stay in this browser.
  for (const place of document.querySelectorAll('[data-saved-filters]')) {
    const section = place.dataset.savedFilters;
    const key = `sallyport:filters:${section}`;
    const read = () => {
      try {
        const saved = JSON.parse(localStorage.getItem(key) ?? '[]');
        const isOurs = (one) =>
          typeof one?.name === 'string' && /^\?[\w%&=.+:*-]*$/.test(one?.query ?? '');
        return Array.isArray(saved) ? saved.filter(isOurs).slice(0, 20) : [];
      } catch {
        return [];
      }
    };
    const write = (saved) => {
      try {
        localStorage.setItem(key, JSON.stringify(saved.slice(-20)));
      } catch {
        // The browser keeps nothing: the address still says it all.
      }
      draw();
    };
    const button = (words, label, act) => {
      const made = document.createElement('button');
      made.type = 'button';
      made.className = 'small plain';
      made.textContent = words;
      made.setAttribute('aria-label', label);
      made.addEventListener('click', act);
      return made;
    };
    const draw = () => {
      const saved = read();
      const parts = saved.flatMap(({ name, query }) => {
        const link = document.createElement('a');
        link.href = section + query;
        link.textContent = name;
        const gone = () => write(saved.filter((one) => one.name !== name));
        return [link, button('×', `Forget the filter ${name}`, gone)];
      });
      const params = new URLSearchParams(location.search);
      params.delete('at');
      params.delete('done');
      if (params.size > 0) {
        const label = document.createElement('label');
        const name = document.createElement('input');
        name.maxLength = 40;
        name.placeholder = 'Name of this filter';
        label.append('Save as ', name);
        const save = () => {
          const words = name.value.trim();
          if (words === '') return name.focus();
          const others = saved.filter((one) => one.name !== words);
          write([...others, { name: words, query: `?${params.toString()}` }]);
        };
        parts.push(label, button('Save', 'Save this filter', save));
      }
      place.replaceChildren(...parts);
      place.hidden = parts.length === 0;
    };
    draw();
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
