/**
 * One call with Node's fetch: METHOD URL SAVE_TO BODY_FILE NAME:VALUE...   (`-` saves to standard
 * output; '' = no body) Prints the status, then the headers as `name: value`, to standard error.
 * The CA comes from NODE_EXTRA_CA_CERTS.
 */
import { createWriteStream, openAsBlob } from 'node:fs';
import { Writable } from 'node:stream';

const [method = '', url = '', saveTo = '', bodyFile = '', ...lines] = process.argv.slice(2);
const headers = lines.map((line): [string, string] => [
  line.slice(0, line.indexOf(':')),
  line.slice(line.indexOf(':') + 1),
]);
const body = bodyFile === '' ? null : await openAsBlob(bodyFile);
const answer = await fetch(url, { method, headers, body, redirect: 'manual' });
console.error(answer.status);
for (const [name, value] of answer.headers) console.error(`${name}: ${value}`);
const out = saveTo === '-' ? process.stdout : createWriteStream(saveTo);
await answer.body?.pipeTo(Writable.toWeb(out));
