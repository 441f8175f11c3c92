import { UnreadableFiles } from '../../../../src/audit/spool/unreadable.ts';
import { systemClock } from '../../../../src/clock.ts';

/** What is told of files that cannot be read, one line each. */
export function unreadableFiles(root: string, patienceMs = 60_000, told: string[] = []) {
  return new UnreadableFiles({
    folder: `${root}-unreadable`,
    clock: systemClock,
    patienceMs,
    observer: {
      unreadable: (_path, code) => void told.push(`unreadable ${code}`),
      readable: () => void told.push('readable'),
      setAside: () => void told.push('set aside'),
    },
  });
}
