/** A line on the terminal that says how far something has come; nothing in a pipe. */
export interface ProgressBar {
  readonly at: (done: number, of: number) => void;
  end(): void;
}

const WIDTH = 30;
const EVERY_MS = 100;

export function progressBar(what: string): ProgressBar {
  const shown = process.stderr.isTTY === true;
  let nextMs = 0;
  return {
    at(done, of) {
      if (!shown || Date.now() < nextMs) return;
      nextMs = Date.now() + EVERY_MS;
      const share = of === 0 ? 1 : Math.min(1, done / of);
      const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
      const percent = String(Math.floor(share * 100)).padStart(3);
      process.stderr.write(`\r[${bar}] ${percent} %  ${done} ${what}`);
    },
    end() {
      if (shown && nextMs > 0) process.stderr.write('\r\u001b[K');
    },
  };
}
