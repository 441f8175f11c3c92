import { registryContractOn } from './registry-on-redis.ts';

registryContractOn('one server');
