import { styled, visible } from './terminal.ts';

/** The fields of an event that make its line; whatever else it holds is for `--json`. */
interface Shown {
  readonly time?: string;
  readonly phase?: string;
  readonly type?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly account?: { readonly name?: string } | null;
  readonly claimedAccountId?: string;
  readonly method?: string;
  readonly path?: string;
  readonly application?: string;
  readonly applications?: readonly string[];
  readonly role?: string;
  readonly status?: number;
  readonly upstreamStatus?: number;
  readonly durationMs?: number;
  readonly clientAddress?: string;
  readonly requestId?: string;
  readonly count?: number;
  readonly firstTime?: string;
  readonly lastTime?: string;
  readonly actor?: { readonly name?: string; readonly via?: string };
  readonly target?: { readonly kind?: string; readonly name?: string };
}

/** One event as one line for people. What cannot be read is shown as it is. */
export function formatEvent(event: string): string {
  let shown: Shown;
  try {
    shown = JSON.parse(event) as Shown;
  } catch {
    return visible(event);
  }
  const time = styled('dim', visible(`${shown.time ?? ''}`.replace('T', ' ').replace('Z', '')));
  return `${time}  ${lineOf(shown)}`;
}

function lineOf(shown: Shown): string {
  if (shown.phase === 'change') return change(shown);
  if (shown.phase === 'outcome') return outcome(shown);
  if (shown.phase === 'sign-in') return signIn(shown);
  return decision(shown);
}

function decision(shown: Shown): string {
  const permitted = shown.decision === 'permit';
  const verdict = permitted ? styled('green', 'let in ') : styled('red', 'refused');
  const who =
    shown.account?.name ??
    (shown.claimedAccountId === undefined
      ? 'nobody known'
      : `somebody as ${shown.claimedAccountId}`);
  const why = permitted ? [] : [shown.reason ?? 'for an unknown reason'];
  if (shown.count !== undefined) {
    const from = shown.clientAddress === undefined ? 'many addresses' : shown.clientAddress;
    const words = `${shown.count} times between ${shown.firstTime ?? '-'} and ${shown.lastTime ?? '-'}`;
    const whose = shown.account?.name === undefined ? '' : `${shown.account.name}  `;
    return `${verdict}  ${visible(`${whose}${words}`)}  ${styled('dim', visible(`(mostly ${shown.reason ?? '-'}, from ${from})`))}`;
  }
  const how = [
    ...why,
    ...(shown.role === undefined ? [] : [`role ${shown.role}`]),
    ...(shown.application === undefined ? [] : [`on ${shown.application}`]),
    ...(shown.applications === undefined ? [] : [`on ${shown.applications.join(' ')}`]),
    ...(shown.clientAddress === undefined ? [] : [`from ${shown.clientAddress}`]),
  ];
  return `${verdict}  ${visible(`${who}  ${shown.method ?? '-'} ${shown.path ?? '-'}`)}  ${styled('dim', visible(`(${how.join(', ')})`))}`;
}

function signIn(shown: Shown): string {
  const verdict =
    shown.decision === 'permit' ? styled('green', 'console') : styled('red', 'refused');
  const who =
    shown.account?.name ??
    (shown.claimedAccountId === undefined
      ? 'nobody known'
      : `somebody as ${shown.claimedAccountId}`);
  const how = `(${shown.reason ?? '-'} at the console, from ${shown.clientAddress ?? '-'})`;
  return `${verdict}  ${visible(who)}  ${styled('dim', visible(how))}`;
}

function outcome(shown: Shown): string {
  const ended =
    shown.reason === 'permitted' || shown.reason === undefined ? '' : `, ${shown.reason}`;
  const took = shown.durationMs === undefined ? '' : ` in ${shown.durationMs.toFixed(1)} ms`;
  const words = `${shown.account?.name ?? '-'}  answered ${shown.status ?? 'nothing'}${took}${ended}  (request ${shown.requestId ?? '-'})`;
  return `${styled('dim', '   ...  ')} ${styled('dim', visible(words))}`;
}

function change(shown: Shown): string {
  const what = `${shown.type ?? 'change'} ${shown.target?.kind ?? ''} ${shown.target?.name ?? ''}`;
  return `${styled('yellow', 'changed')}  ${visible(`${what}  (by ${shown.actor?.name ?? '-'}, ${shown.actor?.via ?? '-'})`)}`;
}
