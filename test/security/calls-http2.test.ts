import { describeCalls } from '../contract/calls-suite.ts';
import { http1Door } from '../contract/door-http1.ts';
import { http2Door } from '../contract/door-http2.ts';

/** The same table where upstreams speak HTTP/2. */
describeCalls([http1Door(true), http2Door(true)], { upstreams: 'http2' });
