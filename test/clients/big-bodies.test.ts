import { testClientsAndUpstreams } from '../support/clients/clients-and-upstreams.ts';

/** Deployment packages are of this size. */
testClientsAndUpstreams({ megabytes: 200 });
