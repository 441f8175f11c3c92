import { auditContractOn } from '../contract/audit-on-redis.ts';
import { registryContractOn } from '../contract/registry-on-redis.ts';

registryContractOn('sentinels', 'a cluster');
auditContractOn('sentinels', 'a cluster');
