import { UsageError } from '../exit.ts';

/** Throws `UsageError` for what is no address of an admin API. */
export function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:')
    throw new UsageError('--server is an https:// address, such as https://gate.example:9443');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new UsageError('--server is an address without credentials, query and fragment');
  return url;
}
