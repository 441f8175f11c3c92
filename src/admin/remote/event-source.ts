/** One server-sent event. */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

/** Longest line, in characters: a record of a change with all it may hold fits. */
const LINE_CHARACTERS = 4 * 1024 * 1024;

/**
 * Reads a stream of server-sent events (WHATWG HTML §9.2.6), as much of it as the admin API uses:
 * lines end with LF, data is one line.
 */
export async function* serverEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = { type: 'message', data: '', id: '' };
  for await (const piece of stream) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARACTERS) throw new Error('an event is too long');
    for (const line of lines) {
      if (line === '') {
        if (event.data !== '') yield event;
        event = { type: 'message', data: '', id: '' };
      } else {
        event = { ...event, ...fieldOf(line) };
      }
    }
  }
}

function fieldOf(line: string): Partial<ServerEvent> {
  const colon = line.indexOf(':');
  const [name, value] =
    colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
  if (name === 'event') return { type: value };
  return name === 'data' || name === 'id' ? { [name]: value } : {};
}
