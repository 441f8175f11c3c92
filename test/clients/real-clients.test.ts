import { testClientsAndUpstreams } from '../support/clients/clients-and-upstreams.ts';

testClientsAndUpstreams({ megabytes: 8 });
