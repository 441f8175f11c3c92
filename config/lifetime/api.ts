/**
 * The LifeTime Deployment API v2, and what of the Properties API pipelines call: every path with
 * its methods, and the permission that the gate asks for. `example.ts` makes
 * config/examples/lifetime/sallyport.yaml of it.
 */
export interface Operation {
  /** Unique; the form with a slash at the end has `.slash` behind it. */
  readonly name: string;
  readonly methods: readonly ('GET' | 'POST' | 'PUT' | 'DELETE')[];
  /** Without a slash at the end: clients call each path with and without one. */
  readonly path: string;
  /** Null: an action, for which whoever holds a token needs none. */
  readonly permission: string | null;
  /** Where the application stands, in the path or the body, or `any`. */
  readonly application: '{application}' | 'any';
  /** Further keys of the route. */
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface Group {
  /** What its comment in the example says. */
  readonly about: string;
  readonly operations: readonly Operation[];
}

export const LIFETIME = '/lifetimeapi/rest/v2';
const PROPERTIES = '/PropertiesAPI/rest/v1';

type Methods = Operation['methods'];

function at(
  methods: string,
  path: string,
  name: string,
  permission: string | null,
  more?: Operation['more'],
): Operation {
  const named = path.includes('{application}') || more?.variables !== undefined;
  const application = named ? '{application}' : 'any';
  const base = path.startsWith('/Modules') || path === '/**' ? PROPERTIES : LIFETIME;
  const operation = { name, path: base + path, permission, application } as const;
  return {
    ...operation,
    methods: methods.split(' ') as unknown as Methods,
    ...(more === undefined ? {} : { more }),
  };
}

/** What is decided for the whole infrastructure, although an application stands in the path. */
const forAll = (operation: Operation): Operation => ({ ...operation, application: 'any' });

const ENVIRONMENT = '/environments/{environment}';
const IN_ENVIRONMENT = `${ENVIRONMENT}/applications/{application}`;
const CONNECTION = `${ENVIRONMENT}/dbconnections/{connection}`;
const OF_MODULE = `${ENVIRONMENT}/modules/{module}/sourcecodeaccess`;
const OF_PROPERTY = '/Modules/{module}/Environments/{environment}';

/** The applications of a plan, in its body. */
const PLANNED = { application: { json: '/ApplicationOperations/*/ApplicationKey' } };

export const GROUPS: readonly Group[] = [
  {
    about: 'Applications and their versions.',
    operations: [
      at('GET', '/applications', 'applications', 'applications:read'),
      at('GET', '/applications/{application}', 'application', 'applications:read'),
      at('GET', '/applications/{application}/versions', 'versions', 'applications:read'),
      at('GET', '/applications/{application}/versions/{version}', 'version', 'applications:read'),
      at(
        'DELETE',
        '/applications/{application}/versions/{version}',
        'version-delete',
        'versions:delete',
      ),
      at(
        'GET',
        '/applications/{application}/versions/{version}/content',
        'version-content',
        'packages:read',
      ),
    ],
  },
  {
    about: 'Environments, and what runs in each.',
    operations: [
      at('GET', '/environments', 'environments', 'environments:read'),
      at('POST', '/environments', 'environment-register', 'environments:register'),
      at('GET', ENVIRONMENT, 'environment', 'environments:{environment}:read'),
      at('DELETE', ENVIRONMENT, 'environment-unregister', 'environments:{environment}:unregister'),
      at('GET', `${ENVIRONMENT}/applications`, 'running', 'environments:{environment}:read'),
      at('GET', IN_ENVIRONMENT, 'running-one', 'environments:{environment}:read'),
      at('GET', `${ENVIRONMENT}/deploymentzones`, 'zones', 'environments:{environment}:read'),
      at('GET', `${ENVIRONMENT}/templates`, 'templates', 'environments:{environment}:read'),
      at(
        'GET',
        `${ENVIRONMENT}/content_security_policies`,
        'csp',
        'environments:{environment}:read',
      ),
      at(
        'PUT',
        `${ENVIRONMENT}/content_security_policies`,
        'csp-set',
        'environments:{environment}:configure',
      ),
      at(
        'PUT',
        `${ENVIRONMENT}/maintenancemode`,
        'maintenance',
        'environments:{environment}:configure',
      ),
    ],
  },
  {
    about: 'What is made in an environment.',
    operations: [
      at(
        'POST',
        `${ENVIRONMENT}/applications`,
        'application-create',
        'applications:{environment}:create',
      ),
      at('POST', `${IN_ENVIRONMENT}/versions`, 'version-create', 'versions:{environment}:create'),
    ],
  },
  {
    about:
      'Deployments. A plan says in its body which applications it is about, and each must be permitted; one that names none is refused. What becomes of a plan later, and a package (octet-stream, of any size, not looked at), is about any application.',
    operations: [
      at('GET', '/deployments', 'deployments', 'deployments:read'),
      at('GET', '/deployments/{deployment}', 'deployment', 'deployments:read'),
      at('GET', '/deployments/{deployment}/status', 'deployment-status', 'deployments:read'),
      at('POST', '/deployments', 'deployment-create', 'deployments:{environment}:write', {
        variables: { ...PLANNED, environment: { json: '/TargetEnvironmentKey' } },
      }),
      at('PUT', '/deployments/{deployment}', 'deployment-change', 'deployments:change', {
        variables: PLANNED,
      }),
      at('DELETE', '/deployments/{deployment}', 'deployment-delete', 'deployments:delete'),
      at('POST', '/deployments/{deployment}/start', 'deployment-start', 'deployments:run'),
      at('POST', '/deployments/{deployment}/continue', 'deployment-continue', 'deployments:run'),
      at('POST', '/deployments/{deployment}/abort', 'deployment-abort', 'deployments:run'),
      at('POST', `${ENVIRONMENT}/deployment`, 'package-upload', 'packages:{environment}:deploy'),
    ],
  },
  {
    about:
      'Packages and source code. The links in answers lead to /downloads, where the pipeline client sends its token without "Bearer".',
    operations: [
      at('GET', `${IN_ENVIRONMENT}/content`, 'running-content', 'packages:{environment}:read'),
      at('POST', `${IN_ENVIRONMENT}/sourcecodeaccess`, 'source', 'sourcecode:{environment}:read'),
      at(
        'GET',
        `${IN_ENVIRONMENT}/sourcecodeaccess/{package}/status`,
        'source-status',
        'sourcecode:{environment}:read',
      ),
      at(
        'GET',
        `${IN_ENVIRONMENT}/sourcecodeaccess/{package}/download`,
        'source-link',
        'sourcecode:{environment}:read',
      ),
      at('POST', OF_MODULE, 'module-source', 'sourcecode:{environment}:read'),
      at(
        'GET',
        `${OF_MODULE}/{package}/status`,
        'module-source-status',
        'sourcecode:{environment}:read',
      ),
      at(
        'GET',
        `${OF_MODULE}/{package}/download`,
        'module-source-link',
        'sourcecode:{environment}:read',
      ),
      at('POST', `${ENVIRONMENT}/solution`, 'solution', 'solutions:{environment}:read'),
      at(
        'GET',
        `${ENVIRONMENT}/solution/{solution}`,
        'solution-link',
        'solutions:{environment}:read',
      ),
      at(
        'GET',
        `${ENVIRONMENT}/solutionstatus/{solution}`,
        'solution-status',
        'solutions:{environment}:read',
      ),
      at('GET', '/downloads/**', 'download', 'packages:read', { acceptBareToken: true }),
    ],
  },
  {
    about: 'Modules.',
    operations: [
      at('GET', '/modules', 'modules', 'modules:read'),
      at('GET', '/modules/{module}', 'module', 'modules:read'),
      at('GET', '/modules/{module}/versions', 'module-versions', 'modules:read'),
      at('GET', '/modules/{module}/versions/{version}', 'module-version', 'modules:read'),
    ],
  },
  {
    about:
      'Database connections. One whose name holds / or \\ (My%2FConn) cannot be called by it: servers differ in what such a path means.',
    operations: [
      at('GET', `${ENVIRONMENT}/dbconnections`, 'connections', 'dbconnections:{environment}:read'),
      at('GET', CONNECTION, 'connection', 'dbconnections:{environment}:read'),
      at(
        'GET',
        `${CONNECTION}/rolepermissionlevel/{role}`,
        'connection-role',
        'dbconnections:{environment}:read',
      ),
      at(
        'GET',
        `${CONNECTION}/userpermissionlevel/{user}`,
        'connection-user',
        'dbconnections:{environment}:read',
      ),
      at(
        'GET',
        `${ENVIRONMENT}/dbconnection/dbproviders`,
        'providers',
        'dbconnections:{environment}:read',
      ),
      at(
        'GET',
        '/environments/dbconnection/permissionlevels',
        'connection-levels',
        'dbconnections:read',
      ),
      at(
        'POST',
        `${ENVIRONMENT}/dbconnections`,
        'connection-create',
        'dbconnections:{environment}:write',
      ),
      at('PUT DELETE', CONNECTION, 'connection-change', 'dbconnections:{environment}:write'),
      at(
        'POST',
        `${ENVIRONMENT}/testdbconnection`,
        'connection-test',
        'dbconnections:{environment}:write',
      ),
      at(
        'PUT DELETE',
        `${CONNECTION}/rolepermissionlevel`,
        'connection-role-set',
        'dbconnections:{environment}:grant',
        { bodyOn: ['DELETE'] },
      ),
      at(
        'PUT DELETE',
        `${CONNECTION}/userpermissionlevel`,
        'connection-user-set',
        'dbconnections:{environment}:grant',
        { bodyOn: ['DELETE'] },
      ),
    ],
  },
  {
    about: 'People, and what they may do in LifeTime itself.',
    operations: [
      at('GET', '/users', 'users', 'users:read'),
      at('GET', '/users/{user}', 'user', 'users:read'),
      at('POST', '/users', 'user-create', 'users:write'),
      at('PUT', '/users/{user}', 'user-change', 'users:write'),
      at('POST', '/users/{user}/setpassword', 'user-password', 'users:write'),
      at('POST', '/users/{user}/applications', 'user-grant', 'users:grant'),
      forAll(
        at('DELETE', '/users/{user}/applications/{application}', 'user-revoke', 'users:grant'),
      ),
      at('GET', '/roles', 'roles', 'roles:read'),
      at('GET', '/roles/permissionlevels', 'role-levels', 'roles:read'),
      at('GET', '/roles/{role}', 'role', 'roles:read'),
      at('POST', '/roles', 'role-create', 'roles:write'),
      at('PUT DELETE', '/roles/{role}', 'role-change', 'roles:write'),
      at('GET', '/teams', 'teams', 'teams:read'),
      at('GET', '/teams/{team}', 'team', 'teams:read'),
      at('POST', '/teams', 'team-create', 'teams:write'),
      at('PUT DELETE', '/teams/{team}', 'team-change', 'teams:write'),
      at('POST', '/teams/{team}/applications', 'team-application-add', 'teams:write'),
      forAll(
        at(
          'DELETE',
          '/teams/{team}/applications/{application}',
          'team-application-remove',
          'teams:write',
        ),
      ),
      at('POST', '/teams/{team}/users', 'team-user-add', 'teams:write'),
      at('DELETE', '/teams/{team}/users/{user}', 'team-user-remove', 'teams:write'),
    ],
  },
  {
    about: 'Sign-ins that LifeTime has blocked.',
    operations: [
      at('GET', '/environments/blockedipaddresses', 'blocked', 'signins:read'),
      at('DELETE', '/environments/blockedipaddresses/{address}', 'unblock', 'signins:write'),
      at('GET', '/users/{user}/blockedlogins', 'user-blocked', 'signins:read'),
      at('DELETE', '/users/{user}/blockedlogins', 'user-unblock', 'signins:write'),
    ],
  },
  {
    about:
      'A caller exchanges its own token, at the gate itself: it is the gate that knows it, and not LifeTime.',
    operations: [
      at('POST', '/auth/tokens', 'token-renew', null, {
        action: 'renew-token',
        rateLimit: { requests: 10, windowSeconds: 3600, per: 'account' },
      }),
    ],
  },
  {
    about: 'The Properties API: what pipelines set in an environment after a deployment.',
    operations: [
      at('GET', '/**', 'properties', 'properties:read'),
      at(
        'PUT',
        `${OF_PROPERTY}/SiteProperties/{property}/Value`,
        'site-property-set',
        'properties:{environment}:write',
      ),
      at(
        'PUT',
        `${OF_PROPERTY}/RESTReferences/{reference}/EffectiveURL`,
        'rest-reference-set',
        'properties:{environment}:write',
      ),
      at(
        'PUT',
        `${OF_PROPERTY}/SOAPReferences/{reference}/EffectiveURL`,
        'soap-reference-set',
        'properties:{environment}:write',
      ),
      at(
        'PUT',
        `${OF_PROPERTY}/Timers/{timer}/Schedule`,
        'timer-set',
        'properties:{environment}:write',
      ),
    ],
  },
];
