/*
 * Charts that tell what stands at a moment, to a pointer and to keys, and lead to a part of the time: by dragging, or by Shift, arrow keys and Enter. Without it they are pictures with a table beside them.
 */
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const WIDTH = 1000;

  for (const frame of document.querySelectorAll('[data-chart]')) {
    const points = JSON.parse(frame.dataset.chart);
    if (points.length === 0) continue;
    const plot = frame.querySelector('.chart-plot');
    const svg = plot.querySelector('svg');
    const readout = frame.querySelector('.chart-readout');
    const { zoom, title } = frame.dataset;
    const binMs = Number(frame.dataset.bin);
    const step = WIDTH / points.length;
    const mark = document.createElementNS(SVG, 'rect');
    mark.setAttribute('class', 'mark');
    mark.setAttribute('y', '0');
    mark.setAttribute('height', '100');
    let at = points.length - 1;
    /** Where a choice began; null: there is none. */
    let from = null;
    let isDragging = false;

    // Said once on a page.
    const hint =
      document.querySelector('[data-chart]') !== frame
        ? ''
        : zoom === undefined
          ? 'Point at the chart, or use the arrow keys.'
          : 'Point at the chart, or use the arrow keys. Drag, or hold Shift with them and then press Enter, to look at a part of the time.';
    readout.textContent = hint;
    readout.hidden = false;
    plot.tabIndex = 0;
    plot.setAttribute('role', 'slider');
    plot.setAttribute('aria-label', `${title}: moment`);
    plot.setAttribute('aria-valuemin', '1');
    plot.setAttribute('aria-valuemax', String(points.length));
    svg.setAttribute('aria-hidden', 'true');
    say();

    function say() {
      plot.setAttribute('aria-valuenow', String(at + 1));
      plot.setAttribute('aria-valuetext', textNow());
    }

    function textNow() {
      const [, text] = points[at];
      if (from === null || from === at) return text;
      const [first, last] = [Math.min(from, at), Math.max(from, at)];
      const until = new Date(points[last][0] + binMs).toISOString().slice(11, 16);
      const since = new Date(points[first][0]).toISOString().slice(11, 16);
      return `${since} to ${until} UTC chosen${isDragging ? '' : ': Enter shows it'}`;
    }

    function draw() {
      const [first, last] = from === null ? [at, at] : [Math.min(from, at), Math.max(from, at)];
      mark.setAttribute('x', String(first * step));
      mark.setAttribute('width', String((last - first + 1) * step));
      if (mark.parentNode === null) svg.append(mark);
      readout.textContent = textNow();
      say();
    }

    function clear() {
      mark.remove();
      from = null;
      readout.textContent = hint;
    }

    function moveTo(index, chooses) {
      if (!chooses) from = null;
      else if (from === null) from = at;
      at = Math.min(points.length - 1, Math.max(0, index));
      draw();
    }

    function go() {
      if (zoom === undefined || from === null || from === at) return;
      const [first, last] = [Math.min(from, at), Math.max(from, at)];
      const since = new Date(points[first][0]).toISOString();
      const until = new Date(points[last][0] + binMs).toISOString();
      location.assign(`${zoom}since=${since}&until=${until}`);
    }

    function indexOf(event) {
      const box = plot.getBoundingClientRect();
      return Math.floor(((event.clientX - box.left) / box.width) * points.length);
    }

    plot.addEventListener('pointermove', (event) => {
      at = Math.min(points.length - 1, Math.max(0, indexOf(event)));
      draw();
    });
    plot.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || zoom === undefined) return;
      plot.setPointerCapture(event.pointerId);
      isDragging = true;
      at = Math.min(points.length - 1, Math.max(0, indexOf(event)));
      from = at;
      draw();
    });
    plot.addEventListener('pointerup', () => {
      if (!isDragging) return;
      isDragging = false;
      go();
      from = null;
    });
    plot.addEventListener('pointercancel', () => {
      isDragging = false;
      clear();
    });
    plot.addEventListener('pointerleave', () => {
      if (!isDragging && document.activeElement !== plot) clear();
    });
    plot.addEventListener('focus', draw);
    plot.addEventListener('blur', clear);
    plot.addEventListener('keydown', (event) => {
      const by = {
        ArrowLeft: at - 1,
        ArrowDown: at - 1,
        ArrowRight: at + 1,
        ArrowUp: at + 1,
        PageDown: at - Math.ceil(points.length / 10),
        PageUp: at + Math.ceil(points.length / 10),
        Home: 0,
        End: points.length - 1,
      }[event.key];
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (by !== undefined) moveTo(by, event.shiftKey && zoom !== undefined);
      else if (event.key === 'Enter') go();
      else if (event.key === 'Escape') {
        from = null;
        draw();
      } else return;
      event.preventDefault();
    });
  }
})();
