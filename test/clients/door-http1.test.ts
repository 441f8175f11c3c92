import { doorContract } from '../contract/door.ts';
import { http1Door } from '../contract/door-http1.ts';

for (const tls of [false, true]) doorContract(http1Door(tls));
