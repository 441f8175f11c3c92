import { auditContractOn } from './audit-on-redis.ts';

auditContractOn('one server');
