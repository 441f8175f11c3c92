import { doorContract } from '../contract/door.ts';
import { http2Door } from '../contract/door-http2.ts';

doorContract(http2Door(true));
