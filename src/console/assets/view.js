/*
 * How pages are looked at, as this browser keeps it: rows close together, and times of where somebody is. Runs before anything is drawn, so that nothing is drawn twice.
 */
(() => {
  const root = document.documentElement;
  const CHOICES = { rows: ['comfortable', 'dense'], time: ['utc', 'local'] };

  function kept(name) {
    try {
      const value = localStorage.getItem(`sallyport:${name}`);
      return CHOICES[name].includes(value) ? value : CHOICES[name][0];
    } catch {
      return CHOICES[name][0];
    }
  }

  function keep(name, value) {
    try {
      localStorage.setItem(`sallyport:${name}`, value);
    } catch {
      // The browser keeps nothing: it holds for this page.
    }
  }

  for (const name of Object.keys(CHOICES)) root.dataset[name] = kept(name);
  const isLocal = () => root.dataset.time === 'local';

  const two = (number) => String(number).padStart(2, '0');

  /** `2026-11-24 07:19:03`, of where the browser is. */
  function localWords(ms) {
    const at = new Date(ms);
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
    return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
  }

  const WORDS = /^\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?$/;

  /** Of what the server has written, which is UTC; what it says in other words stays. */
  function showTime(time) {
    const text = time.textContent;
    if (text === time.dataset.local) return;
    const ms = Date.parse(time.dateTime);
    if (!WORDS.test(text) || Number.isNaN(ms)) return;
    const words = localWords(ms).slice(0, text.length);
    time.dataset.utc = text;
    time.dataset.local = words;
    if (time.title === '') time.title = `${text} UTC`;
    if (words !== text) time.textContent = words;
  }

  function showZone(zone) {
    const words = isLocal() ? 'local time' : 'UTC';
    if (zone.textContent !== words) zone.textContent = words;
  }

  function showUtc(time) {
    time.textContent = time.dataset.utc;
    delete time.dataset.local;
  }

  function showAll(within) {
    if (!isLocal()) return;
    if (within.matches('time[datetime]')) showTime(within);
    if (within.matches('[data-zone]')) showZone(within);
    for (const time of within.querySelectorAll('time[datetime]')) showTime(time);
    for (const zone of within.querySelectorAll('[data-zone]')) showZone(zone);
  }

  // Whatever comes, with the page or afterwards, before it is drawn.
  new MutationObserver((changes) => {
    if (!isLocal()) return;
    for (const { target, addedNodes } of changes) {
      const own = target.parentElement?.closest('time[datetime], [data-zone]') ?? target;
      if (own instanceof Element && own.matches('time[datetime], [data-zone]')) showAll(own);
      for (const node of addedNodes) if (node instanceof Element) showAll(node);
    }
  }).observe(root, { childList: true, characterData: true, subtree: true });

  /** Fields for a moment hold UTC for the server, and show what times are shown in. */
  const fields = (form) => form.querySelectorAll('input[type=datetime-local]');
  const localField = (value) =>
    value === ''
      ? ''
      : localWords(Date.parse(`${value}Z`))
          .slice(0, 16)
          .replace(' ', 'T') + value.slice(16);
  // Zones differ by whole minutes: what is finer stays.
  const utcField = (value) =>
    value === '' ? '' : new Date(value).toISOString().slice(0, 16) + value.slice(16);

  function turnFields(turn) {
    for (const form of document.querySelectorAll('[data-moments]'))
      for (const field of fields(form)) field.value = turn(field.value);
  }

  function choose(name, value) {
    const wasLocal = isLocal();
    root.dataset[name] = value;
    keep(name, value);
    if (isLocal() !== wasLocal) {
      turnFields(isLocal() ? localField : utcField);
      if (isLocal()) showAll(root);
      else for (const time of document.querySelectorAll('time[data-local]')) showUtc(time);
      for (const zone of document.querySelectorAll('[data-zone]')) showZone(zone);
    }
    tell();
  }

  function tell() {
    for (const button of document.querySelectorAll('[data-view]')) {
      const [name, value] = button.dataset.view.split(':');
      button.setAttribute('aria-pressed', String(root.dataset[name] === value));
    }
  }

  document.addEventListener('DOMContentLoaded', () => {
    if (isLocal()) turnFields(localField);
    for (const form of document.querySelectorAll('[data-moments]'))
      form.addEventListener('formdata', ({ formData }) => {
        if (!isLocal()) return;
        for (const { name, value } of fields(form)) formData.set(name, utcField(value));
      });
    for (const group of document.querySelectorAll('[data-views]')) group.hidden = false;
    for (const button of document.querySelectorAll('[data-view]'))
      button.addEventListener('click', () => choose(...button.dataset.view.split(':')));
    tell();
  });
  // Another window of this browser has chosen.
  addEventListener('storage', ({ key }) => {
    const name = Object.keys(CHOICES).find((one) => key === `sallyport:${one}`);
    if (name !== undefined) choose(name, kept(name));
  });
})();
