import { describeCalls } from '../contract/calls-suite.ts';
import { http1Door } from '../contract/door-http1.ts';
import { http2Door } from '../contract/door-http2.ts';

/** A door is one line here. */
const DOORS = [http1Door(true), http1Door(false), http2Door(true), http2Door(false)];

describeCalls(DOORS, { upstreams: 'http1' });
