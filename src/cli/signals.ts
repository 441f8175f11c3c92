/**
 * Resolves at the first SIGTERM or SIGINT: time to finish what is under way. A second one means
 * that somebody will not wait, and ends the process at once with the code that shells give to a
 * signal.
 */
export function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(signal === 'SIGINT' ? 130 : 143);
      asked = true;
      resolve(signal);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}
