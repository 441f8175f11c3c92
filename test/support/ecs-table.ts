/**
 * What ECS 9.4.0 (https://www.elastic.co/docs/reference/ecs) says of the fields that exports have:
 * type, `[]` where it is a list, and of a closed list its values.
 */
export const ECS: Readonly<Record<string, string>> = {
  '@timestamp': 'date',
  message: 'text',
  'ecs.version': 'keyword',
  'event.kind': 'keyword alert asset enrichment event metric state pipeline_error signal',
  'event.dataset': 'keyword',
  'event.module': 'keyword',
  'event.provider': 'keyword',
  'event.id': 'keyword',
  'event.action': 'keyword',
  'event.category':
    'keyword[] api authentication configuration database driver email file host iam ' +
    'intrusion_detection library malware network package process registry session threat ' +
    'vulnerability web',
  'event.type':
    'keyword[] access admin allowed change connection creation deletion denied device end error ' +
    'group indicator info installation protocol start user',
  'event.outcome': 'keyword failure success unknown',
  'event.reason': 'keyword',
  'event.sequence': 'long',
  'event.duration': 'long',
  'event.start': 'date',
  'event.end': 'date',
  'event.original': 'keyword',
  'service.type': 'keyword',
  'service.name': 'keyword',
  'service.version': 'keyword',
  'service.node.name': 'keyword',
  'user.id': 'keyword',
  'user.name': 'keyword',
  'user.roles': 'keyword[]',
  'user.target.id': 'keyword',
  'user.target.name': 'keyword',
  'client.address': 'keyword',
  'client.ip': 'ip',
  'source.address': 'keyword',
  'source.ip': 'ip',
  'http.request.id': 'keyword',
  'http.request.method': 'keyword',
  'http.request.body.bytes': 'long',
  'http.response.status_code': 'long',
  'http.response.body.bytes': 'long',
  'url.path': 'wildcard',
  'user_agent.original': 'keyword',
  'trace.id': 'keyword',
  'rule.name': 'keyword',
  'related.ip': 'ip[]',
  'related.user': 'keyword[]',
};

/** Types that are expected for a category. */
export const ECS_TYPES: Readonly<Record<string, readonly string[]>> = {
  api: 'access admin allowed change creation deletion denied end info start user'.split(' '),
  authentication: ['start', 'end', 'info'],
  configuration: ['access', 'change', 'creation', 'deletion', 'info'],
  iam: ['admin', 'change', 'creation', 'deletion', 'group', 'info', 'user'],
  web: ['access', 'error', 'info'],
};

/** Without these an event says too little of itself. */
export const ECS_NEEDED = ['@timestamp', 'ecs.version', 'event.kind', 'event.dataset'];
