import type { AuditEvent, EventOf } from '../audit/event/audit-event.ts';
import { chainWords } from '../audit/event/chain-words.ts';
import type { ChainKind } from '../audit/event/kind-of.ts';
import { type ReadEvent, readEvent } from '../audit/event/read.ts';
import { styled, visible } from './terminal.ts';

/** One event as one line for people. What cannot be read is shown as it is, and why. */
export function formatEvent(line: string): string {
  const event = readEvent(line);
  const time = styled('dim', visible(event.time.replace('T', ' ').replace('Z', '')));
  return `${time}  ${lineOf(event)}`;
}

function lineOf(event: ReadEvent): string {
  switch (event.phase) {
    case 'change':
      return change(event);
    case 'outcome':
      return outcome(event);
    case 'sign-in':
      return signIn(event);
    case 'decision':
      return 'count' in event ? folded(event) : decision(event);
    case 'notice':
      return notice(event);
    case 'chain':
      return chain(event);
    case 'unreadable':
      return `${styled('red', 'unreadable')}  ${visible(`(${event.reason})  ${event.line}`)}`;
  }
}

type Decision = EventOf<'callDecision'> | EventOf<'adminDecision'>;

function decision(event: Decision): string {
  const called: Partial<EventOf<'callDecision'>> = event.type === 'call' ? event : {};
  const { role, application, applications } = called;
  const { clientAddress } = event;
  const how = [
    ...(event.decision === 'permit' ? [] : [event.reason]),
    ...(role === undefined ? [] : [`role ${role}`]),
    ...(application === undefined ? [] : [`on ${application}`]),
    ...(applications === undefined ? [] : [`on ${applications.join(' ')}`]),
    ...(clientAddress === undefined ? [] : [`from ${clientAddress}`]),
  ];
  const what = `${whoIn(event)}  ${event.method ?? '-'} ${event.path ?? '-'}`;
  return `${verdict(event)}  ${visible(what)}  ${styled('dim', visible(`(${how.join(', ')})`))}`;
}

function folded(event: EventOf<'foldedDecision'>): string {
  const from = event.clientAddress ?? 'many addresses';
  const words = `${event.count} times between ${event.firstTime} and ${event.lastTime}`;
  const whose = event.account === null ? '' : `${event.account.name}  `;
  const how = `(mostly ${event.reason}, from ${from})`;
  return `${verdict(event)}  ${visible(`${whose}${words}`)}  ${styled('dim', visible(how))}`;
}

function verdict(event: Decision | EventOf<'foldedDecision'>): string {
  return event.decision === 'permit' ? styled('green', 'let in ') : styled('red', 'refused');
}

function whoIn({ account, claimedAccountId }: Decision | EventOf<'signIn'>): string {
  if (account !== null) return account.name;
  return claimedAccountId === undefined ? 'nobody known' : `somebody as ${claimedAccountId}`;
}

function signIn(event: EventOf<'signIn'>): string {
  const said = event.decision === 'permit' ? styled('green', 'console') : styled('red', 'refused');
  const how = `(${event.reason} at the console, from ${event.clientAddress ?? '-'})`;
  return `${said}  ${visible(whoIn(event))}  ${styled('dim', visible(how))}`;
}

function outcome(event: Extract<AuditEvent, { phase: 'outcome' }>): string {
  const status = 'status' in event ? event.status : undefined;
  const durationMs = 'durationMs' in event ? event.durationMs : undefined;
  const requestId = 'requestId' in event ? event.requestId : event.id;
  const ended = event.reason === 'permitted' ? '' : `, ${event.reason}`;
  const took = durationMs === undefined ? '' : ` in ${durationMs.toFixed(1)} ms`;
  const words = `${event.account?.name ?? '-'}  answered ${status ?? 'nothing'}${took}${ended}  (request ${requestId})`;
  return `${styled('dim', '   ...  ')} ${styled('dim', visible(words))}`;
}

function change({ type, target, actor }: EventOf<'change'>): string {
  const what = `${type} ${target.kind} ${target.name}`;
  return `${styled('yellow', 'changed')}  ${visible(`${what}  (by ${actor.name}, ${actor.via})`)}`;
}

function notice({ type, instance, target, count = 1, ...about }: EventOf<'notice'>): string {
  const { clientAddress, expiresAt, detail } = about;
  const how = [
    ...(count === 1 ? [] : [`${count} times`]),
    ...(expiresAt === undefined ? [] : [`at ${expiresAt}`]),
    ...(detail === undefined ? [] : [detail]),
    ...(clientAddress === undefined ? [] : [`from ${clientAddress}`]),
  ];
  const said = how.length === 0 ? '' : `  (${how.join(', ')})`;
  return `${styled('red', 'notice ')}  ${visible(`${type}  ${target?.name ?? instance}${said}`)}`;
}

function chain(event: EventOf<ChainKind>): string {
  return `${styled('dim', 'record ')}  ${visible(`${event.instance}  ${chainWords(event)}`)}`;
}
