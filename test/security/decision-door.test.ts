import { doorContract } from '../contract/door.ts';
import { askedDoor } from '../contract/door-asked.ts';
import { http1Door } from '../contract/door-http1.ts';
import { http2Door } from '../contract/door-http2.ts';

/**
 * What every door promises, at the decision endpoint, as far as a question has the shape for it.
 */
for (const by of [http1Door(false), http2Door(false)]) doorContract(askedDoor(by));
