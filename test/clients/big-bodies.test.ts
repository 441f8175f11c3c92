import { CLIENTS } from '../support/clients/client.ts';
import { testClientsAndUpstreams } from '../support/clients/clients-and-upstreams.ts';

/**
 * Deployment packages are of this size. That each client gets and gives what does not fit into any
 * buffer on the way is shown by real-clients.test.ts.
 */
const curl = CLIENTS.filter(({ name }) => name === 'curl');
testClientsAndUpstreams({ megabytes: 200, clients: curl, isAboutSize: true });
