import { doorContract } from './door.ts';
import { http1Door } from './door-http1.ts';

for (const tls of [false, true]) doorContract(http1Door(tls));
