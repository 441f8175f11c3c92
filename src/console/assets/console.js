/*
 * What the console needs a script for, beside following a log (log.js) and how pages are looked at (view.js): copying a token, selecting all rows of a list, keeping filters in this browser, and leaving a page that was an answer to a form. Everything else works without.
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
})();
